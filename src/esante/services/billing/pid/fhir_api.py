"""FHIR R4 operations and resources of immediate payment.

Claim/$submit                           use `predetermination`: a simulation; use `claim` with the simulation's id as
                                        `insurance.preAuthRef`: its validation; status `cancelled`: a cancellation. A
                                        predetermination with `related` (replaces) corrects a validated note.
CoverageEligibilityRequest/$submit      whether a person is insured
ClaimResponse/{id}                      a simulation
PaymentNotice, PaymentReconciliation    payments: read, and search by `_id` or `identifier`
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from esante.core import clock
from esante.core.fhir import check, decode, encode, operation_outcome
from esante.core.fhir.rest import SearchParams, read_resource, searchset
from esante.core.storage import uuid7
from esante.core.types import Json
from esante.core.web import FHIR_JSON, N_, NOT_FOUND, Problem, bad_request, problem_outcome
from esante.identity.access import Access, Requester
from esante.services.billing.note.fhir_resources import (
    claim_response,
    eligibility_response,
    payment_notice,
    payment_reconciliation,
    read_claim,
)
from esante.services.billing.note.fhir_terms import URI, concept, extension_value, money, system
from esante.services.billing.note.service import Notes
from esante.services.billing.payment.model import Payment
from esante.services.billing.pid.model import Confirmations, PidUnavailable
from esante.services.billing.pid.service import ImmediatePayments

MAX_BODY = 1024 * 1024
FALLBACK = "https://esante.lu/fhir/CodeSystem/billing-fallback"
CONFIRMATIONS = {
    "doctor": "validated-by-doctor",
    "patient": "validated-by-patient",
    "personal_share": "personal-share-settled",
}
"""The extensions of a Claim (valueBoolean) that confirm it, by the names of `Confirmations`."""
_SEARCH = {"_id": "token", "identifier": "token"}
_URN = "urn:uuid:"
_PAYMENT_TYPE = "http://terminology.hl7.org/CodeSystem/ex-paymenttype"
Endpoint = Callable[[Request], Awaitable[Response]]


def routes(payments: ImmediatePayments, notes: Notes, access: Access, base_url: str) -> list[Route]:
    """Return the routes under /fhir; `base_url` is the address of /fhir."""
    api = _FhirEndpoints(payments, notes, access, base_url)
    found = [
        Route("/fhir/Claim/$submit", _with_fallback(api.submit), methods=["POST"]),
        Route("/fhir/CoverageEligibilityRequest/$submit", _with_fallback(api.eligibility), methods=["POST"]),
        Route("/fhir/ClaimResponse/{id}", api.claim_response, methods=["GET"]),
    ]
    for type_, write in _WRITERS.items():
        found.append(Route(f"/fhir/{type_}", api.search(type_, write), methods=["GET"]))
        found.append(Route(f"/fhir/{type_}/{{id}}", api.read(type_, write), methods=["GET"]))
    return found


def capabilities() -> list[Json]:
    """Return the entries of immediate payment in CapabilityStatement.rest.resource."""
    definition = "http://hl7.org/fhir/OperationDefinition/{}-submit"
    payments = [
        {
            "type": type_,
            "interaction": [{"code": "read"}, {"code": "search-type"}],
            "searchParam": [{"name": name, "type": kind} for name, kind in _SEARCH.items()],
        }
        for type_ in _WRITERS
    ]
    return [
        {"type": "Claim", "operation": [{"name": "submit", "definition": definition.format("Claim")}]},
        {
            "type": "CoverageEligibilityRequest",
            "operation": [{"name": "submit", "definition": definition.format("CoverageEligibilityRequest")}],
        },
        {"type": "ClaimResponse", "interaction": [{"code": "read"}]},
        *payments,
    ]


_WRITERS: dict[str, Callable[[Payment], Json]] = {
    "PaymentNotice": payment_notice,
    "PaymentReconciliation": payment_reconciliation,
}


@dataclass(frozen=True, slots=True)
class _FhirEndpoints:
    payments: ImmediatePayments
    notes: Notes
    access: Access
    base_url: str

    async def submit(self, request: Request) -> Response:
        """Simulate, validate or cancel a note (Claim/$submit)."""
        requester = await self.access.authorize(request, "Claim", "c")
        data = await read_resource(request, MAX_BODY)
        note, claim = read_claim(data), decode(data)
        if claim["status"] == "cancelled":
            paid = await self.payments.reversals.cancel(requester, note.id, _motive(claim))
            return await self._paid(requester, paid)
        match claim["use"]:
            case "predetermination":
                found = await self.payments.simulate(requester, note, replaces_id=_replaced(claim))
                return _respond(claim_response(found.note, found.adjudication, id_=found.id))
            case "claim":
                simulation = await self.payments.simulation(requester, _simulation_id(claim))
                if simulation.note.id != note.id:
                    title = N_("The simulation is of another fee note.")
                    raise bad_request("Claim.insurance.preAuthRef", title, status=422, code="business-rule")
                confirmations = Confirmations(
                    **{name: extension_value(claim, url, "Boolean") is True for name, url in CONFIRMATIONS.items()}
                )
                return await self._paid(
                    requester, await self.payments.validate(requester, simulation.id, confirmations)
                )
        title = N_("Only predeterminations and claims can be submitted.")
        raise bad_request("Claim.use", title, status=422, code="not-supported")

    async def _paid(self, requester: Requester, payment: Payment) -> Response:
        """Answer with the response to a validated claim, and its payment."""
        assert payment.simulation_id is not None
        found = await self.payments.simulation(requester, payment.simulation_id)
        response = claim_response(found.note, found.adjudication, use="claim", id_=found.id)
        response["payment"] = {
            "type": concept(_PAYMENT_TYPE, "complete"),
            "adjustment": money(-payment.recovered),
            "date": payment.created_at.date().isoformat(),
            "amount": money(payment.amount),
            "identifier": {"system": URI, "value": f"{_URN}{payment.id}"},
        }
        if payment.cancelled_at is not None:
            response["status"] = "cancelled"
        return _respond(response)

    async def eligibility(self, request: Request) -> Response:
        """Answer whether a person is insured (CoverageEligibilityRequest/$submit)."""
        requester = await self.access.authorize(request, "CoverageEligibilityRequest", "c")
        data = await read_resource(request, MAX_BODY)
        checked = check(data)
        if not checked.ok:
            return _respond(operation_outcome(checked.issues), 422)
        asked = decode(data)
        if asked.get("resourceType") != "CoverageEligibilityRequest":
            raise bad_request("", N_("This is another resource than expected."), status=422)
        identifier = asked.get("patient", {}).get("identifier", {})
        if identifier.get("system") != system("matricule"):
            title = N_("The patient is named by their matricule.")
            raise bad_request("CoverageEligibilityRequest.patient.identifier", title, status=422, code="required")
        day = _day(asked.get("servicedDate") or asked.get("created", "")[:10])
        found = await self.payments.eligibility(requester, identifier.get("value", ""), day)
        covers = found.covers if found.eligible else ()
        return _respond(eligibility_response(uuid7(), found.matricule, day, covers, clock.now()))

    async def claim_response(self, request: Request) -> Response:
        """Return a simulation of the requester."""
        requester = await self.access.authorize(request, "ClaimResponse", "r")
        found = await self.payments.simulation(requester, _id(request.path_params["id"]))
        return _respond(claim_response(found.note, found.adjudication, id_=found.id))

    def read(self, type_: str, write: Callable[[Payment], Json]) -> Endpoint:
        """Return the endpoint that returns a payment as a resource."""

        async def endpoint(request: Request) -> Response:
            requester = await self.access.authorize(request, type_, "r")
            payment = await self.payments.payments.by_id(_id(request.path_params["id"]))
            if payment is None:
                raise Problem(404, "not-found", NOT_FOUND)
            await self.notes.find(requester, payment.person_id, payment.note_id, part="payment")
            return _respond(write(payment))

        return endpoint

    def search(self, type_: str, write: Callable[[Payment], Json]) -> Endpoint:
        """Return the endpoint that searches payments by identifier."""

        async def endpoint(request: Request) -> Response:
            requester = await self.access.authorize(request, type_, "s")
            params = SearchParams(request, _SEARCH)
            found = await self._named(requester, [value for name, value in params.pairs if name in _SEARCH])
            return _respond(
                searchset(
                    [write(one) for one in found],
                    self_url=params.self_url(self.base_url),
                    base_url=self.base_url,
                    total=len(found),
                    outcome=params.outcome,
                )
            )

        return endpoint

    async def _named(self, requester: Requester, values: Sequence[str]) -> list[Payment]:
        """Return the payments with these ids that the requester may read."""
        found: dict[UUID, Payment] = {}
        for value in values:
            key = _id(value.rpartition("|")[2].removeprefix(_URN))
            payment = await self.payments.payments.by_id(key)
            if payment is not None:
                try:
                    await self.notes.find(requester, payment.person_id, payment.note_id, part="payment")
                except Problem:
                    continue
                found[payment.id] = payment
        return list(found.values())


def _with_fallback(endpoint: Endpoint) -> Endpoint:
    """Return an endpoint whose answer 503 says which way is left, in `issue.details`."""

    async def answering(request: Request) -> Response:
        try:
            return await endpoint(request)
        except PidUnavailable as problem:
            outcome = problem_outcome(problem)
            outcome["issue"][0]["details"] = {
                "coding": [{"system": FALLBACK, "code": problem.hint["way"]}],
                "text": " ".join(f"{name}={value}" for name, value in problem.hint.items()),
            }
            return _respond(outcome, problem.status, problem.headers)

    return answering


def _simulation_id(claim: Json) -> UUID:
    """Return the simulation that a Claim names (insurance.preAuthRef). Raises: Problem 422."""
    named = [text for one in claim.get("insurance", ()) for text in one.get("preAuthRef", ())]
    if len(named) != 1:
        title, remedy = N_("A claim names the simulation that it validates."), N_("Simulate the fee note first.")
        raise bad_request("Claim.insurance.preAuthRef", title, remedy, status=422, code="required")
    return _id(named[0].removeprefix(_URN))


def _replaced(claim: Json) -> UUID | None:
    """Return the note that a Claim replaces (related, relationship `replaces`)."""
    for one in claim.get("related", ()):
        codes = [coding.get("code") for coding in one.get("relationship", {}).get("coding", ())]
        if "replaces" in codes:
            value: Any = one.get("claim", {}).get("identifier", {}).get("value", "")
            return _id(value.removeprefix(_URN))
    return None


def _motive(claim: Json) -> str:
    """Return why a Claim is cancelled: the text of its extension, or else that it was cancelled by the software."""
    return str(extension_value(claim, "cancellation-motive", "String") or "cancelled by the software")


def _id(text: str) -> UUID:
    """Return the key that an id names. Raises: Problem 404 for what is none."""
    try:
        return UUID(text)
    except ValueError as error:
        raise Problem(404, "not-found", NOT_FOUND) from error


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        title = N_("This is no day.")
        raise bad_request("CoverageEligibilityRequest.servicedDate", title, status=422, code="value") from error


def _respond(resource: Json, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    more = {"Cache-Control": "no-store", **(headers or {})}
    return Response(encode(resource), status, headers=more, media_type=FHIR_JSON)

"""The server of the FHIR interface: the same connection, assertions, limits, connector and audit as those of SOAP."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import orjson
from lxml import etree
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from esante.core import clock
from esante.core.fhir.rest import convert_posted_search, searchset
from esante.core.soap import Package
from esante.core.storage import NIL, uuid7
from esante.core.time_zone import today
from esante.core.types import Json
from esante.core.web import FHIR_JSON, Problem, origin_of
from esante.services.exchange.assertions.model import Cause, Refused
from esante.services.exchange.assertions.rules import Act
from esante.services.exchange.audit import AuditTrail, Exchanged, Side
from esante.services.exchange.connector import Form, NationalConnector, Offer, offers_on
from esante.services.exchange.contact_points import ContactPoint, ContactPoints, Transaction
from esante.services.exchange.contact_points.publication import FHIR_PATH as PATH
from esante.services.exchange.country_a.authentication import Authentication
from esante.services.exchange.country_a.connection import peer_certificate
from esante.services.exchange.country_a.endpoints import NOBODYS, contact_point_requester
from esante.services.exchange.country_a.limits import UNEXPECTED, RequestLimits
from esante.services.exchange.country_a.model import Asking, Incoming
from esante.services.exchange.fhir_api.resources import (
    capability_statement,
    document_resource,
    outcome,
    patient_resource,
)
from esante.services.exchange.fhir_api.tokens import read_token
from esante.services.exchange.hl7v3.model import InstanceId, PatientQuery

_OID = "urn:oid:"
_REQUIRED, _MISSING = "ERROR_PI_MISSING_REQUIRED_FIELDS", "ERROR_GENERIC_DOCUMENT_MISSING"
_DATE_DIGITS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class _Answered:
    """An answer, and what is recorded of it (fields as in `country_a.model.Answered`)."""

    data: bytes
    status: int = 200
    outcome: str = ""
    class_code: str = ""
    patient: str = ""
    person_id: UUID = NIL
    rule: str = ""
    documents: Sequence[str] = ()
    asking: Asking | None = None


@dataclass(frozen=True, slots=True)
class _Incoming:
    """A request as it came: whose contact point sent it, what its token holds, its parameters."""

    message: Incoming
    request: Request

    def parameter(self, name: str) -> str:
        """Return the one value of a parameter, "" where there is none or several."""
        values = self.request.query_params.getlist(name)
        return values[0] if len(values) == 1 else ""


Handler = Callable[[_Incoming], Awaitable[_Answered]]


class FhirEndpoints:
    """The endpoints. `base_url`: the address of the FHIR interface, which tokens name."""

    def __init__(
        self,
        points: ContactPoints,
        trail: AuditTrail,
        authentication: Authentication,
        limits: RequestLimits,
        connector: NationalConnector,
        base_url: str,
    ) -> None:
        self._points, self._trail, self._authentication = points, trail, authentication
        self._limits, self._connector, self._base_url = limits, connector, base_url

    def routes(self) -> list[BaseRoute]:
        """Return the routes."""
        search = {"Patient": self._patients, "DocumentReference": self._documents}
        found: list[BaseRoute] = [Route(f"{PATH}/metadata", self._metadata)]
        for name, handler in search.items():
            transaction = Transaction.DISCOVERY if name == "Patient" else Transaction.LIST
            endpoint = self._endpoint(handler, transaction)
            found.append(Route(f"{PATH}/{name}", endpoint, methods=["GET"]))
            found.append(Route(f"{PATH}/{name}/_search", endpoint, methods=["POST"]))
        found.append(Route(f"{PATH}/Bundle/{{key}}", self._endpoint(self._bundle, Transaction.RETRIEVE)))
        return found

    async def _metadata(self, request: Request) -> Response:
        statement = capability_statement(self._base_url, clock.now().isoformat())
        return Response(orjson.dumps(statement), media_type=FHIR_JSON)

    def _endpoint(self, handler: Handler, transaction: Transaction) -> Callable[[Request], Awaitable[Response]]:
        async def endpoint(request: Request) -> Response:
            certificate = peer_certificate(request)
            point = await self._points.of_tls(certificate) if certificate is not None else None
            if point is None:
                await self._trail.refuse(certificate, request.url.path, origin_of(request))
                return _response(_refusal("ERROR_HPI_GENERIC", NOBODYS, 403))
            began = clock.now()
            try:
                if request.method == "POST":
                    request = await convert_posted_search(request)
                incoming = _Incoming(self._message(request, point, began), request)
                answered = await handler(incoming)
            except Refused as refused:
                status = 401 if refused.cause in (Cause.MISSING, Cause.NOT_SIGNED, Cause.INTEGRITY) else 403
                answered = _refusal(refused.cause.value, f"{refused.reason}.", status)
            except Problem as problem:
                answered = _refusal("ERROR_GENERIC", problem.title, problem.status)
            await self._trail.record(_exchanged(request, point, transaction, answered, began))
            return _response(answered)

        return endpoint

    def _message(self, request: Request, point: ContactPoint, at: datetime) -> Incoming:
        """Return a request as a message whose header has the assertions of its token. Raises: `Refused`."""
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise Refused(Cause.MISSING, "the request has no token with assertions")
        header = etree.Element("header")
        header.append(read_token(token.strip(), point, self._base_url, at))
        return Incoming(
            point=point,
            message_id=request.headers.get("x-request-id", "")[:200] or uuid7().urn,
            content=header,
            header=header,
            package=Package(b"", {}, is_mtom=False),
            at=at,
            origin=origin_of(request),
        )

    async def _patients(self, incoming: _Incoming) -> _Answered:
        """Answer PDQm: the one patient who matches and may be disclosed, or none."""
        asking = self._authentication.identify(incoming.message, [Act.IDENTIFY])
        id_ = _identifier(incoming.parameter("identifier"))
        if id_ is None:
            return _refusal(_REQUIRED, "An identifier of the patient is needed (urn:oid:...|value).", 400, asking)
        if not await self._admit(incoming, asking, id_.cx, is_search=True):
            return _too_many(asking)
        query = PatientQuery(
            message_id=InstanceId(incoming.message.message_id),
            query_id=InstanceId(incoming.message.message_id),
            sender=incoming.message.point.home,
            receiver=self._points.home,
            ids=[id_],
            birth=incoming.parameter("birthdate")[:_DATE_DIGITS].replace("-", ""),
            family=incoming.parameter("family"),
        )
        found = await self._connector.find_patients(asking.requester, query)
        patients = found.patients if len(found.patients) == 1 and incoming.message.point.asks else ()
        return _Answered(
            data=self._bundle_of([patient_resource(one) for one in patients], incoming),
            outcome="" if patients else "ERROR_PI_NO_MATCH",
            patient=id_.cx,
            person_id=found.person_id,
            rule=found.verdict.rule if found.verdict else "",
            asking=asking,
        )

    async def _documents(self, incoming: _Incoming) -> _Answered:
        """Answer a list of the documents that are handed out as Bundles."""
        id_ = _identifier(incoming.parameter("patient.identifier"))
        if id_ is None:
            raise Refused(Cause.INSUFFICIENT, "patient.identifier is needed (urn:oid:...|value)")
        wanted = _codes(incoming.parameter("type") or incoming.parameter("category"))
        offers = [one for one in self._offers(incoming) if not wanted or one.class_code in wanted]
        acts = list(dict.fromkeys(one.act for one in offers)) or [Act.SUMMARY]
        asking, _ = self._authentication.treat(incoming.message, acts, id_.cx)
        if not await self._admit(incoming, asking, id_.cx, is_search=False):
            return _too_many(asking)
        allowed = [one for one in offers if self._authentication.allows(incoming.message, asking, one.act)]
        if offers and not allowed:
            raise Refused(Cause.RIGHTS, "the permission for these documents is missing")
        found = await self._connector.list_documents(asking.requester, id_.cx, allowed)
        shown = [one for one in found.documents if one.form is Form.BUNDLE]
        system = f"{_OID}{id_.root}"
        resources = [document_resource(one, system, id_.extension, self._base_url) for one in shown]
        return _Answered(
            data=self._bundle_of(resources, incoming),
            class_code="|".join(sorted(one.class_code for one in allowed))[:200],
            patient=id_.cx,
            person_id=found.person_id,
            rule=found.verdict.rule if found.verdict else "",
            documents=[one.unique_id for one in shown],
            asking=asking,
        )

    async def _bundle(self, incoming: _Incoming) -> _Answered:
        """Answer a document; the class of the document that is found is decided on again."""
        offers = self._offers(incoming)
        acts = list(dict.fromkeys(one.act for one in offers)) or [Act.SUMMARY]
        asking, patient = self._authentication.treat(incoming.message, acts, None)
        if not await self._admit(incoming, asking, patient, is_search=False):
            return _too_many(asking)
        classes = [one.class_code for one in offers if self._authentication.allows(incoming.message, asking, one.act)]
        unique_id = f"2.25.{incoming.request.path_params['key']}^{Form.BUNDLE}"
        found = await self._connector.fetch(asking.requester, patient, unique_id, classes)
        if found.content is None:
            code = found.fault or _MISSING
            data = orjson.dumps(outcome(code, "There is no such document that can be sent.", "not-found"))
            return _Answered(
                data=data,
                status=404,
                outcome=code,
                patient=patient,
                person_id=found.person_id,
                rule=found.verdict.rule if found.verdict else "",
                asking=asking,
            )
        return _Answered(
            data=found.content,
            class_code=found.offer.class_code if found.offer else "",
            patient=patient,
            person_id=found.person_id,
            rule=found.verdict.rule if found.verdict else "",
            documents=[unique_id],
            asking=asking,
        )

    def _offers(self, incoming: _Incoming) -> list[Offer]:
        return [one for one in offers_on(today()) if one.class_code in incoming.message.point.asks]

    async def _admit(self, incoming: _Incoming, asking: Asking, patient: str, *, is_search: bool) -> bool:
        country = incoming.message.point.country
        return await self._limits.admit(asking.requester, country, patient, is_search=is_search)

    def _bundle_of(self, resources: Sequence[Json], incoming: _Incoming) -> bytes:
        path = incoming.request.url.path.removeprefix(PATH)
        bundle = searchset(
            resources, self_url=f"{self._base_url}{path}", base_url=self._base_url, total=len(resources)
        )
        return orjson.dumps(bundle)


def _identifier(text: str) -> InstanceId | None:
    """Return the identifier of a token parameter (`urn:oid:1.2|3`), None for another form."""
    system, bar, value = text.partition("|")
    if not bar or not value or not system.startswith(_OID):
        return None
    return InstanceId(system.removeprefix(_OID), value)


def _codes(text: str) -> frozenset[str]:
    """Return the codes of a token parameter with or without systems."""
    return frozenset(one.rpartition("|")[2] for one in text.split(",") if one)


def _refusal(code: str, text: str, status: int, asking: Asking | None = None) -> _Answered:
    issue = {400: "required", 401: "login", 403: "forbidden", 404: "not-found"}.get(status, "processing")
    return _Answered(data=orjson.dumps(outcome(code, text, issue)), status=status, outcome=code, asking=asking)


def _too_many(asking: Asking) -> _Answered:
    data = orjson.dumps(outcome(UNEXPECTED, "There were too many requests: ask again later.", "throttled"))
    return _Answered(data=data, status=429, outcome=UNEXPECTED, asking=asking)


def _response(answered: _Answered) -> Response:
    headers = {"Cache-Control": "no-store"}
    return Response(answered.data, answered.status, headers=headers, media_type=FHIR_JSON)


def _exchanged(
    request: Request, point: ContactPoint, transaction: Transaction, answered: _Answered, began: datetime
) -> Exchanged:
    """Return what is recorded; the request is its target, since it has no body."""
    asking = answered.asking
    return Exchanged(
        side=Side.ANSWERED,
        transaction=transaction,
        content=answered.class_code,
        country=point.country,
        initiator=asking.requester if asking else contact_point_requester(point, origin_of(request)),
        role=asking.professional.role if asking else "",
        purpose=asking.professional.purpose if asking else "",
        person_id=answered.person_id,
        patient=answered.patient[:200],
        message_id=request.headers.get("x-request-id", "")[:200] or uuid7().urn,
        request=request_target(request.url.path, request.url.query),
        answer=answered.data,
        outcome=answered.outcome,
        documents=answered.documents,
        rule=answered.rule,
        began_at=began,
        ended_at=clock.now(),
    )


def request_target(path: str, query: str) -> bytes:
    """Return the bytes by which both sides record a request without a body."""
    return f"{path}?{query}".encode()

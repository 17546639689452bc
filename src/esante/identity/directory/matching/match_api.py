"""The operation Patient/$match over HTTP (IHE PDQm, ITI-119; FHIR R4, patient-operation-match.html)."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from esante.core.fhir import check, operation_outcome
from esante.core.fhir.rest import fhir_response, read_resource, require_known_parameters
from esante.core.types import Json
from esante.core.web import N_, Problem, bad_request
from esante.identity.directory.api import Authorize
from esante.identity.directory.entry_validation import refuse_value
from esante.identity.directory.matching.model import Agreement, Match
from esante.identity.directory.matching.rules import make_traits
from esante.identity.directory.matching.service import Asked, Matching
from esante.identity.directory.model import Address, Catalogue, Identifier
from esante.identity.directory.resources import patient_resource
from esante.identity.directory.rules import canonicalize_identifier, identifier_faults, optional_text_faults

MAX_BODY = 64 * 1024
MOST_MATCHES, USUAL_MATCHES = 50, 10
GRADE = "http://hl7.org/fhir/StructureDefinition/match-grade"
WEIGHT = "https://esante.lu/fhir/StructureDefinition/match-weight"
"""An extension of `entry.search`: how one trait agrees, and what that is worth in bits."""
DEFINITION = "http://hl7.org/fhir/OperationDefinition/Patient-match"
_KNOWN = {"resource", "onlyCertainMatches", "count"}


@dataclass(frozen=True, slots=True)
class _Endpoint:
    matching: Matching
    catalogue: Catalogue
    authorize: Authorize
    base_url: str

    async def match(self, request: Request) -> Response:
        caller = await self.authorize(request, "Patient", "s")
        require_known_parameters(request)
        found = check(await read_resource(request, MAX_BODY))
        if not found.ok:
            return fhir_response(operation_outcome(found.issues), 422)
        asked = read_question(found.resource, self.catalogue)
        matches = await self.matching.match(
            asked, actor=caller.actor, origin=caller.origin, only_person_id=caller.only_person_id
        )
        return fhir_response(await self._bundle(matches))

    async def _bundle(self, matches: Iterable[Match]) -> Json:
        entries = [
            {
                "fullUrl": f"{self.base_url}/Patient/{match.person.id}",
                "resource": patient_resource(
                    match.person, self.catalogue, await self.matching.merges.links(match.person.id)
                ),
                "search": _search(match.agreement),
            }
            for match in matches
        ]
        bundle: Json = {"resourceType": "Bundle", "type": "searchset", "total": len(entries)}
        return {**bundle, "entry": entries} if entries else bundle


def match_routes(matching: Matching, catalogue: Catalogue, authorize: Authorize, base_url: str) -> list[Route]:
    """Return the route of the operation; `authorize` and `base_url` as of `api.routes`."""
    endpoint = _Endpoint(matching, catalogue, authorize, base_url)
    return [Route("/fhir/Patient/$match", endpoint.match, methods=["POST"])]


def match_capability() -> Json:
    """Return the operation, for CapabilityStatement.rest.resource.operation."""
    return {"name": "match", "definition": DEFINITION}


def _search(agreement: Agreement) -> Json:
    weights = [
        {
            "url": WEIGHT,
            "extension": [
                {"url": "trait", "valueCode": weight.trait.replace("_", "-")},
                {"url": "level", "valueCode": weight.level.replace("_", "-")},
                {"url": "bits", "valueDecimal": round(weight.bits, 2)},
            ],
        }
        for weight in agreement.weights
        if weight.level != "absent"
    ]
    return {
        "extension": [{"url": GRADE, "valueCode": agreement.grade}, *weights],
        "mode": "match",
        "score": round(agreement.probability, 6),
    }


# The description in the request ---------------------------------------------------------------------------


def read_question(resource: Json, catalogue: Catalogue) -> Asked:
    """Return what is asked by valid Parameters of the operation, or by a Patient alone.

    Raises: Problem 400 for a parameter that is unknown, missing, repeated or of a wrong type, and for a value that
    nobody can have.
    """
    if resource["resourceType"] == "Patient":
        return _asked(resource, catalogue)
    if resource["resourceType"] != "Parameters":
        raise bad_request(
            "Parameters", N_("This operation needs a Patient."), N_("Send Parameters, or a Patient alone.")
        )
    given: dict[str, Json] = {}
    for one in resource.get("parameter", ()):
        if one["name"] not in _KNOWN or one["name"] in given:
            raise _refused(one["name"], N_("This parameter is not supported here, or is given twice."))
        given[one["name"]] = one
    patient = given.get("resource", {}).get("resource", {})
    if patient.get("resourceType") != "Patient":
        raise _refused("resource", N_("This operation needs a Patient."))
    certain_only = given.get("onlyCertainMatches", {"valueBoolean": False}).get("valueBoolean")
    count = given.get("count", {"valueInteger": USUAL_MATCHES}).get("valueInteger")
    if not isinstance(certain_only, bool):
        raise _refused("onlyCertainMatches", N_("This parameter is true or false."))
    if not isinstance(count, int) or count < 1:
        raise _refused("count", N_("This parameter is a number of at least 1."))
    return _asked(patient, catalogue, certain_only=certain_only, count=min(count, MOST_MATCHES))


def _refused(name: str, title: str) -> Problem:
    place = f"Parameters.parameter.where(name='{name[:40]}')"
    return bad_request(place, title, N_("Correct the parameter and send it again."))


def _asked(patient: Json, catalogue: Catalogue, *, certain_only: bool = False, count: int = USUAL_MATCHES) -> Asked:
    identifiers = _identifiers(patient, catalogue)
    name = _best(patient.get("name", ()), "official")
    family, given = name.get("family", ""), [one for one in name.get("given", ()) if one]
    for place, text in (("Patient.name.family", family), ("Patient.name.given", " ".join(given))):
        for fault in optional_text_faults(text):
            raise refuse_value(place, fault)
    address = _best(patient.get("address", ()), "home")
    traits = make_traits(
        identifiers=identifiers,
        family=family,
        given=given,
        birth_date=_day(patient.get("birthDate", "")),
        sex=patient.get("gender", ""),
        address=Address(line=" ".join(address.get("line", ())), postal_code=address.get("postalCode", "")),
        matricule_system=catalogue.system("matricule").uri,
    )
    return Asked(traits=traits, identifiers=identifiers, certain_only=certain_only, count=count)


def _identifiers(patient: Json, catalogue: Catalogue) -> tuple[Identifier, ...]:
    """Return the identifiers of a Patient that have a system and a value, as they are stored."""
    found = []
    for index, one in enumerate(patient.get("identifier", ())):
        if not (one.get("system") and one.get("value")):
            continue
        identifier = canonicalize_identifier(Identifier(one["system"], one["value"]), catalogue.systems)
        for fault in identifier_faults(identifier, catalogue.systems):
            if fault.hard:
                raise refuse_value(f"Patient.identifier[{index}]", fault)
        found.append(identifier)
    return tuple(dict.fromkeys(found))


def _best(values: Iterable[Json], use: str) -> Json:
    """Return the first value of a use, or else the first one; {} when there is none."""
    listed = list(values)
    return next((one for one in listed if one.get("use") == use), listed[0] if listed else {})


def _day(text: str) -> date | None:
    """Return a FHIR date that is a whole day; None for a year or a month alone."""
    try:
        return date.fromisoformat(text) if len(text) == 10 else None
    except ValueError:
        return None

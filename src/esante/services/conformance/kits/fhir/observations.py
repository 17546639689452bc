"""The observations that the kit writes for its test patient, and deletes at the end of the run."""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any
from uuid import uuid4

from esante.services.conformance.kits.fhir_requests import fhir_headers, fhir_send, find_test_patient, path_of
from esante.services.conformance.kits.model import Fault
from esante.services.conformance.kits.session import Reply, Session

LOINC = "http://loinc.org"
CODE, OTHER_CODE = "718-7", "2951-2"
DAY, LATER_DAY = "2001-02-03", "2002-03-04"
_URI = "urn:ietf:rfc:3986"
_CATEGORY = "http://terminology.hl7.org/CodeSystem/observation-category"


async def patient_id(session: Session) -> str:
    """Return the id of the test patient, found at the first call. Raises: `Fault`."""
    if "patient" not in session.values:
        await find_test_patient(session)
    return str(session.value("patient"))


def mark_of(session: Session) -> str:
    """Return the identifier, SYSTEM|VALUE, that all observations of this run carry."""
    return f"{_URI}|{session.values.setdefault('mark', uuid4().urn)}"


async def new_observation(session: Session, day: str = DAY, code: str = CODE) -> dict[str, Any]:
    """Return an observation about the test patient."""
    system, _, value = mark_of(session).partition("|")
    return {
        "resourceType": "Observation",
        "identifier": [{"system": system, "value": value}],
        "status": "final",
        "category": [{"coding": [{"system": _CATEGORY, "code": "laboratory"}]}],
        "code": {"coding": [{"system": LOINC, "code": code}]},
        "subject": {"reference": f"Patient/{await patient_id(session)}"},
        "effectiveDateTime": f"{day}T10:00:00Z",
        "valueQuantity": {"value": 14.1, "unit": "g/dL", "system": "http://unitsofmeasure.org", "code": "g/dL"},
    }


async def create(session: Session, resource: dict[str, Any], **headers: str) -> Reply:
    """Return the answer to the creation of an observation, which is deleted at the end of the run."""
    reply = await fhir_send(session, "POST", "Observation", resource, **headers)
    forget_at_end(session, reply.headers.get("location", ""))
    return reply


def forget_at_end(session: Session, location: str) -> None:
    """Delete at the end of the run what is at an address, where there is one."""
    if location:
        session.open_until_end.push_async_callback(_deletion(session, path_of(session, location)))


def _deletion(session: Session, address: str) -> Callable[[], Awaitable[None]]:
    async def delete() -> None:
        with suppress(Fault):
            await session.send("DELETE", address, headers=fhir_headers(session))

    return delete


async def search_path(session: Session, criteria: str = "") -> str:
    """Return the search for the observations of this run, with further criteria."""
    return f"Observation?patient={await patient_id(session)}&identifier={mark_of(session)}{criteria}"

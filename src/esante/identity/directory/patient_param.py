"""The patient that the parameters of a FHIR search name."""

from collections.abc import Iterable
from uuid import UUID

from esante.core.fhir import parse_logical_id
from esante.core.fhir.rest import parse_token
from esante.core.web import N_, bad_request
from esante.identity.directory.service import Directory

_BY_REFERENCE = frozenset({"patient", "patient:Patient", "subject", "subject:Patient"})
_BY_IDENTIFIER = frozenset(
    {f"{name}{how}" for name in ("patient", "subject", "subject:Patient") for how in (".identifier", ":identifier")}
)
PATIENT_PARAMETERS = _BY_REFERENCE | _BY_IDENTIFIER
"""The search parameters that name a patient."""


async def resolve_patient(
    pairs: Iterable[tuple[str, str]], directory: Directory, base_url: str, own: UUID | None = None
) -> UUID | None:
    """Return the key of the one person whom the parameters of a search name.

    They name a person by reference, by identifier, or by an `_id` of a resource of that person. `own` is the person
    of a search that names nobody: a patient who searches their own record. Returns None when the parameters name
    nobody who is known, or two persons. Raises: Problem 400 when they name nobody and `own` is None.
    """
    found: set[UUID | None] = set()
    for name, value in pairs:
        if name in _BY_REFERENCE:
            found.add(_parse_key(value.removeprefix(f"{base_url}/").removeprefix("Patient/")))
        elif name in _BY_IDENTIFIER:
            person = await directory.find_person(*parse_token(value))
            found.add(person.id if person else None)
        elif name == "_id":
            keys = (parse_logical_id(part) for part in value.split(","))
            found |= {key and key[0] for key in keys}
    if not found and own is None:
        raise bad_request(
            "patient",
            N_("The search does not specify a patient."),
            N_("Search by patient or patient.identifier."),
            code="required",
        )
    return (found or {own}).pop() if len(found) <= 1 else None


def _parse_key(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None

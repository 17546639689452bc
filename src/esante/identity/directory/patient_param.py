"""Which person a search over FHIR means."""

from collections.abc import Iterable
from uuid import UUID

from esante.core.fhir import parse_logical_id
from esante.core.fhir.rest import parse_token
from esante.core.web import N_, Problem
from esante.identity.directory.service import Directory

_BY_REFERENCE = frozenset({"patient", "patient:Patient", "subject", "subject:Patient"})
_BY_IDENTIFIER = frozenset(
    {f"{name}{how}" for name in ("patient", "subject", "subject:Patient") for how in (".identifier", ":identifier")}
)
NAMING = _BY_REFERENCE | _BY_IDENTIFIER
"""The search parameters by which a person is named."""


async def person_meant(
    pairs: Iterable[tuple[str, str]], directory: Directory, base_url: str, own: UUID | None = None
) -> UUID | None:
    """The one person whom the parameters of a search mean: by reference, by identifier, or by an `_id` of hers.

    None when they mean nobody, or two. `own` is meant where nobody is named: a patient who asks for herself.
    Problem 400 when nobody is named at all.
    """
    meant: set[UUID | None] = set()
    for name, value in pairs:
        if name in _BY_REFERENCE:
            meant.add(_key(value.removeprefix(f"{base_url}/").removeprefix("Patient/")))
        elif name in _BY_IDENTIFIER:
            found = await directory.find_person(*parse_token(value))
            meant.add(found.id if found else None)
        elif name == "_id":
            keys = (parse_logical_id(part) for part in value.split(","))
            meant |= {key and key[0] for key in keys}
    if not meant and own is None:
        raise Problem(
            400,
            "required",
            N_("The search names no patient."),
            place="patient",
            remedy=N_("Search with patient or patient.identifier."),
        )
    return (meant or {own}).pop() if len(meant) <= 1 else None


def _key(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None

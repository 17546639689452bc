"""The tables of the directory and their rows."""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

import msgspec

from esante.core.storage import Kind, Row, Table
from esante.identity.directory.model import Identifier, Organization, Person, Practitioner, Role
from esante.identity.directory.rules import normalize_name

_NAMES = {"id": "uuid", "family": "text", "given": "jsonb"}


def _identifiers(holder: str) -> Table:
    columns = {f"{holder}_id": "uuid", "system": "text", "value": "text"}
    return Table(f"{holder}_identifier", Kind.REFERENCE, columns)


PERSON = Table(
    "person",
    Kind.REFERENCE,
    _NAMES
    | {
        "family_key": "text",
        "given_key": "text",
        "birth_date": "date",
        "sex": "text",
        "address": "jsonb",
        "languages": "jsonb",
        "deceased_at": "timestamptz",
    },
)
PERSON_IDENTIFIER = _identifiers("person")
ORGANIZATION = Table(
    "organization",
    Kind.REFERENCE,
    {"id": "uuid", "name": "text", "name_key": "text", "kind": "text", "address": "jsonb"},
)
ORGANIZATION_IDENTIFIER = _identifiers("organization")
PRACTITIONER = Table(
    "practitioner",
    Kind.REFERENCE,
    _NAMES
    | {
        "name_key": "text",
        "title": "text",
        "profession": "text",
        "specialities": "jsonb",
        "languages": "jsonb",
    },
)
PRACTITIONER_IDENTIFIER = _identifiers("practitioner")
ROLE = Table(
    "practitioner_role",
    Kind.REFERENCE,
    {
        "id": "uuid",
        "practitioner_id": "uuid",
        "organization_id": "uuid",
        "profession": "text",
        "specialities": "jsonb",
        "since": "date",
        "until": "date",
    },
)


def person_rows(person: Person) -> list[Row]:
    """Return the rows of a new person."""
    row = (
        person.id,
        person.family,
        _json(person.given),
        normalize_name(person.family),
        normalize_name(" ".join(person.given)),
        person.birth_date,
        person.sex,
        _json(person.address),
        _json(person.languages),
        person.deceased_at,
    )
    return [(PERSON, row), *identifier_rows(PERSON_IDENTIFIER, person.id, person.identifiers)]


def organization_rows(organization: Organization) -> list[Row]:
    """Return the rows of a new organisation."""
    row = (
        organization.id,
        organization.name,
        normalize_name(organization.name),
        organization.kind,
        _json(organization.address),
    )
    identifiers = identifier_rows(ORGANIZATION_IDENTIFIER, organization.id, organization.identifiers)
    return [(ORGANIZATION, row), *identifiers]


def practitioner_rows(practitioner: Practitioner) -> list[Row]:
    """Return the rows of a new practitioner and their roles."""
    row = (
        practitioner.id,
        practitioner.family,
        _json(practitioner.given),
        normalize_name(" ".join((practitioner.family, *practitioner.given))),
        practitioner.title,
        practitioner.profession,
        _json(practitioner.specialities),
        _json(practitioner.languages),
    )
    identifiers = identifier_rows(PRACTITIONER_IDENTIFIER, practitioner.id, practitioner.identifiers)
    return [(PRACTITIONER, row), *identifiers, *(role_row(practitioner.id, role) for role in practitioner.roles)]


def identifier_rows(table: Table, holder: UUID, identifiers: Iterable[Identifier]) -> list[Row]:
    """Return the rows of a holder's identifiers."""
    return [(table, (holder, identifier.system, identifier.value)) for identifier in identifiers]


def role_row(practitioner_id: UUID, role: Role) -> Row:
    """Return the row of a role."""
    organization, specialities = role.organization_id, _json(role.specialities)
    return ROLE, (role.id, practitioner_id, organization, role.profession, specialities, role.since, role.until)


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()

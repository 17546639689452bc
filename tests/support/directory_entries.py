"""Entries of the directory for tests; every call gives other ids and identifiers."""

from dataclasses import replace
from datetime import date

from esante.core.storage import uuid7
from esante.identity.directory import (
    Address,
    Identifier,
    Organization,
    Person,
    Practitioner,
    Role,
    catalogue,
    matricule,
)

MATRICULE = catalogue().system("matricule").uri
EHEALTH_ID = catalogue().system("ehealth_id").uri
PROVIDER_CODE = catalogue().system("provider_code").uri
MRN = "http://hospital.example/mrn"

_serial = iter(range(1_000_000_000))


def a_person(**changes):
    birth_date = changes.get("birth_date", date(1980, 4, 9))
    number = next(_serial)
    person = Person(
        id=uuid7(),
        identifiers=(Identifier(MATRICULE, matricule(birth_date, number % 1000)), Identifier(MRN, f"M-{number}")),
        family="Muster",
        given=("Élise", "Anne"),
        birth_date=birth_date,
        sex="female",
        address=Address("1, rue du Test", "1234", "Lëtzebuerg"),
        languages=("lb", "fr"),
    )
    return replace(person, **changes)


def an_organization(**changes):
    organization = Organization(
        id=uuid7(),
        identifiers=(Identifier(PROVIDER_CODE, f"7{next(_serial):07}"),),
        name="Hôpital du Nord",
        kind="hospital",
        address=Address(city="Ettelbruck"),
    )
    return replace(organization, **changes)


def a_practitioner(*employers, **changes):
    practitioner = Practitioner(
        id=uuid7(),
        identifiers=(Identifier(EHEALTH_ID, f"1{next(_serial):09}"),),
        family="Weber",
        given=("Jos",),
        title="Dr",
        profession="doctor",
        specialities=("cardiology",),
        languages=("lb",),
        roles=tuple(a_role(employer) for employer in employers),
    )
    return replace(practitioner, **changes)


def a_role(employer, **changes):
    role = Role(
        id=uuid7(),
        organization_id=employer.id,
        profession="doctor",
        specialities=("cardiology",),
        since=date(2020, 1, 1),
    )
    return replace(role, **changes)

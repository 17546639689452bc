"""A small platform: a hospital, a pharmacy, doctors, and persons with open records."""

import asyncio
import time
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

import pytest

from esante.core.storage import uuid7
from esante.identity.access import Access, Requester, policy, requester_of
from esante.identity.directory import Directory, Identifier, Organization, Person, Practitioner, Role, catalogue

BASE = "https://esante.example"
MRN = "http://hospital.example/mrn"
_serial = iter(range(1_000_000))


@dataclass(frozen=True)
class House:
    """The services, and who is who."""

    access: Access
    directory: Directory
    hospital: Organization
    pharmacy: Organization
    doctor: Requester
    """Works at the hospital."""
    other_doctor: Requester
    pharmacist: Requester
    software: Requester
    """The hospital's."""
    operator: Requester

    async def patient(self, **changes) -> Requester:
        """A new person without a record."""
        person = replace(a_person(), **changes)
        await self.directory.register_person(person)
        return replace(requester_of(person), origin="192.0.2.1")

    async def open_patient(self, **changes) -> Requester:
        """A new person with an open record."""
        patient = await self.patient(**changes)
        await self.access.lifecycle.announce([patient.id], at=datetime.now(UTC) - timedelta(days=31))
        await self.access.lifecycle.open_due()
        return patient

    async def open_patient_now(self) -> Requester:
        """A new person who opened their record at once, at the moment of the clock in use."""
        patient = await self.patient()
        await self.access.lifecycle.announce([patient.id])
        await self.access.lifecycle.change(patient, "activate")
        return patient

    async def identifier(self, patient: Requester) -> str:
        """The person's identifier at the hospital."""
        person = await self.directory.person(patient.id)
        return next(found.value for found in person.identifiers if found.system == MRN)


def a_person() -> Person:
    number = next(_serial)
    return Person(
        id=uuid7(),
        identifiers=(Identifier(MRN, f"MRN-{number}"),),
        family=f"Muster{number}",
        given=("Anna",),
        birth_date=date(1970, 5, 17),
        sex="female",
    )


def an_organization(name: str, kind: str) -> Organization:
    identifier = Identifier(catalogue().system("provider_code").uri, f"{next(_serial) + 80_000_000}")
    return Organization(id=uuid7(), identifiers=(identifier,), name=name, kind=kind)


def a_practitioner(family: str, profession: str, organization_id: UUID) -> Practitioner:
    identifier = Identifier(catalogue().system("ehealth_id").uri, f"{next(_serial) + 5_000_000_000}")
    role = Role(id=uuid7(), organization_id=organization_id, profession=profession, since=date(2020, 1, 1))
    return Practitioner(
        id=uuid7(),
        identifiers=(identifier,),
        family=family,
        given=("Marc",),
        title="Dr",
        profession=profession,
        roles=(role,),
    )


def terms():
    """The terms of access in force now."""
    return policy(datetime.now(UTC).date())


async def within_one_window():
    """Wait where a window of counted attempts is about to end: a test would fall into two."""
    window = terms().attempt_window.total_seconds()
    left = window - time.time() % window
    if left < 10:
        await asyncio.sleep(left + 0.1)


@pytest.fixture(scope="module")
def directory(db, journal):
    return Directory(db, journal)


@pytest.fixture(scope="module")
def access(db, journal, directory):
    return Access(db, journal, directory, base_url=BASE)


@pytest.fixture(scope="module")
async def house(access, directory):
    hospital, pharmacy = an_organization("Hôpital du Nord", "hospital"), an_organization("Apdikt", "pharmacy")
    await directory.register_organizations([hospital, pharmacy])
    doctor = a_practitioner("Weber", "doctor", hospital.id)
    other = a_practitioner("Klein", "doctor", pharmacy.id)
    pharmacist = a_practitioner("Apel", "pharmacist", pharmacy.id)
    await directory.register_practitioners([doctor, other, pharmacist])
    return House(
        access=access,
        directory=directory,
        hospital=hospital,
        pharmacy=pharmacy,
        doctor=requester_of(doctor, hospital),
        other_doctor=requester_of(other),
        pharmacist=requester_of(pharmacist, pharmacy),
        software=requester_of(hospital),
        operator=Requester(kind="operator", id=uuid7(), name="Ops"),
    )


@pytest.fixture
def fresh(house):
    """Doctors who have made no attempt yet: the limits of one test do not reach into the next."""

    def renew(requester: Requester) -> Requester:
        return replace(requester, id=uuid7(), origin=f"198.51.100.{next(_serial)}")

    return renew

"""The world of fee notes: people, the use cases over a database, clients of the REST service."""

import itertools
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

import httpx
from starlette.applications import Starlette

from esante.core.storage import uuid7
from esante.core.web import HANDLERS, Sessions
from esante.identity.access import Access, Requester, requester_of
from esante.identity.directory import Directory, Identifier, Organization, Person, Practitioner, Role, matricule
from esante.services.billing.insurance.client import Insurance
from esante.services.billing.note.model import FeeNote
from esante.services.billing.note.service import Notes
from esante.services.billing.ra.api import RaEndpoints
from esante.services.billing.ra.consents import NoteConsents
from esante.services.billing.ra.sender import ReimbursementSender
from esante.services.billing.ra.service import Reimbursements
from esante.services.billing.ra.team import BillingTeam
from tests.support.directory_entries import EHEALTH_ID, MATRICULE, PROVIDER_CODE
from tests.support.fee_notes import a_line, a_note

BASE = "http://esante.test"
_SERIAL = itertools.count()


@dataclass
class BillingWorld:
    """The use cases, and requesters to act with (`people`): doctor, other, secretary, practice, cns, operator."""

    db: object
    journal: object
    directory: Directory
    access: Access
    notes: Notes
    consents: NoteConsents
    ra: Reimbursements
    team: BillingTeam
    people: dict[str, Requester] = field(default_factory=dict)
    entries: dict[str, Practitioner] = field(default_factory=dict)

    async def person(self, **changes) -> Person:
        """Register a person with a matricule of their own."""
        number = next(_SERIAL)
        birth_date = changes.get("birth_date", date(1940, 1, 1) + timedelta(days=number // 1_000))
        person = Person(
            id=uuid7(),
            identifiers=(Identifier(MATRICULE, matricule(birth_date, number % 1_000)),),
            family=f"Weber{number}",
            given=("Anna",),
            birth_date=birth_date,
            sex="female",
        )
        return await self.directory.register_person(replace(person, **changes))

    async def practitioner(self, family: str, at: Organization | None = None, profession: str = "doctor"):
        """Register a practitioner with an eHealth number and a provider code."""
        number = next(_SERIAL)
        identifiers = (
            Identifier(EHEALTH_ID, f"5{number:09}"),
            Identifier(PROVIDER_CODE, f"9{number:07}"),
        )
        roles = (Role(id=uuid7(), organization_id=at.id, profession=profession, since=date(2020, 1, 1)),) if at else ()
        return await self.directory.register_practitioner(
            Practitioner(
                id=uuid7(),
                identifiers=identifiers,
                family=family,
                given=("Marc",),
                title="Dr",
                profession=profession,
                roles=roles,
            )
        )

    async def organization(self, kind: str, name: str) -> Organization:
        """Register an organisation with a provider code."""
        code = Identifier(PROVIDER_CODE, f"8{next(_SERIAL):07}")
        return await self.directory.register_organization(
            Organization(id=uuid7(), identifiers=(code,), name=name, kind=kind)
        )

    def note(self, person: Person, *lines, biller: str = "doctor", **changes) -> FeeNote:
        """Return a note of a biller for a person."""
        code = next(one.value for one in self.entries[biller].identifiers if one.system == PROVIDER_CODE)
        return a_note(*(lines or (a_line(),)), matricule=ssn(person), code=code, **changes)

    def ehealth_id(self, name: str = "doctor") -> str:
        """Return the eHealth number of a practitioner."""
        return next(one.value for one in self.entries[name].identifiers if one.system == EHEALTH_ID)

    def sender(self, insurance: Insurance, question_pause: timedelta = timedelta(0)) -> ReimbursementSender:
        """Return the sender of messages over an insurance."""
        return ReimbursementSender(
            self.db, self.journal, self.notes, self.ra, self.consents, insurance, question_pause
        )

    def app(self) -> Starlette:
        """Return the REST service as an application."""
        endpoints = RaEndpoints(self.access, self.directory, self.notes, self.ra, self.consents, self.team)
        app = Starlette(routes=endpoints.routes(), exception_handlers=HANDLERS)
        app.state.sessions = Sessions(self.db)
        return app

    @asynccontextmanager
    async def client(self, requester: Requester | str | Person, scopes: str = ""):
        """Yield an HTTP client of a requester, with a token of these scopes (by default: all of Claim)."""
        if isinstance(requester, str):
            requester = self.people[requester]
        elif isinstance(requester, Person):
            requester = requester_of(requester)
        level = {"organization": "system", "patient": "patient"}.get(requester.kind, "user")
        wanted = frozenset((scopes or f"{level}/Claim.cruds").split())
        token = await self.access.issue_token(requester, wanted, timedelta(hours=1))
        transport = httpx.ASGITransport(self.app(), raise_app_exceptions=False)
        headers = {"Authorization": f"Bearer {token}", "Accept-Language": "en"}
        async with httpx.AsyncClient(transport=transport, base_url=f"{BASE}/ra/v1", headers=headers) as client:
            yield client

    async def events(self, person: Person | UUID, *types):
        """Return the events of a person of some types, oldest first."""
        person_id = person if isinstance(person, UUID) else person.id
        entries = await self.journal.entries_of(person_id, types, limit=1_000)
        return [entry.event for entry in reversed(entries)]


def ssn(person: Person) -> str:
    """Return the matricule of a person."""
    return next(one.value for one in person.identifiers if one.system == MATRICULE)


async def open_billing_world(db, journal, objects) -> BillingWorld:
    """Return the use cases over a database, with a practice, two doctors, a secretary and the insurance."""
    await journal.ensure_months(datetime.now(UTC) - timedelta(days=80), datetime.now(UTC))
    directory = Directory(db, journal)
    access = Access(db, journal, directory, base_url=BASE)
    notes, consents = Notes(db, objects, journal, directory), NoteConsents(db, journal)
    ra = Reimbursements(db, journal, directory, notes, consents)
    world = BillingWorld(db, journal, directory, access, notes, consents, ra, BillingTeam(directory))
    practice = await world.organization("practice", "Cabinet du Test")
    cns = await world.organization("health_insurance", "Caisse du Test")
    elsewhere = await world.organization("practice", "Autre cabinet")
    for name, place, profession in (
        ("doctor", practice, "doctor"),
        ("other", elsewhere, "doctor"),
        ("secretary", practice, "admin"),
    ):
        entry = await world.practitioner(name.title(), place, profession)
        world.entries[name] = entry
        world.people[name] = requester_of(entry, place)
    world.people |= {
        "practice": requester_of(practice),
        "elsewhere": requester_of(elsewhere),
        "cns": requester_of(cns),
        "operator": Requester(kind="operator", id=uuid7(), name="Operator"),
    }
    return world

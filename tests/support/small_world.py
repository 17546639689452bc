"""A small world of persons, organisations and doctors, for tests that need a data folder of their own."""

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from uuid import UUID

from esante.app import open_platform
from esante.contract import Platform
from esante.core.storage import uuid7
from esante.identity.access import Access, Requester, requester_of
from esante.identity.directory import Directory, Identifier, Organization, Person, Practitioner, Role
from esante.settings import Settings

LOCAL_SYSTEM = "urn:example:e2e"
SCOPE_LEVELS = {"patient": "patient", "practitioner": "user", "organization": "system", "operator": "user"}


@dataclass
class SmallWorld:
    """The holders of accounts by name; `tokens` (bearer tokens) and `cookies` (portal sessions) have the same keys."""

    data: Path
    persons: list[Person] = field(default_factory=list)
    holders: dict[str, Requester] = field(default_factory=dict)
    tokens: dict[str, str] = field(default_factory=dict)
    cookies: dict[str, str] = field(default_factory=dict)

    def bearer(self, name: str) -> dict[str, str]:
        """Return the authorization header of a holder."""
        return {"Authorization": f"Bearer {self.tokens[name]}"}


@contextlib.asynccontextmanager
async def open_test_platform(data: Path, **settings: object) -> AsyncIterator[Platform]:
    """Open the platform over a data folder, in this process."""
    async with open_platform(Settings(data=data, demo=True, **settings)) as platform:  # type: ignore[arg-type]
        yield platform


async def build_small_world(data: Path, persons: int = 2, **settings: object) -> SmallWorld:
    """Build persons with open records, a hospital, a laboratory and two doctors, each with a token and a session."""
    world = SmallWorld(data)
    async with open_test_platform(data, **settings) as platform:
        await platform.journal.ensure_months(datetime.now(UTC) - timedelta(days=70), datetime.now(UTC))
        hospital = await _organization(platform, "hospital", "Hôpital du Nord")
        laboratory = await _organization(platform, "laboratory", "Labo Kirchberg")
        doctor = await register_practitioner(platform, "Muller")
        surgeon = await register_practitioner(platform, "Kieffer", hospital)
        for number in range(persons):
            world.persons.append(await _person(platform, number))
        await open_records(platform, [person.id for person in world.persons])
        world.holders = {
            "hospital": requester_of(hospital),
            "laboratory": requester_of(laboratory),
            "doctor": requester_of(doctor),
            "surgeon": requester_of(surgeon, hospital),
            "patient": requester_of(world.persons[0]),
            "operator": Requester(kind="operator", id=uuid7(), name="Olga Operator"),
        }
        for name, holder in world.holders.items():
            await sign_in(platform, world, name, holder)
    return world


async def sign_in(platform: Platform, world: SmallWorld, name: str, holder: Requester) -> None:
    """Issue a bearer token and a session to a requester."""
    from esante.identity.access.authn.requesters import principal_of
    from tests.support.authentications import as_demo

    scopes = frozenset({f"{SCOPE_LEVELS[holder.kind]}/*.cruds"})
    world.tokens[name] = await platform[Access].issue_token(holder, scopes, timedelta(hours=8))
    world.cookies[name] = await platform[Access].sessions.create(principal_of(as_demo(holder)))


async def open_records(platform: Platform, persons: list[UUID]) -> None:
    """Open the records of persons whose period of objection has passed."""
    await platform[Access].lifecycle.announce(persons, at=datetime.now(UTC) - timedelta(days=31))
    await platform[Access].lifecycle.open_due()


async def _person(platform: Platform, number: int) -> Person:
    return await platform[Directory].register_person(
        Person(
            id=uuid7(),
            identifiers=(Identifier(LOCAL_SYSTEM, f"person-{number}"),),
            family=f"Weber{number}",
            given=("Anna",),
            birth_date=date(1980, 5, 17),
            sex="female",
        )
    )


async def _organization(platform: Platform, kind: str, name: str) -> Organization:
    return await platform[Directory].register_organization(
        Organization(id=uuid7(), identifiers=(Identifier(LOCAL_SYSTEM, kind),), name=name, kind=kind)
    )


async def register_practitioner(platform: Platform, family: str, at: Organization | None = None) -> Practitioner:
    """Register a doctor, with a role at an organisation if one is given."""
    role = Role(id=uuid7(), organization_id=at.id, profession="doctor", since=date(2020, 1, 1)) if at else None
    return await platform[Directory].register_practitioner(
        Practitioner(
            id=uuid7(),
            identifiers=(Identifier(LOCAL_SYSTEM, family.lower()),),
            family=family,
            given=("Marc",),
            profession="doctor",
            roles=(role,) if role else (),
        )
    )

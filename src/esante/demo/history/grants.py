"""Whom the persons of the country let see their records, and who looked: pure, from the world and a moment."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from esante.demo.model import Citizen, World
from esante.demo.population.signin_personas import PROFESSIONALS
from esante.demo.seeded_random import key, stream
from esante.identity.access import Grant, GrantKind
from esante.identity.directory import Organization, Practitioner

EMERGENCY = PROFESSIONALS[2].name
"""The doctor who has no grant at all."""

STAYS = {"kirchberg": 14, "sud": 10, "nord": 7, "radiotherapy": 4}
"""How many persons are in each hospital now, in a country of 2,000; none where the emergency doctor works."""

PRESENT = 60
"""Presence codes that were entered in the last day, in a country of 2,000."""


@dataclass(frozen=True, slots=True)
class Look:
    """A professional who looked at a person's record at a moment, by a grant."""

    citizen: Citizen
    practitioner: Practitioner
    grant: Grant
    at: datetime


def grants(world: World, now: datetime) -> list[Grant]:
    """Every grant that is in force at `now`: circles, stays, presence codes."""
    chance = stream(world.seed, "grants")
    sharing = [citizen for citizen in world.citizens if citizen.state == "open" and not citizen.person.deceased_at]
    return [
        *_circles(chance, world, sharing, now),
        *_stays(chance, world, sharing, now),
        *_present(chance, world, sharing, now),
    ]


def looks(world: World, given: list[Grant], now: datetime) -> list[Look]:
    """Readings of the last six weeks by those who had a grant, by time."""
    chance = stream(world.seed, "looks")
    persons = {citizen.person.id: citizen for citizen in world.citizens}
    doctors = {practitioner.id: practitioner for practitioner in world.practitioners}
    found = []
    for grant in given:
        citizen = persons[grant.person_id]
        if grant.holder_id not in doctors:
            continue
        for _ in range(9 if citizen.rich else chance.choices((0, 1, 2), (85, 11, 4))[0]):
            since = max(grant.since, now - timedelta(days=42))
            at = since + (now - since) * chance.random()
            found.append(Look(citizen, doctors[grant.holder_id], grant, at))
    return sorted(found, key=lambda look: look.at)


def _circles(chance: random.Random, world: World, sharing: list[Citizen], now: datetime) -> Iterator[Grant]:
    """General practitioners of many, and a few persons for every other professional."""
    taken = set()
    for citizen in sharing:
        if citizen.rich or chance.random() < (0.75 if citizen.conditions else 0.45):
            taken.add((citizen.number, citizen.gp))
            yield _circle(chance, citizen, world.practitioners[citizen.gp], now)
    for place, practitioner in enumerate(world.practitioners):
        if practitioner.name == EMERGENCY or "general_medicine" in practitioner.specialities:
            continue
        for citizen in chance.sample(sharing, min(len(sharing), chance.randint(2, 7))):
            if (citizen.number, place) not in taken:
                yield _circle(chance, citizen, practitioner, now)


def _circle(chance: random.Random, citizen: Citizen, practitioner: Practitioner, now: datetime) -> Grant:
    opened = citizen.announced_at + timedelta(days=32)
    since = opened + (now - opened) * chance.uniform(0.05, 0.97)
    return _grant(chance, citizen, GrantKind.CIRCLE, practitioner, since, None)


def _stays(chance: random.Random, world: World, sharing: list[Citizen], now: datetime) -> Iterator[Grant]:
    """Persons who are in hospital now; of those to show, the last one."""
    free = [citizen for citizen in sharing if not citizen.rich]
    chance.shuffle(free)
    shown = [citizen for citizen in sharing if citizen.rich][-1:]
    for short, count in STAYS.items():
        wanted = max(1, count * len(world.citizens) // 2_000)
        patients, free, shown = shown + free[:wanted], free[wanted:], []
        for citizen in patients:
            since = now - timedelta(hours=chance.randint(6, 120))
            yield _grant(chance, citizen, GrantKind.STAY, world.organizations[short], since, None)


def _present(chance: random.Random, world: World, sharing: list[Citizen], now: datetime) -> Iterator[Grant]:
    """Presence codes that were entered since yesterday, for 24 hours, by others than the emergency doctor."""
    doctors = [practitioner for practitioner in world.practitioners if practitioner.name != EMERGENCY]
    free = [citizen for citizen in sharing if not citizen.rich]
    for citizen in chance.sample(free, min(len(free), max(3, PRESENT * len(world.citizens) // 2_000))):
        since = now - timedelta(minutes=chance.randint(10, 1_200))
        until = since + timedelta(hours=24)
        yield _grant(chance, citizen, GrantKind.PRESENCE, chance.choice(doctors), since, until)


def _grant(
    chance: random.Random,
    citizen: Citizen,
    kind: GrantKind,
    holder: Practitioner | Organization,
    since: datetime,
    until: datetime | None,
) -> Grant:
    since = since.replace(microsecond=0)
    return Grant(
        id=key(chance, since),
        person_id=citizen.person.id,
        kind=kind,
        holder_kind="practitioner" if isinstance(holder, Practitioner) else "organization",
        holder_id=holder.id,
        holder=holder.name,
        since=since,
        until=until,
    )

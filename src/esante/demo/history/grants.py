"""The grants in force and the accesses to records: pure functions of the world and a moment."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from esante.demo.model import Citizen, World
from esante.demo.population.signin_personas import PROFESSIONALS
from esante.demo.seeded_random import draw_uuid7, random_stream
from esante.identity.access import Grant, GrantKind, policy_set
from esante.identity.directory import Organization, Practitioner

EMERGENCY_DOCTOR = PROFESSIONALS[2].name
"""The doctor without any grant."""

CURRENT_STAYS = {"kirchberg": 14, "sud": 10, "nord": 7, "radiotherapy": 4}
"""Persons in each hospital now, for 2,000 persons; none where the emergency doctor works."""

PRESENCE_CODES = 60
"""Presence codes redeemed in the last day, for 2,000 persons."""


@dataclass(frozen=True, slots=True)
class RecordReading:
    """An access of a professional to the record of a person, by a grant."""

    citizen: Citizen
    practitioner: Practitioner
    grant: Grant
    at: datetime


def draw_grants(world: World, now: datetime) -> list[Grant]:
    """Return the grants in force at `now`: circles, stays, presence codes."""
    rng = random_stream(world.seed, "grants")
    sharing = [citizen for citizen in world.citizens if citizen.state == "open" and not citizen.person.deceased_at]
    return [
        *_circles(rng, world, sharing, now),
        *_stays(rng, world, sharing, now),
        *_presence_codes(rng, world, sharing, now),
    ]


def draw_readings(world: World, grants: list[Grant], now: datetime) -> list[RecordReading]:
    """Return the accesses of the last six weeks by holders of `grants`, by time."""
    rng = random_stream(world.seed, "looks")
    persons = {citizen.person.id: citizen for citizen in world.citizens}
    doctors = {practitioner.id: practitioner for practitioner in world.practitioners}
    readings = []
    for grant in grants:
        citizen = persons[grant.person_id]
        if grant.holder_id not in doctors:
            continue
        for _ in range(9 if citizen.showcase else rng.choices((0, 1, 2), (85, 11, 4))[0]):
            since = max(grant.since, now - timedelta(days=42))
            at = since + (now - since) * rng.random()
            readings.append(RecordReading(citizen, doctors[grant.holder_id], grant, at))
    return sorted(readings, key=lambda reading: reading.at)


def _circles(rng: random.Random, world: World, sharing: list[Citizen], now: datetime) -> Iterator[Grant]:
    """Yield circles: many with the general practitioner, and a few persons for every other professional."""
    taken = set()
    for citizen in sharing:
        if citizen.showcase or rng.random() < (0.75 if citizen.conditions else 0.45):
            taken.add((citizen.number, citizen.gp_index))
            yield _circle(rng, citizen, world.practitioners[citizen.gp_index], now)
    for place, practitioner in enumerate(world.practitioners):
        if practitioner.name == EMERGENCY_DOCTOR or "general_medicine" in practitioner.specialities:
            continue
        for citizen in rng.sample(sharing, min(len(sharing), rng.randint(2, 7))):
            if (citizen.number, place) not in taken:
                yield _circle(rng, citizen, practitioner, now)


def _circle(rng: random.Random, citizen: Citizen, practitioner: Practitioner, now: datetime) -> Grant:
    opened = citizen.announced_at + timedelta(days=32)
    since = opened + (now - opened) * rng.uniform(0.05, 0.97)
    return _grant(rng, citizen, GrantKind.CIRCLE, practitioner, since, None)


def _stays(rng: random.Random, world: World, sharing: list[Citizen], now: datetime) -> Iterator[Grant]:
    """Yield the stays of persons who are in hospital now; one of them is the last patient persona."""
    free = [citizen for citizen in sharing if not citizen.showcase]
    rng.shuffle(free)
    personas = [citizen for citizen in sharing if citizen.showcase][-1:]
    for short, count in CURRENT_STAYS.items():
        number = max(1, count * len(world.citizens) // 2_000)
        patients, free, personas = personas + free[:number], free[number:], []
        for citizen in patients:
            since = now - timedelta(hours=rng.randint(6, 120))
            yield _grant(rng, citizen, GrantKind.STAY, world.organizations[short], since, None)


def _presence_codes(rng: random.Random, world: World, sharing: list[Citizen], now: datetime) -> Iterator[Grant]:
    """Yield grants by presence codes of the last day, for 24 hours, to others than the emergency doctor."""
    doctors = [practitioner for practitioner in world.practitioners if practitioner.name != EMERGENCY_DOCTOR]
    free = [citizen for citizen in sharing if not citizen.showcase]
    for citizen in rng.sample(free, min(len(free), max(3, PRESENCE_CODES * len(world.citizens) // 2_000))):
        since = now - timedelta(minutes=rng.randint(10, 1_200))
        until = since + timedelta(hours=24)
        yield _grant(rng, citizen, GrantKind.PRESENCE, rng.choice(doctors), since, until)


def _grant(
    rng: random.Random,
    citizen: Citizen,
    kind: GrantKind,
    holder: Practitioner | Organization,
    since: datetime,
    until: datetime | None,
) -> Grant:
    since = since.replace(microsecond=0)
    context = policy_set().at(since).context_of_kind(kind)
    ceiling = context.ceiling(since) if context else None
    return Grant(
        id=draw_uuid7(rng, since),
        person_id=citizen.person.id,
        kind=kind,
        context=context.key if context else "",
        holder_kind="practitioner" if isinstance(holder, Practitioner) else "organization",
        holder_id=holder.id,
        holder=holder.name,
        since=since,
        until=until or ceiling,
    )

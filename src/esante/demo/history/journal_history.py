"""Three years of invented use, written straight into the journal, so that there is something to count.

Its persons, professionals and organisations are in no directory and have no record: only entries of the journal
speak of them, each with the origin "synthetic". How much happens on a day follows a trend, the season, the day of
the week and two steps of policy; the same seed gives the same past.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import accumulate
from random import Random
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from esante.core.journal import Actor, Event
from esante.identity.access import (
    BlockChanged,
    EmergencyDeclared,
    Granted,
    LogRead,
    SignedIn,
    StateChanged,
)
from esante.identity.directory import PractitionerRegistered
from esante.services.record import ConfidentialitySet, DepositedEvent, Listed, Read, Refused

ORIGIN = "synthetic"
_ZONE = ZoneInfo("Europe/Luxembourg")
PERSONS, ACCOUNTS = 4_000, 700
"""Persons with an open record, and with an account, when the past begins."""
_WEEK = (1.25, 1.15, 1.05, 1.15, 1.1, 0.55, 0.4)
_SEASON = (1.12, 1.1, 1.05, 1.0, 0.98, 0.97, 0.85, 0.78, 1.0, 1.05, 1.08, 0.95)
_HOURS = tuple(accumulate((1, 1, 1, 1, 1, 2, 6, 20, 45, 60, 62, 55, 35, 45, 60, 58, 50, 40, 25, 15, 10, 7, 4, 2)))
LETTERS, CAMPAIGN = 14, 22
"""Months after which hospitals send their letters by themselves, and patients are told of their accounts."""
_PROFESSIONS = {"doctor": 140, "nurse": 45, "pharmacist": 40, "physiotherapist": 16, "midwife": 4, "dentist": 9}
_PLACES = {"hospital": 5, "laboratory": 4, "practice": 60, "pharmacy": 25, "imaging": 3}
_DOCUMENTS: Sequence[tuple[str, str, str, str, float]] = (
    ("laboratory_report", "11502-2", "laboratory", "application/fhir+json", 40),
    ("laboratory_report", "11502-2", "laboratory", "application/pdf", 14),
    ("imaging_report", "18748-4", "imaging", "application/pdf", 12),
    ("discharge_letter", "18842-5", "hospital", "application/pdf", 9),
    ("consultation_report", "11488-4", "doctor", "application/pdf", 11),
    ("prescription", "57833-6", "doctor", "application/fhir+json", 8),
    ("letter", "51852-2", "doctor", "text/plain", 4),
    ("vaccination_history", "11369-6", "nurse", "application/fhir+json", 1.5),
    ("patient_summary", "60591-5", "doctor", "application/fhir+json", 1.5),
    ("operation_report", "11504-8", "hospital", "application/pdf", 2),
    ("advance_directive", "42348-3", "doctor", "application/pdf", 0.12),
)
Told = tuple[Event, UUID | None, Actor, datetime]


@dataclass(frozen=True, slots=True)
class _Day:
    """A day of the past: how many months have gone by, and how busy it is (1: an ordinary day at the beginning)."""

    start: datetime
    month: int
    busy: float


class Past:
    """The past of one seed, month by month up to the day before `now`, which has its last whole day.

    `size` 1: a country with about 4,000 events a month.
    """

    def __init__(self, seed: int, now: datetime, months: int, size: float = 1.0) -> None:
        self._chance = Random(f"past {seed}")  # noqa: S311 - invented history, no secret
        self._now, self._months, self._size = now.astimezone(_ZONE), months, size
        self._persons = [self._key() for _ in range(round(PERSONS * size))]
        self._accounts = self._persons[: round(ACCOUNTS * size)]
        self._people = [
            self._actor("practitioner", kind) for kind, count in _PROFESSIONS.items() for _ in range(count)
        ]
        self._places = [self._actor("organization", kind) for kind, count in _PLACES.items() for _ in range(count)]
        self._by_role: dict[str, list[Actor]] = {}
        for actor in (*self._people, *self._places):
            self._by_role.setdefault(actor.role, []).append(actor)

    def months(self) -> Iterator[list[Told]]:
        """What happened, month after month, each in the order of time; the first holds what was there before."""
        first = self._now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
        starts = [_back(first, self._months - place) for place in range(self._months + 1)]
        yield sorted(self._beginning(_back(starts[0], 1)), key=_time)
        for month, start in enumerate(starts):
            end = min(_back(start, -1), self._now.replace(hour=0, minute=0, second=0, microsecond=0))
            told: list[Told] = []
            day = start
            while day < end:
                busy = self._size * (1 + 0.022 * month) * _SEASON[day.month - 1] * _WEEK[day.weekday()]
                told += self._day(_Day(day, month, busy))
                day = (day + timedelta(hours=36)).replace(hour=0)
            if told:
                yield sorted(told, key=_time)

    def _beginning(self, start: datetime) -> Iterator[Told]:
        """The records, accounts and professionals that were there already."""
        for place, person in enumerate(self._persons):
            at = start + timedelta(days=place % 27, hours=9, seconds=place // 27)
            yield StateChanged(before="announced", after="open"), person, _SYSTEM, at
        for place, person in enumerate(self._accounts):
            yield SignedIn(method="eid"), person, _patient(person), start + timedelta(days=place % 27, hours=18)
        for actor in self._people:
            told = PractitionerRegistered(practitioner_id=_id(actor), profession=actor.role)
            yield told, None, _SYSTEM, start + timedelta(days=2, hours=9)

    def _day(self, day: _Day) -> Iterator[Told]:
        letters = 1.9 if day.month >= LETTERS else 1.0
        campaign = 1.7 if day.month >= CAMPAIGN else 1.0
        weights = list(accumulate(w * (letters if role == "hospital" else 1) for _, _, role, _, w in _DOCUMENTS))
        acts: Sequence[tuple[float, Callable[[datetime], Told]]] = (
            (0.36 * weights[-1], lambda at: self._deposit(at, weights)),
            (22.0, lambda at: self._look(Read, at)),
            (9.0, lambda at: self._look(Listed, at)),
            (6.0 * campaign, self._own_reading),
            (8.0 * campaign, self._sign_in),
            (3.0, self._grant),
            (1.1 * campaign, self._log_read),
            (0.5, self._refusal),
            (0.35, self._restriction),
            (0.09, self._emergency),
            (1.3, self._opening),
            (0.06, self._closing),
            (0.05, self._objection),
            (0.18, self._registration),
            (0.05, self._block),
        )
        for usual, act in acts:
            for _ in range(self._poisson(usual * day.busy)):
                yield act(self._moment(day))

    def _deposit(self, at: datetime, weights: Sequence[float]) -> Told:
        category, type_, role, media_type, _ = self._chance.choices(_DOCUMENTS, cum_weights=weights)[0]
        delay = int(self._chance.expovariate(0.5 if role in ("laboratory", "imaging") else 0.18))
        about = self._about(category, "provides")
        size = self._chance.randrange(2_000, 90_000)
        told = DepositedEvent(type=type_, media_type=media_type, size=size, delay=delay, **about)
        return told, self._person(), self._one(self._by_role[role]), at

    def _look(self, told: type[Read | Listed], at: datetime) -> Told:
        category = self._chance.choice(_DOCUMENTS)[0]
        grant = self._chance.choice(("presence_code", "circle", "institution_stay"))
        return told(grant_kind=grant, **self._about(category, grant)), self._person(), self._one(self._people), at

    def _own_reading(self, at: datetime) -> Told:
        person = self._account()
        about = self._about(self._chance.choice(_DOCUMENTS)[0], "own") | {"purpose": "PATRQT"}
        return Read(**about), person, _patient(person), at

    def _sign_in(self, at: datetime) -> Told:
        if self._chance.random() < 0.04:
            self._accounts.append(self._person())
        person = self._account()
        return SignedIn(method="eid"), person, _patient(person), at

    def _grant(self, at: datetime) -> Told:
        kind = self._chance.choices(("presence_code", "circle", "institution_stay"), (6, 2, 2))[0]
        holder = self._one(self._people)
        told = Granted(
            grant_id=self._key(), kind=kind, holder_kind=holder.kind, holder_id=_id(holder), holder="synthetic"
        )
        return told, self._person(), holder, at

    def _log_read(self, at: datetime) -> Told:
        person = self._account()
        return LogRead(face="page"), person, _patient(person), at

    def _refusal(self, at: datetime) -> Told:
        reason = self._chance.choices(("no-grant", "profession", "blocked", "opted-out"), (8, 3, 1, 0.4))[0]
        about = self._about(self._chance.choice(_DOCUMENTS)[0], reason) | {"allowed": False}
        return Refused(action="read", **about), self._person(), self._one(self._people), at

    def _restriction(self, at: datetime) -> Told:
        person = self._account()
        level = self._chance.choices(("restricted", "hidden", "normal"), (5, 3, 1))[0]
        about = self._about(self._chance.choice(_DOCUMENTS)[0], "own")
        return ConfidentialitySet(level=level, **about), person, _patient(person), at

    def _emergency(self, at: datetime) -> Told:
        told = EmergencyDeclared(justification="synthetic", purpose="ETREAT", rule="emergency", reason="emergency")
        return told, self._person(), self._one(self._by_role["doctor"]), at

    def _opening(self, at: datetime) -> Told:
        person = self._key()
        self._persons.append(person)
        return StateChanged(before="announced", after="open"), person, _SYSTEM, at

    def _closing(self, at: datetime) -> Told:
        person = self._persons.pop(self._chance.randrange(len(self._persons)))
        return StateChanged(before="open", after="closed"), person, _patient(person), at

    def _objection(self, at: datetime) -> Told:
        person = self._key()
        return StateChanged(before="announced", after="objected"), person, _patient(person), at

    def _registration(self, at: datetime) -> Told:
        actor = self._actor("practitioner", self._chance.choice(list(_PROFESSIONS)))
        self._people.append(actor)
        self._by_role[actor.role].append(actor)
        return PractitionerRegistered(practitioner_id=_id(actor), profession=actor.role), None, _SYSTEM, at

    def _block(self, at: datetime) -> Told:
        person, blocked = self._account(), self._one(self._people)
        told = BlockChanged(subject_kind="practitioner", subject_id=_id(blocked), subject="synthetic", blocked=True)
        return told, person, _patient(person), at

    def _about(self, category: str, reason: str) -> dict[str, Any]:
        return {"rule": "synthetic", "reason": reason, "categories": (category,), "documents": (self._key(),)}

    def _actor(self, kind: str, role: str) -> Actor:
        own = self._key()
        place = own if kind == "organization" else self._key()
        return Actor(kind=kind, id=own, name=ORIGIN, role=role, organization_id=place, organization=ORIGIN)

    def _person(self) -> UUID:
        return self._chance.choice(self._persons)

    def _account(self) -> UUID:
        return self._chance.choice(self._accounts)

    def _one(self, actors: Sequence[Actor]) -> Actor:
        """One of them; the first ones are the busiest."""
        return actors[int(len(actors) * self._chance.random() ** 1.6)]

    def _key(self) -> UUID:
        return UUID(int=self._chance.getrandbits(128), version=4)

    def _moment(self, day: _Day) -> datetime:
        hour = self._chance.choices(range(24), cum_weights=_HOURS)[0]
        return day.start.replace(hour=hour) + timedelta(microseconds=self._chance.randrange(3_600_000_000))

    def _poisson(self, mean: float) -> int:
        """A Poisson number, near the normal one where the mean is large."""
        if mean > 30:
            return max(0, round(self._chance.gauss(mean, mean**0.5)))
        count, left = -1, mean
        while left >= 0:
            left -= self._chance.expovariate(1.0)
            count += 1
        return count


_SYSTEM = Actor(kind="system", name="synthetic")


def _patient(person: UUID) -> Actor:
    return Actor(kind="patient", id=person, name="synthetic")


def _id(actor: Actor) -> UUID:
    if actor.id is None:
        raise ValueError("an actor of the past has a key")
    return actor.id


def _time(told: Told) -> datetime:
    return told[3].astimezone(UTC)


def _back(month: datetime, count: int) -> datetime:
    """The first moment of the month that many months before."""
    place = month.year * 12 + month.month - 1 - count
    return month.replace(year=place // 12, month=place % 12 + 1, day=1)

"""Years of invented use, written directly into the journal as data for the statistics.

Its persons, professionals and organisations are in no directory and have no record: they occur only in entries of the
journal, each with the origin "synthetic". The number of events on a day follows a trend, the season, the day of the
week and two changes of policy; the same seed gives the same history.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import accumulate
from random import Random
from uuid import UUID

from esante.core.journal import Actor, Event
from esante.core.time_zone import time_zone
from esante.core.types import Json
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
INITIAL_PERSONS, INITIAL_ACCOUNTS = 4_000, 700
"""Persons with an open record, and with an account, when the history begins."""
_WEEKDAY_FACTORS = (1.25, 1.15, 1.05, 1.15, 1.1, 0.55, 0.4)
_MONTH_FACTORS = (1.12, 1.1, 1.05, 1.0, 0.98, 0.97, 0.85, 0.78, 1.0, 1.05, 1.08, 0.95)
_HOUR_WEIGHTS = tuple(
    accumulate((1, 1, 1, 1, 1, 2, 6, 20, 45, 60, 62, 55, 35, 45, 60, 58, 50, 40, 25, 15, 10, 7, 4, 2))
)
AUTOMATIC_LETTERS_MONTH, CAMPAIGN_MONTH = 14, 22
"""Months after which hospitals deposit discharge letters automatically, and a campaign promotes accounts."""
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
    ("advance_directive", "42348-3", "patient", "application/pdf", 0.12),
)
HistoricalEvent = tuple[Event, UUID | None, Actor, datetime]
"""An event, the person it concerns, its actor, and when it happened."""


@dataclass(frozen=True, slots=True)
class _Day:
    """A day: the number of months since the beginning, and its activity (1: an ordinary day at the beginning)."""

    start: datetime
    month: int
    activity: float


class JournalHistory:
    """The history of one seed, month by month, up to and including the day before `now`.

    `size` 1: a country with about 4,000 events a month.
    """

    def __init__(self, seed: int, now: datetime, months: int, size: float = 1.0) -> None:
        self._rng = Random(f"past {seed}")  # noqa: S311 - synthetic data, no secrets
        self._now, self._months, self._size = now.astimezone(time_zone()), months, size
        self._persons = [self._draw_uuid() for _ in range(round(INITIAL_PERSONS * size))]
        self._accounts = self._persons[: round(INITIAL_ACCOUNTS * size)]
        self._practitioners = [
            self._actor("practitioner", kind) for kind, count in _PROFESSIONS.items() for _ in range(count)
        ]
        self._organizations = [
            self._actor("organization", kind) for kind, count in _PLACES.items() for _ in range(count)
        ]
        self._by_role: dict[str, list[Actor]] = {}
        for actor in (*self._practitioners, *self._organizations):
            self._by_role.setdefault(actor.role, []).append(actor)

    def months(self) -> Iterator[list[HistoricalEvent]]:
        """Yield the events of each month by time; the first list is the state before the first month."""
        first = self._now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
        starts = [_months_before(first, self._months - place) for place in range(self._months + 1)]
        yield sorted(self._initial_state(_months_before(starts[0], 1)), key=_time)
        for month, start in enumerate(starts):
            end = min(_months_before(start, -1), self._now.replace(hour=0, minute=0, second=0, microsecond=0))
            events: list[HistoricalEvent] = []
            day = start
            while day < end:
                activity = (
                    self._size * (1 + 0.022 * month) * _MONTH_FACTORS[day.month - 1] * _WEEKDAY_FACTORS[day.weekday()]
                )
                events += self._day(_Day(day, month, activity))
                day = (day + timedelta(hours=36)).replace(hour=0)
            if events:
                yield sorted(events, key=_time)

    def _initial_state(self, start: datetime) -> Iterator[HistoricalEvent]:
        """Yield the records, accounts and professionals at the beginning."""
        for place, person in enumerate(self._persons):
            at = start + timedelta(days=place % 27, hours=9, seconds=place // 27)
            yield StateChanged(before="announced", after="open"), person, _SYSTEM, at
        for place, person in enumerate(self._accounts):
            yield SignedIn(method="eid"), person, _patient(person), start + timedelta(days=place % 27, hours=18)
        for actor in self._practitioners:
            event = PractitionerRegistered(practitioner_id=_actor_id(actor), profession=actor.role)
            yield event, None, _SYSTEM, start + timedelta(days=2, hours=9)

    def _day(self, day: _Day) -> Iterator[HistoricalEvent]:
        letters = 1.9 if day.month >= AUTOMATIC_LETTERS_MONTH else 1.0
        campaign = 1.7 if day.month >= CAMPAIGN_MONTH else 1.0
        weights = list(accumulate(w * (letters if role == "hospital" else 1) for _, _, role, _, w in _DOCUMENTS))
        acts: Sequence[tuple[float, Callable[[datetime], HistoricalEvent]]] = (
            (0.36 * weights[-1], lambda at: self._deposit(at, weights)),
            (22.0, lambda at: self._access(Read, at)),
            (9.0, lambda at: self._access(Listed, at)),
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
            for _ in range(self._draw_poisson(usual * day.activity)):
                yield act(self._draw_moment(day))

    def _deposit(self, at: datetime, weights: Sequence[float]) -> HistoricalEvent:
        category, type_, role, media_type, _ = self._rng.choices(_DOCUMENTS, cum_weights=weights)[0]
        delay = int(self._rng.expovariate(0.5 if role in ("laboratory", "imaging") else 0.18))
        fields = self._audit_fields(category, "provides")
        size = self._rng.randrange(2_000, 90_000)
        event = DepositedEvent(type=type_, media_type=media_type, size=size, delay=delay, **fields)
        person = self._draw_person()
        return event, person, self._pick_actor(self._by_role[role]) if role in self._by_role else _patient(person), at

    def _access(self, type_: type[Read | Listed], at: datetime) -> HistoricalEvent:
        category = self._rng.choice(_DOCUMENTS)[0]
        grant = self._rng.choice(("presence_code", "circle", "institution_stay"))
        return (
            type_(grant_kind=grant, **self._audit_fields(category, grant)),
            self._draw_person(),
            self._pick_actor(self._practitioners),
            at,
        )

    def _own_reading(self, at: datetime) -> HistoricalEvent:
        person = self._draw_account()
        fields = self._audit_fields(self._rng.choice(_DOCUMENTS)[0], "own") | {"purpose": "PATRQT"}
        return Read(**fields), person, _patient(person), at

    def _sign_in(self, at: datetime) -> HistoricalEvent:
        if self._rng.random() < 0.04:
            self._accounts.append(self._draw_person())
        person = self._draw_account()
        return SignedIn(method="eid"), person, _patient(person), at

    def _grant(self, at: datetime) -> HistoricalEvent:
        kind = self._rng.choices(("presence_code", "circle", "institution_stay"), (6, 2, 2))[0]
        holder = self._pick_actor(self._practitioners)
        event = Granted(
            grant_id=self._draw_uuid(),
            kind=kind,
            holder_kind=holder.kind,
            holder_id=_actor_id(holder),
            holder="synthetic",
        )
        return event, self._draw_person(), holder, at

    def _log_read(self, at: datetime) -> HistoricalEvent:
        person = self._draw_account()
        return LogRead(face="page"), person, _patient(person), at

    def _refusal(self, at: datetime) -> HistoricalEvent:
        reason = self._rng.choices(("no-grant", "profession", "blocked", "opted-out"), (8, 3, 1, 0.4))[0]
        fields = self._audit_fields(self._rng.choice(_DOCUMENTS)[0], reason) | {"allowed": False}
        return Refused(action="read", **fields), self._draw_person(), self._pick_actor(self._practitioners), at

    def _restriction(self, at: datetime) -> HistoricalEvent:
        person = self._draw_account()
        level = self._rng.choices(("restricted", "hidden", "normal"), (5, 3, 1))[0]
        fields = self._audit_fields(self._rng.choice(_DOCUMENTS)[0], "own")
        return ConfidentialitySet(level=level, **fields), person, _patient(person), at

    def _emergency(self, at: datetime) -> HistoricalEvent:
        event = EmergencyDeclared(justification="synthetic", purpose="ETREAT", rule="emergency", reason="emergency")
        return event, self._draw_person(), self._pick_actor(self._by_role["doctor"]), at

    def _opening(self, at: datetime) -> HistoricalEvent:
        person = self._draw_uuid()
        self._persons.append(person)
        return StateChanged(before="announced", after="open"), person, _SYSTEM, at

    def _closing(self, at: datetime) -> HistoricalEvent:
        person = self._persons.pop(self._rng.randrange(len(self._persons)))
        return StateChanged(before="open", after="closed"), person, _patient(person), at

    def _objection(self, at: datetime) -> HistoricalEvent:
        person = self._draw_uuid()
        return StateChanged(before="announced", after="objected"), person, _patient(person), at

    def _registration(self, at: datetime) -> HistoricalEvent:
        actor = self._actor("practitioner", self._rng.choice(list(_PROFESSIONS)))
        self._practitioners.append(actor)
        self._by_role[actor.role].append(actor)
        return PractitionerRegistered(practitioner_id=_actor_id(actor), profession=actor.role), None, _SYSTEM, at

    def _block(self, at: datetime) -> HistoricalEvent:
        person, blocked = self._draw_account(), self._pick_actor(self._practitioners)
        event = BlockChanged(
            subject_kind="practitioner", subject_id=_actor_id(blocked), subject="synthetic", blocked=True
        )
        return event, person, _patient(person), at

    def _audit_fields(self, category: str, reason: str) -> Json:
        return {"rule": "synthetic", "reason": reason, "categories": (category,), "documents": (self._draw_uuid(),)}

    def _actor(self, kind: str, role: str) -> Actor:
        id_ = self._draw_uuid()
        place = id_ if kind == "organization" else self._draw_uuid()
        return Actor(kind=kind, id=id_, name=ORIGIN, role=role, organization_id=place, organization=ORIGIN)

    def _draw_person(self) -> UUID:
        return self._rng.choice(self._persons)

    def _draw_account(self) -> UUID:
        return self._rng.choice(self._accounts)

    def _pick_actor(self, actors: Sequence[Actor]) -> Actor:
        """Return one of the actors; the first ones act most often."""
        return actors[int(len(actors) * self._rng.random() ** 1.6)]

    def _draw_uuid(self) -> UUID:
        return UUID(int=self._rng.getrandbits(128), version=4)

    def _draw_moment(self, day: _Day) -> datetime:
        hour = self._rng.choices(range(24), cum_weights=_HOUR_WEIGHTS)[0]
        return day.start.replace(hour=hour) + timedelta(microseconds=self._rng.randrange(3_600_000_000))

    def _draw_poisson(self, mean: float) -> int:
        """Return a Poisson-distributed number; for a mean over 30 by the normal approximation."""
        if mean > 30:
            return max(0, round(self._rng.gauss(mean, mean**0.5)))
        count, left = -1, mean
        while left >= 0:
            left -= self._rng.expovariate(1.0)
            count += 1
        return count


_SYSTEM = Actor(kind="system", name="synthetic")


def _patient(person: UUID) -> Actor:
    return Actor(kind="patient", id=person, name="synthetic")


def _actor_id(actor: Actor) -> UUID:
    if actor.id is None:
        raise ValueError("an actor of the history has no id")
    return actor.id


def _time(event: HistoricalEvent) -> datetime:
    return event[3].astimezone(UTC)


def _months_before(month: datetime, count: int) -> datetime:
    """Return the first moment of the month that many months before."""
    place = month.year * 12 + month.month - 1 - count
    return month.replace(year=place // 12, month=place % 12 + 1, day=1)

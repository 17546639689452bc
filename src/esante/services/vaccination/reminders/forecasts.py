"""The forecast of every person, made again when a dose, the calendar or an age changes something.

A consumer of the journal knows whose record is open; the compilation of a card marks who has changed; a task makes
what is to be made, of a few persons in this process and of many by a pool of processes.
"""

import asyncio
from collections.abc import Sequence
from datetime import date, timedelta
from typing import NamedTuple
from uuid import UUID

from esante.core import clock
from esante.core.disclosure import StatisticsKey
from esante.core.journal import Consumer, Entry, Journal
from esante.core.storage import Connection, Database, insert
from esante.core.time_zone import day_of, today
from esante.core.types import Progress
from esante.identity.access import RecordState, StateChanged
from esante.identity.directory import Directory, Person, PersonDeceased, PersonUpdated, canton_of
from esante.services.vaccination import forecast
from esante.services.vaccination.card.advice import COUNTRY
from esante.services.vaccination.forecast import Observation, Patient, RuleSet, advise, load_rules
from esante.services.vaccination.forecast.population import AdvicePool
from esante.services.vaccination.products.catalogue import Age
from esante.services.vaccination.reminders import forecast_store, reminder_store
from esante.services.vaccination.reminders.forecast_store import Made, Stale
from esante.services.vaccination.reminders.model import ReminderSettled, Standing
from esante.services.vaccination.reminders.standings import (
    KeptDose,
    engine_doses,
    forecast_of,
    refresh_day,
    standings,
    with_given,
)
from esante.services.vaccination.reminders.terms import reminder_terms

LEASE = timedelta(minutes=10)
"""For how long a process has the persons that it took."""
FEW, TAKEN, MANY = 100, 5_000, 20_000
"""Persons taken at once in this process, by the pool, and in a trial of a calendar."""
POOLED = 1_000
"""From so many persons on, a pool of processes is worth its start."""
_KEPT_AT_ONCE = 2_500
Record = tuple[Patient, list[forecast.Dose]]


class ForecastInput(NamedTuple):
    """What the forecast of a person is made of: by all doses, and by the public ones where that differs."""

    stale: Stale
    person: Person
    doses: list[KeptDose]
    patient: Patient
    public: Patient | None


class Batch(NamedTuple):
    """Persons whose forecast is made together; `taken`: whoever was taken, `rules`: the name of the calendar."""

    inputs: list[ForecastInput]
    taken: list[UUID]
    rules: str
    day: date

    def records(self) -> list[Record]:
        """Return what the engine gets: everybody by all their doses, then some by the public ones."""
        public = [engine_record(one, public=True) for one in self.inputs if one.public]
        return [engine_record(one, public=False) for one in self.inputs] + public


class Forecasts:
    """The kept forecasts of all persons."""

    def __init__(self, db: Database, journal: Journal, directory: Directory, key: StatisticsKey) -> None:
        self._db, self._journal, self._directory, self._key = db, journal, directory, key

    @property
    def consumer(self) -> Consumer:
        """The consumer of the journal that knows whose forecasts are made, and who has changed."""
        return Consumer("vaccination.forecast", [StateChanged, PersonUpdated, PersonDeceased], self._note)

    async def _note(self, conn: Connection, entries: list[Entry]) -> None:
        is_open = {
            entry.person_id: entry.event.after == RecordState.OPEN.value
            for entry in entries
            if isinstance(entry.event, StateChanged)
        }
        await forecast_store.add(conn, [key for key, value in is_open.items() if value])
        if gone := [key for key, value in is_open.items() if not value]:
            await forecast_store.remove(conn, gone)
        await forecast_store.mark_stale(conn, [one.person_id for one in entries if one.person_id not in is_open])

    async def count(self) -> tuple[int, int]:
        """Return how many forecasts there are, and how many of them are to be made again."""
        return await forecast_store.count(self._db, rules_in_force().name, today())

    async def own(self, person_id: UUID) -> list[Standing]:
        """Return how a person stands, as they themselves see it."""
        return await forecast_store.fetch_own(self._db, person_id)

    async def run(self, progress: Progress = lambda done, total, step: None) -> list[UUID]:
        """Make all forecasts that are to be made; return whose were made one after the other, without the pool."""
        if (waiting := (await self.count())[1]) >= POOLED:
            await self._run_pooled(waiting, progress)
        made: list[UUID] = []
        while batch := await self.advance():
            made += batch
        return made

    async def advance(self) -> list[UUID]:
        """Make some forecasts in this process; return whose were taken, nobody's when none is to be made."""
        batch = await self._take(FEW)
        found = await asyncio.to_thread(_advise, batch.records(), batch.day)
        await self._keep_all(batch, found)
        return batch.taken

    async def _run_pooled(self, waiting: int, progress: Progress) -> None:
        """Make forecasts by a pool of processes, which work on some persons while those before are kept."""
        done = 0
        with AdvicePool(today(), rules_in_force, standings) as pool:
            batch = await self._take(TAKEN)
            futures = pool.submit_all(batch.records())
            while batch.taken:
                following = await self._take(TAKEN)
                next_futures = pool.submit_all(following.records())
                found = [one for future in futures for one in await asyncio.wrap_future(future)]
                await self._keep_all(batch, found)
                done += len(batch.taken)
                progress(done, max(done, waiting), "forecasts")
                batch, futures = following, next_futures

    async def _take(self, limit: int) -> "Batch":
        """Take persons whose forecast is to be made, with what it is made of; remove that of persons not there."""
        rules, day, now = rules_in_force(), today(), clock.now()
        taken = await forecast_store.take(self._db, rules.name, day, now, now + LEASE, limit)
        inputs = await self.inputs(taken, day) if taken else []
        known = {one.stale.person_id for one in inputs}
        if gone := [one.person_id for one in taken if one.person_id not in known]:
            async with self._db.transaction() as conn:
                await forecast_store.remove(conn, gone)
        return Batch(inputs, [one.person_id for one in taken], rules.name, day)

    async def _keep_all(self, batch: "Batch", found: Sequence[tuple[Standing, ...]]) -> None:
        """Keep the forecasts of a batch; `found`: of its records."""
        others = iter(found[len(batch.inputs) :])
        made = [
            self._made(one, own, next(others) if one.public else None, batch.day)
            for one, own in zip(batch.inputs, found, strict=False)
        ]
        for start in range(0, len(made), _KEPT_AT_ONCE):
            await self._keep(made[start : start + _KEPT_AT_ONCE], batch.rules, batch.day)

    async def _keep(self, made: Sequence[Made], rules: str, day: date) -> None:
        """Keep forecasts, and settle the reminders of doses that are not due any more."""
        until = day + timedelta(days=reminder_terms(day).lead_days)
        async with self._db.transaction() as conn:
            await forecast_store.keep(conn, made, rules)
            keys = [one.stale.person_id for one in made]
            for person_id in await reminder_store.settle(conn, keys, until, clock.now()):
                await insert(conn, self._journal.rows(ReminderSettled(), person_id=person_id))

    async def inputs(self, taken: Sequence[Stale], day: date) -> list[ForecastInput]:
        """Return what the forecasts are made of, without persons who died or are not there."""
        keys = [one.person_id for one in taken]
        persons = await self._directory.persons(keys)
        doses = await forecast_store.fetch_doses(self._db, keys)
        observed = await forecast_store.fetch_observations(self._db, keys)
        found = []
        for one in taken:
            person = persons.get(one.person_id)
            if person is None or person.deceased_at is not None or person.birth_date > day:
                continue
            own = doses.get(person.id, [])
            seen = observed.get(person.id, [])
            is_public = all(dose.public for dose in own) and all(public for _, public in seen)
            public = None if is_public else _patient(person, [each for each, shown in seen if shown])
            found.append(ForecastInput(one, person, own, _patient(person, [each for each, _ in seen]), public))
        return found

    def _made(
        self, one: ForecastInput, own: tuple[Standing, ...], others: tuple[Standing, ...] | None, day: date
    ) -> Made:
        made = forecast_of(own, one.doses, one.patient, day)
        public = None if others is None else with_given(others, [dose for dose in one.doses if dose.public])
        is_young = day < Age(reminder_terms(day).without_doses_until_years, "y").on(one.person.birth_date)
        return Made(
            stale=one.stale,
            all=made.standings,
            public=public,
            refresh_on=min(made.refresh_on, refresh_day(public or (), one.patient, day)),
            reachable=bool(one.doses) or is_young,
            birth_year=one.person.birth_date.year,
            canton=canton_of(one.person.address),
            unit_key=self._key.pseudonym_of(str(one.person.id)),
        )


def rules_in_force() -> RuleSet:
    """Return the calendar in force today."""
    return load_rules(COUNTRY, on=today())


def _patient(person: Person, observations: Sequence[Observation]) -> Patient:
    return Patient(
        birth_date=person.birth_date,
        gender=person.sex if person.sex in ("male", "female") else "unknown",
        observations=tuple(observations),
        death_date=day_of(person.deceased_at) if person.deceased_at else None,
    )


def engine_record(one: ForecastInput, *, public: bool = False) -> Record:
    """Return what the engine gets: all doses of a person, or the public ones."""
    patient = one.public if public and one.public else one.patient
    return patient, [*engine_doses(dose for dose in one.doses if dose.public or not public)]


def _advise(records: list[Record], day: date) -> list[tuple[Standing, ...]]:
    """Return the standings of persons; `given` in them is 0."""
    rules = load_rules(COUNTRY, on=day)
    return [standings(advise(patient, doses, day, rules)) for patient, doses in records]

"""What changes when a new calendar is loaded: who becomes due and who no longer is, counted in the background."""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import partial
from uuid import UUID

import orjson

from esante.core import clock
from esante.core.disclosure import StatisticsKey, noise, rule_on
from esante.core.journal import Event, Journal, event
from esante.core.storage import Database, Unavailable, insert, uuid7
from esante.core.time_zone import today
from esante.core.web import N_, Page, Problem, bad_request, decode_uuid_cursor, encode_cursor
from esante.identity.access import Requester, require_operator
from esante.services.vaccination.coverage import trial_store
from esante.services.vaccination.coverage.trial_store import Trial
from esante.services.vaccination.forecast import Advice, RulesError, RuleSet, advise
from esante.services.vaccination.forecast.population import advise_all
from esante.services.vaccination.forecast.rules import parse_calendar
from esante.services.vaccination.reminders import forecast_store
from esante.services.vaccination.reminders.forecasts import (
    MANY,
    POOLED,
    ForecastInput,
    Forecasts,
    Record,
    engine_record,
    rules_in_force,
)
from esante.services.vaccination.reminders.standings import standings

log = logging.getLogger(__name__)
LEASE = timedelta(minutes=15)
FILES = frozenset({"calendar.toml", "vaccines.toml"})
"""The files that every calendar has."""
MAX_FILES, MAX_TEXT = 30, 900_000
"""Files of a calendar, and characters of all of them."""
COHORT = 10
"""Years of birth that are counted together."""
Counts = dict[str, list[int]]
"""For an antigen and the first year of a cohort ("tetanus 1980"): persons who become due, the sum of their keys,
persons who no longer are, and the sum of theirs."""


@event("vaccination.calendar_tried")
class CalendarTried(Event, frozen=True, kw_only=True):
    """An operator asked what a new calendar would change."""

    trial_id: UUID
    name: str


@dataclass(frozen=True, slots=True)
class Change:
    """How many persons of a cohort (`first_year` and the years after) change; None: too few to be shown."""

    antigen: str
    first_year: int
    becomes_due: int | None
    no_longer_due: int | None


class CalendarTrials:
    """Trials of new calendars, for operators."""

    def __init__(self, db: Database, journal: Journal, forecasts: Forecasts, key: StatisticsKey) -> None:
        self._db, self._journal, self._forecasts, self._key = db, journal, forecasts, key

    async def ask(self, requester: Requester, texts: Mapping[str, str]) -> UUID:
        """Ask what a calendar would change; return the key of the trial. `texts`: its files by their names.

        Raises: `Problem` 403 for others than operators, 400 for texts that are no calendar (with file and row), 409
        while another trial runs.
        """
        require_operator(requester)
        if not set(texts) >= FILES or len(texts) > MAX_FILES or sum(map(len, texts.values())) > MAX_TEXT:
            raise bad_request("files", N_("Choose all files of the calendar."), detail=" ".join(sorted(FILES)))
        try:
            rules = await asyncio.to_thread(parse_calendar, "new", texts)
        except (RulesError, RecursionError) as error:
            raise bad_request(
                "files", N_("This is no vaccination calendar."), detail=str(error)[:500], code="value"
            ) from error
        trial_id, (total, _) = uuid7(), await self._forecasts.count()
        row = (
            trial_store.TRIAL,
            (trial_id, orjson.dumps(dict(texts)).decode(), rules.name, clock.now(), requester.name, total),
        )
        event = CalendarTried(trial_id=trial_id, name=rules.name)
        async with self._db.transaction() as conn:
            if await trial_store.count_open(conn):
                raise Problem(409, "conflict", N_("Another calendar is being tried. Wait until it is done."))
            await insert(conn, [row, *self._journal.rows_for(requester, event)])
        return trial_id

    async def page(self, requester: Requester, cursor: str | None = None, limit: int = 10) -> Page[Trial]:
        """Return a page of trials, the newest first. Raises: `Problem` 403, 400."""
        require_operator(requester)
        found = await trial_store.fetch_trials(self._db, decode_uuid_cursor(cursor), limit + 1)
        return Page(found[:limit], encode_cursor(found[limit - 1].id) if len(found) > limit else None)

    def changes(self, trial: Trial) -> list[Change]:
        """Return the protected result of a trial, by antigen and cohort."""
        rule, found = rule_on(trial.asked_at.date()), []
        for name, (due, due_key, gone, gone_key) in sorted(_counts(trial.result).items()):
            antigen, _, year = name.partition(" ")
            shown = [
                None if 0 < count < rule.threshold else count + noise(count, key, rule, self._key)
                for count, key in ((due, due_key), (gone, gone_key))
            ]
            found.append(Change(antigen, int(year), *shown))
        return found

    async def run(self) -> None:
        """Work on the trials that have not ended."""
        while await self.advance():
            pass

    async def advance(self) -> bool:
        """Work on some persons of the oldest trial; False when there is none."""
        now = clock.now()
        trial = await trial_store.take(self._db, now, now + LEASE)
        if trial is None:
            return False
        try:
            await self._step(trial)
        except Unavailable:
            raise
        except Exception as error:
            log.exception("the trial of a calendar failed")
            await trial_store.fail(self._db, trial, type(error).__name__)
        return True

    async def _step(self, trial: Trial) -> None:
        persons = await forecast_store.fetch_after(self._db, trial.after, MANY)
        inputs = await self._forecasts.inputs(persons, today())
        before, after = await asyncio.to_thread(_compare, [engine_record(one) for one in inputs], trial, today())
        counts = _counts(trial.result)
        for one, old, new in zip(inputs, before, after, strict=True):
            self._add(counts, one, old, new)
        last = persons[-1].person_id if len(persons) == MANY else None
        result = {name: [due, str(key), gone, str(other)] for name, (due, key, gone, other) in counts.items()}
        await trial_store.advance(self._db, trial, trial.done + len(persons), last, orjson.dumps(result).decode())

    def _add(self, counts: Counts, one: ForecastInput, old: frozenset[str], new: frozenset[str]) -> None:
        """Add a person to the counts."""
        cohort = one.person.birth_date.year // COHORT * COHORT
        key = self._key.pseudonym_of(str(one.person.id))
        for place, antigens in ((0, new - old), (2, old - new)):
            for antigen in antigens:
                cell = counts.setdefault(f"{antigen} {cohort}", [0, 0, 0, 0])
                cell[place] += 1
                cell[place + 1] += key


def due_antigens(advice: Advice) -> frozenset[str]:
    """Return the antigens against which a dose is due on the day of an advice."""
    return frozenset(one.antigen for one in standings(advice) if one.is_due(advice.on))


def _compare(
    records: Sequence[Record], trial: Trial, day: date
) -> tuple[Sequence[frozenset[str]], Sequence[frozenset[str]]]:
    """Return what is due to each person by the calendar in force, and by the new one."""
    new = partial(parse_calendar, "new", orjson.loads(trial.texts))
    return _due(records, rules_in_force, day), _due(records, new, day)


def _due(records: Sequence[Record], load: Callable[[], RuleSet], day: date) -> list[frozenset[str]]:
    if len(records) >= POOLED:
        return [*advise_all(records, len(records), day, load, due_antigens)]
    rules = load()
    return [due_antigens(advise(patient, doses, day, rules)) for patient, doses in records]


def _counts(text: str) -> Counts:
    return {name: [int(value) for value in values] for name, values in orjson.loads(text or "{}").items()}

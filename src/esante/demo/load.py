"""Loading of the synthetic country into an empty platform, step by step, through the services' public interfaces.

A finished step is recorded, so an interrupted load goes on where it stopped, and a second load does nothing. Services
declare further steps (`esante.contract.DemoStep`); those in the background run beside the server.
"""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from multiprocessing import get_context

from esante.contract import DemoCountry, DemoStep, Platform
from esante.core import clock
from esante.core.journal import SYSTEM, advance
from esante.core.storage import NIL, Row, insert
from esante.core.types import Progress
from esante.demo import store
from esante.demo.demo_clients import practice_software, register_hospital_software, register_practice_software
from esante.demo.history.grants import draw_grants, draw_readings
from esante.demo.history.journal_history import ORIGIN, JournalHistory
from esante.demo.history.record_history import RecordHistory
from esante.demo.model import Citizen, World
from esante.demo.population.world import PERSONS, SEED, build_world
from esante.demo.rendered_documents import RenderedDocument, render_range
from esante.identity.access import Access, requester_of
from esante.identity.directory import Directory, Person

CHUNK = 50
"""Persons whose documents are made and kept at a time: about 500 documents in a transaction."""
AHEAD = 4
"""Chunks that are made before the one that is being kept."""
ALONE = 200
"""Up to so many persons no further process is worth its start."""


class AnotherCountry(RuntimeError):
    """The database holds a country of another seed or size."""


async def load(
    platform: Platform,
    *,
    persons: int = PERSONS,
    seed: int = SEED,
    history: int = 0,
    progress: Progress = lambda *_: None,
) -> None:
    """Load the country of `seed` as it is today; does nothing where it is loaded already.

    `history`: so many months of invented use of the platform, for the bulletin (`past`).
    Raises: `AnotherCountry` when another one is in the database, or persons who are not of the demo: a database that
    is marked as the demo's is served to anyone.
    """
    now = clock.now()
    known = await store.find_world(platform.db)
    if known is None:
        if await store.holds_persons(platform.db):
            raise AnotherCountry("the database holds records that are not of the demo: choose another --data")
        known = seed, persons, now.date()
        await platform.db.write([store.step_row("world", seed=seed, persons=persons, day=now.date().isoformat())])
    if known[:2] != (seed, persons):
        raise AnotherCountry(
            f"the database holds another country (seed {known[0]}, {known[1]} persons):"
            " ask for that one, or choose another --data"
        )
    country = build_world(known[2], seed=seed, persons=persons)
    await _Loader(platform, country, now, progress).run(history)


class _Loader:
    """The steps of one load."""

    def __init__(self, platform: Platform, country: World, now: datetime, progress: Progress) -> None:
        self._p, self._world, self._now, self._progress = platform, country, now, progress
        self._history = RecordHistory(platform, country, now)
        self._done: set[str] = set()

    async def run(self, history: int) -> None:
        """Every step that is not done yet."""
        self._done = await store.fetch_done_steps(self._p.db)
        if history:
            await self._past(history)
        await self._step("people", self._people)
        await self._step("records", self._records)
        await self._documents()
        await self._step("trust", self._trust)
        await self._step("choices", self._choices)
        await self._step("software", self._software)
        await self._step("journal", self._journal)
        country = _for_services(self._world, self._now, history)
        for step in self._p.declared("demo"):
            if not step.background:
                await self._step(step.name, partial(self._declared, step, country))

    async def _declared(self, step: DemoStep, country: DemoCountry) -> Sequence[Row]:
        await step.load(self._p, country, self._progress)
        return ()

    async def _step(self, name: str, work: Callable[[], Awaitable[Sequence[Row]]]) -> None:
        """Do a step and record it with its last rows; the work may be repeated after an interruption."""
        if name not in self._done:
            await self._keep([*await work(), store.step_row(name)])

    async def _keep(self, rows: Iterable[Row]) -> None:
        async with self._p.db.transaction() as conn:
            await insert(conn, rows)

    async def _past(self, months: int) -> None:
        """Load the use of the platform in the months before, straight into the journal, month by month."""
        journal = self._p.journal
        await journal.ensure_months(self._now - timedelta(days=31 * (months + 2)), self._now)
        for place, entries in enumerate(JournalHistory(self._world.seed, self._now, months).months()):
            if f"past/{place}" not in self._done:
                rows = [
                    row
                    for event, person, actor, at in entries
                    for row in journal.rows(event, person_id=person or NIL, actor=actor, origin=ORIGIN, at=at)
                ]
                await journal.sealer.load_history([*rows, store.step_row(f"past/{place}", events=len(entries))])
            self._progress(place, months + 1, "past")

    async def _people(self) -> Sequence[Row]:
        """Fill the directory: organisations, professionals, persons (as living; deaths follow later)."""
        directory = self._p[Directory]
        first = min(citizen.announced_at for citizen in self._world.citizens)
        await self._p.journal.ensure_months(first - timedelta(days=7), self._now)
        organizations = list(self._world.organizations.values())
        if not await directory.organization(organizations[0].id):
            await directory.register_organizations(organizations)
        if not await directory.practitioner(self._world.practitioners[0].id):
            await directory.register_practitioners(self._world.practitioners)
        for letter, citizens in _by_letter(self._world.citizens):
            if not await directory.person(citizens[0].person.id):
                living = [replace(citizen.person, deceased_at=None) for citizen in citizens]
                await directory.register_persons(living, at=letter - timedelta(days=2))
            self._progress(citizens[-1].number, len(self._world.citizens), "people")
        return ()

    async def _records(self) -> Sequence[Row]:
        """Announce, object to, open and close the records, letter by letter."""
        lifecycle, done = self._p[Access].lifecycle, 0
        for letter, citizens in _by_letter(self._world.citizens):
            sent = [citizen for citizen in citizens if citizen.state != "none"]
            await lifecycle.announce([citizen.person.id for citizen in sent], at=letter)
            await self._change(sent, "objected", "object")
            if letter + timedelta(days=31) < self._now:
                await lifecycle.open_due(at=letter + timedelta(days=31))
            done += len(citizens)
            self._progress(done, len(self._world.citizens), "records")
        await self._change(self._world.citizens, "closed", "close")
        return ()

    async def _change(self, citizens: Sequence[Citizen], state: str, act: str) -> None:
        for citizen in citizens:
            if citizen.state == state:
                await self._p[Access].lifecycle.change(requester_of(citizen.person), act, at=citizen.ended_at)

    async def _documents(self) -> None:
        """Load the documents, made in two processes and inserted here, chunk by chunk."""
        count = len(self._world.citizens)
        starts = [start for start in range(0, count, CHUNK) if f"documents/{start}" not in self._done]
        with _executor(count) as executor:
            waiting = [self._made(executor, range(start, min(start + CHUNK, count))) for start in starts[:AHEAD]]
            for place, start in enumerate(starts):
                if place + AHEAD < len(starts):
                    following = starts[place + AHEAD]
                    waiting.append(self._made(executor, range(following, min(following + CHUNK, count))))
                made = await waiting.pop(0)
                rows = [row for rendered in made for row in self._history.deposit_rows(rendered)]
                await self._keep([*rows, store.step_row(f"documents/{start}", documents=len(made))])
                self._progress(min(start + CHUNK, count), count, "documents")

    def _made(self, executor: Executor, numbers: range) -> asyncio.Future[list[RenderedDocument]]:
        loop, known = asyncio.get_running_loop(), self._world
        arguments = (known.seed, len(known.citizens), known.day, numbers.start, numbers.stop)
        return loop.run_in_executor(executor, render_range, *arguments)

    async def _trust(self) -> Sequence[Row]:
        """Grants that are in force, and who looked in the last weeks."""
        given = draw_grants(self._world, self._now)
        looked = draw_readings(self._world, given, self._now)
        rows = [row for grant in given for row in self._history.grant_rows(grant)]
        known: dict[int, list[RenderedDocument]] = {}
        for look in looked:
            number = look.citizen.number
            if number not in known:
                arguments = (self._world.seed, len(self._world.citizens), self._world.day, number, number + 1)
                known[number] = await asyncio.to_thread(render_range, *arguments)
            rows += self._history.reading_rows(look, known[number])
        return rows

    async def _choices(self) -> Sequence[Row]:
        """Load deaths, blocks, refusals to share, referring doctors, and an emergency for the operator to review."""
        access, strangers = self._p[Access], [c for c in self._world.citizens if not c.showcase and c.state == "open"]
        for citizen in self._world.citizens:
            if citizen.person.deceased_at:
                await self._p[Directory].mark_deceased(citizen.person.id, citizen.person.deceased_at, actor=SYSTEM)
        living = [citizen for citizen in strangers if not citizen.person.deceased_at]
        for place, citizen in enumerate(living[:6]):
            blocked = self._world.practitioners[20 + place * 7]
            await access.restrictions.block(
                requester_of(citizen.person), "practitioner", blocked.id, risk_confirmed=True
            )
        for citizen in living[6:9]:
            await access.restrictions.set_sharing(requester_of(citizen.person), sharing=False, risk_confirmed=True)
        for citizen in self._world.citizens:
            if citizen.showcase:
                doctor, notified = self._world.practitioners[citizen.gp_index], citizen.announced_at.date()
                await self._p[Directory].referring_doctors.designate(citizen.person.id, doctor, notified, actor=SYSTEM)
        await self._emergency()
        return ()

    async def _emergency(self) -> None:
        """Let an emergency doctor of another hospital than the persona's open the record of a persona."""
        hospital = self._world.organizations["kirchberg"].id
        doctor = next(
            practitioner
            for practitioner in self._world.practitioners
            if practitioner.specialities == ("emergency_medicine",)
            and practitioner.roles[-1].organization_id == hospital
        )
        patient = [citizen for citizen in self._world.citizens if citizen.showcase][-2].person
        await self._p[Access].emergencies.declare(
            self._history.requester_for(doctor.id),
            patient.identifiers[0].value,
            patient.birth_date,
            "Admise inconsciente aux urgences, antécédents et traitement inconnus",
        )

    async def _software(self) -> Sequence[Row]:
        """Register the hospital's software, which authenticates with a key, and that of practices."""
        await register_hospital_software(self._p, self._world)
        await register_practice_software(self._p)
        return ()

    async def _journal(self) -> Sequence[Row]:
        """Seal the journal and let the consumers of access control catch up."""
        sealed = await self._p.journal.sealer.seal_all()
        for consumer in self._p[Access].consumers():
            while await advance(self._p.db, consumer):
                pass
        self._progress(1, 1, f"journal ({sealed})" if sealed else "journal")
        return ()


def _account_holders(country: World) -> list[Person]:
    """Those who use the portal: the persons to show, and every sixth of the others with an open record."""
    citizens = (one for one in country.citizens if one.state == "open" and (one.showcase or one.number % 6 == 0))
    return [citizen.person for citizen in citizens]


def _for_services(country: World, now: datetime, months: int) -> DemoCountry:
    return DemoCountry(
        seed=country.seed,
        now=now,
        persons=[citizen.person for citizen in country.citizens],
        practitioners=country.practitioners,
        organizations=country.organizations,
        account_holders=_account_holders(country),
        software=practice_software(country),
        months=months,
    )


async def load_background(platform: Platform) -> None:
    """Load the services' demonstration data that take long; what is there is left as it is.

    Raises: LookupError when no demo is loaded.
    """
    known, steps = await store.find_world(platform.db), await store.fetch_done_steps(platform.db)
    if known is None:
        raise LookupError("there is no demo in this database; run: esante demo")
    months = sum(step.startswith("past/") for step in steps)
    country = _for_services(build_world(known[2], seed=known[0], persons=known[1]), clock.now(), months)
    for step in platform.declared("demo"):
        if step.background:
            await step.load(platform, country, lambda *_: None)


def _by_letter(citizens: Sequence[Citizen]) -> list[tuple[datetime, list[Citizen]]]:
    """Return the citizens by the day of their letter, oldest first."""
    found: defaultdict[datetime, list[Citizen]] = defaultdict(list)
    for citizen in citizens:
        found[citizen.announced_at].append(citizen)
    return sorted(found.items(), key=lambda entry: entry[0])


def _executor(persons: int) -> Executor:
    if persons <= ALONE:
        return ThreadPoolExecutor(1)
    return ProcessPoolExecutor(2, mp_context=get_context("spawn"))

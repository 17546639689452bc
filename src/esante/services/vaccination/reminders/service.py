"""The use cases of reminders: remind who is due, let a person choose, list the patients of a professional."""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import NamedTuple
from uuid import UUID

from esante.core import clock
from esante.core.journal import Journal
from esante.core.storage import Connection, Database, Row, insert
from esante.core.time_zone import today
from esante.core.web import N_, Page, Problem, decode_offset_cursor, encode_cursor
from esante.identity.access import (
    Access,
    Action,
    Consent,
    Item,
    Purpose,
    RecordState,
    Requester,
    Verdict,
    decide,
    who_can_see,
)
from esante.identity.directory import Directory, Person
from esante.services.vaccination.card.write_rules import CATEGORY
from esante.services.vaccination.reminders import forecast_store, reminder_store
from esante.services.vaccination.reminders.model import (
    DueDose,
    DueListed,
    Reminded,
    RemindersChanged,
    RepresentativeReminded,
    due_doses,
)
from esante.services.vaccination.reminders.terms import reminder_terms

BATCH = 500
"""Persons who are reminded in one transaction."""
MAX_PATIENTS = 5_000
"""Patients of a professional that the list considers."""


class DuePatient(NamedTuple):
    """A patient with the doses that are due to them, the most pressing first."""

    person: Person
    doses: Sequence[DueDose]

    @property
    def is_overdue(self) -> bool:
        """Whether one of them is late."""
        return any(dose.overdue for dose in self.doses)


class Reminders:
    """Reminders to persons, and the lists of professionals."""

    def __init__(self, db: Database, journal: Journal, directory: Directory, access: Access) -> None:
        self._db, self._journal, self._directory, self._access = db, journal, directory, access

    async def remind(self) -> int:
        """Remind everybody who is due, of each dose once; return how many persons."""
        terms, until, count = reminder_terms(today()), _until(), 0
        while persons := await reminder_store.find_persons(self._db, until, terms.same_dose_days, BATCH):
            if not (made := await self.remind_of(persons)):
                break
            count += made
        return count

    async def remind_of(self, persons: Sequence[UUID]) -> int:
        """Remind those of some persons who are due, of each dose once; return how many."""
        terms, until, now = reminder_terms(today()), _until(), clock.now()
        async with self._db.transaction() as conn:
            due = await reminder_store.lock_due(conn, persons, until, terms.same_dose_days)
            acting = await self._representatives(conn, list(due))
            for person_id, standings in due.items():
                event = Reminded(antigens=tuple(one.antigen for one in standings))
                rows = [reminder_store.reminder_row(person_id, one, now) for one in standings]
                rows += self._journal.rows(event, person_id=person_id)
                for key in acting[person_id]:
                    rows += self._journal.rows(RepresentativeReminded(represented_id=person_id), person_id=key)
                await insert(conn, rows)
        return len(due)

    async def due(self, person_id: UUID, within: timedelta = timedelta(0)) -> list[DueDose]:
        """Return the doses that are due to a person, or will be within a time, as they themselves see them."""
        on = today()
        return due_doses(await forecast_store.fetch_own(self._db, person_id), on + within, on)

    async def is_pending(self, person_id: UUID) -> bool:
        """Return whether what is due to the person of an open record is still being worked out."""
        if not await forecast_store.fetch_pending(self._db, [person_id]):
            return False
        return (await self._access.consent(person_id)).state is RecordState.OPEN

    async def is_any_pending(self, requester: Requester) -> bool:
        """Return whether what is due to a patient of `list_due` is still being worked out."""
        return bool(await forecast_store.fetch_pending(self._db, [*await self._readable(requester)]))

    async def is_wanted(self, person_id: UUID) -> bool:
        """Return whether a person wants to be reminded."""
        return await reminder_store.is_wanted(self._db, person_id)

    async def choose(self, requester: Requester, *, wanted: bool) -> None:
        """Let a person choose whether they want to be reminded. Raises: `Problem` 403 for others than patients."""
        if requester.kind != "patient":
            raise Problem(403, "forbidden", N_("Only the person themselves can choose this."))
        async with self._db.transaction() as conn:
            if await reminder_store.set_wanted(conn, requester.id, clock.now(), wanted=wanted):
                event = RemindersChanged(wanted=wanted)
                await self._journal.append_for(requester, event, person_id=requester.id, conn=conn)

    async def list_due(
        self,
        requester: Requester,
        text: str = "",
        cursor: str | None = None,
        limit: int = 20,
        *,
        overdue: bool = False,
    ) -> Page[DuePatient]:
        """Return a page of the patients of a professional to whom something is due, the most pressing first.

        Only of records whose vaccinations the professional may read now; each person who is shown finds that in their
        access log. What is restricted counts as if it was not there. `text`: parts of the name or the birth date.
        Raises: `Problem` 400 for a cursor that is not valid.
        """
        start, on = decode_offset_cursor(cursor), today()
        readable = await self._readable(requester)
        due = await forecast_store.fetch_due_for_others(self._db, [*readable], on)
        found = {key: due_doses(standings, on, on) for key, standings in due.items()}
        if overdue:
            found = {key: doses for key, doses in found.items() if any(one.overdue for one in doses)}
        persons = await self._directory.persons(found)
        shown = [DuePatient(persons[key], doses) for key, doses in found.items() if key in persons]
        shown = sorted((one for one in shown if _has_words(one.person, text)), key=_urgency)[start : start + limit + 1]
        page = shown[:limit]
        if page:
            await self._db.write(
                [row for one in page for row in self._listed(requester, one.person.id, readable[one.person.id])]
            )
        return Page(page, encode_cursor(start + limit) if len(shown) > limit else None)

    async def _representatives(self, conn: Connection, persons: Sequence[UUID]) -> Mapping[UUID, Sequence[UUID]]:
        """Return who acts for each of some persons, may see their vaccinations and wants reminders."""
        consents = await self._access.consents(conn, persons)
        found = {key: _who_acts(consents[key]) if key in consents else [] for key in persons}
        wanted = {key for keys in found.values() for key in keys if await reminder_store.is_wanted(conn, key)}
        return {person_id: [key for key in keys if key in wanted] for person_id, keys in found.items()}

    async def _readable(self, requester: Requester) -> Mapping[UUID, Verdict]:
        """Return the persons whose vaccinations a professional may read, with the verdict on each."""
        ids = await self._access.grants.list_persons(requester, limit=MAX_PATIENTS)
        async with self._db.transaction() as conn:
            consents = await self._access.consents(conn, ids)
        verdicts = {key: _verdict(consent, requester) for key, consent in consents.items()}
        return {key: verdict for key, verdict in verdicts.items() if verdict.allowed}

    def _listed(self, requester: Requester, person_id: UUID, verdict: Verdict) -> list[Row]:
        event = DueListed(
            rule=verdict.rule,
            reason=verdict.reason,
            grant_id=verdict.grant.id if verdict.grant else None,
            grant_kind=verdict.grant.kind.value if verdict.grant else "",
            context=verdict.context,
            categories=(CATEGORY,),
        )
        return self._journal.rows_for(requester, event, person_id=person_id)


def _until() -> date:
    """Return the day up to which a dose is due of which somebody is reminded today."""
    return today() + timedelta(days=reminder_terms(today()).lead_days)


def _verdict(consent: Consent, requester: Requester) -> Verdict:
    return decide(consent, requester, Action.READ, Item(category=CATEGORY), Purpose.TREATMENT, clock.now())


def _who_acts(consent: Consent) -> list[UUID]:
    """Return who acts for a person and may see their vaccinations now."""
    seen = who_can_see(consent, {}, clock.now(), Item(category=CATEGORY))
    return sorted({one.representation.representative_id for one in seen if one.representation and one.reads})


def _urgency(one: DuePatient) -> tuple[bool, date, str, UUID]:
    return (not one.is_overdue, min(dose.due_on for dose in one.doses), one.person.name, one.person.id)


def _has_words(person: Person, text: str) -> bool:
    searched = f"{person.name} {person.birth_date.isoformat()}".casefold()
    return all(word in searched for word in text.casefold().split())

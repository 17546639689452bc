"""Referring doctors: who they are, from when, until when.

A function begins and ends on the first day of a month after the notice (`data/referring_doctor.toml`).
"""

from dataclasses import dataclass
from datetime import date
from functools import cache
from uuid import UUID

from esante.core.dated_data import in_force, packaged_text, parse_periods
from esante.core.journal import Actor, Journal
from esante.core.storage import Connection, Database, Row, insert
from esante.core.web import N_, Problem, bad_request
from esante.identity.directory.functions import function_store as store
from esante.identity.directory.functions.model import ReferringDoctor, ReferringDoctorChanged
from esante.identity.directory.model import Practitioner


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferringTerms:
    """The terms from `valid_from` on: so many months after the notice a function begins or ends, on the first day.

    `replacement_months`: how long a replacement may last at most.
    """

    valid_from: date
    legal_source: str
    verified: bool
    begins_after_months: int
    ends_after_months: int
    replacement_months: int


@cache
def _terms() -> tuple[ReferringTerms, ...]:
    text = packaged_text("esante.identity.directory", "referring_doctor.toml")
    return parse_periods(text, lambda period: ReferringTerms(**period))


def first_of_month(day: date, after: int) -> date:
    """Return the first day of the month that is so many months after the month of a day."""
    months = day.year * 12 + day.month - 1 + after
    return date(months // 12, months % 12 + 1, 1)


class ReferringDoctors:
    """Names referring doctors and ends their function; every change is journalled in its transaction."""

    def __init__(self, db: Database, journal: Journal) -> None:
        self._db, self._journal = db, journal

    async def of(self, person_id: UUID) -> list[ReferringDoctor]:
        """Return a person's referring doctors, past and future ones included, in the order of their beginning."""
        return await store.fetch_referring_doctors(self._db, [person_id])

    async def of_persons(self, conn: Connection, persons: list[UUID]) -> list[ReferringDoctor]:
        """Return the referring doctors of persons, within a transaction."""
        return await store.fetch_referring_doctors(conn, persons)

    async def designate(
        self, person_id: UUID, doctor: Practitioner, notified: date, *, actor: Actor, origin: str = ""
    ) -> ReferringDoctor:
        """Name a person's referring doctor by a notice of a day; the one before ends on the day that this one begins.

        Repeating it changes nothing.
        """
        terms = in_force(_terms(), notified)
        new = ReferringDoctor(
            person_id=person_id,
            practitioner_id=doctor.id,
            since=first_of_month(notified, terms.begins_after_months),
        )
        async with self._db.transaction() as conn:
            known = await store.fetch_referring_doctors(conn, [person_id])
            if new in known:
                return new
            for one in known:
                if one.until is None or one.until > new.since:
                    await store.set_referring_doctor_end(conn, one, new.since)
            rows = [store.referring_doctor_row(new), *self._change_rows(new, doctor, actor, origin)]
            await insert(conn, rows)
        return new

    async def replace(
        self, person_id: UUID, doctor: Practitioner, since: date, until: date, *, actor: Actor, origin: str = ""
    ) -> ReferringDoctor:
        """Let a doctor replace a person's referring doctor, who keeps the function, from a day until another.

        Raises: Problem 400 for a replacement that is longer than the terms allow, or ends before it begins.
        """
        longest = in_force(_terms(), since).replacement_months
        last = first_of_month(since, longest).replace(day=min(since.day, 28))
        if not since < until <= last:
            raise bad_request(
                "until",
                N_("A replacement cannot last this long."),
                N_("Choose an earlier day."),
                code="value",
            )
        new = ReferringDoctor(person_id=person_id, practitioner_id=doctor.id, since=since, until=until)
        await self._db.write([store.referring_doctor_row(new), *self._change_rows(new, doctor, actor, origin)])
        return new

    async def end(
        self, person_id: UUID, doctor: Practitioner, notified: date, *, actor: Actor, origin: str = ""
    ) -> date:
        """End a doctor's function by a notice of a day; return the day from which it has ended.

        Raises: Problem 404 when the doctor is not the person's referring doctor then.
        """
        until = first_of_month(notified, in_force(_terms(), notified).ends_after_months)
        async with self._db.transaction() as conn:
            for one in await store.fetch_referring_doctors(conn, [person_id]):
                if one.practitioner_id == doctor.id and (one.until is None or one.until > until):
                    await store.set_referring_doctor_end(conn, one, until)
                    ended = ReferringDoctor(
                        person_id=person_id, practitioner_id=doctor.id, since=one.since, until=until
                    )
                    await insert(conn, self._change_rows(ended, doctor, actor, origin))
                    return until
        raise Problem(404, "not-found", N_("This doctor is not the person's referring doctor."))

    def _change_rows(self, one: ReferringDoctor, doctor: Practitioner, actor: Actor, origin: str) -> list[Row]:
        event = ReferringDoctorChanged(
            practitioner_id=doctor.id, practitioner=doctor.name, since=one.since, until=one.until
        )
        return self._journal.rows(event, person_id=one.person_id, actor=actor, origin=origin)

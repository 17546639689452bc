"""The use cases of consents about fee notes: give, end, look up."""

from datetime import datetime
from uuid import UUID

import asyncpg

from esante.core import clock
from esante.core.journal import Journal
from esante.core.storage import Connection, Database, insert, uuid7
from esante.core.web import N_, NOT_FOUND, Problem, bad_request
from esante.identity.access import Requester
from esante.services.billing.ra import consent_store
from esante.services.billing.ra.model import (
    BY_PROFESSIONALS,
    ConsentType,
    NoteConsent,
    NoteConsentChanged,
    NoteConsentsRead,
)


class NoteConsents:
    """The consents of all persons about fee notes: of each type one at a time, dated, and revocable."""

    def __init__(self, db: Database, journal: Journal) -> None:
        self._db, self._journal = db, journal

    async def known(self, person_id: UUID, conn: Connection | None = None) -> list[NoteConsent]:
        """Return the latest consent of each type of a person, ended ones included, for decisions."""
        return await consent_store.fetch_consents(conn or self._db, person_id)

    async def of_person(self, requester: Requester, person_id: UUID) -> list[NoteConsent]:
        """Return a person's consents that were not ended. Raises: Problem 404 for others than the person."""
        _require(requester, person_id, None)
        return [one for one in await self.known(person_id) if one.ended_at is None]

    async def of_type(self, requester: Requester, person_id: UUID, kind: ConsentType) -> NoteConsent:
        """Return a person's consent of a type, for the person or a professional.

        Raises: Problem 404 when there is none, or the requester may not know it.
        """
        _require(requester, person_id, kind)
        if requester.kind != "patient":
            await self._journal.append_for(requester, NoteConsentsRead(type=kind.value), person_id=person_id)
        for one in await self.known(person_id):
            if one.type is kind and one.ended_at is None:
                return one
        raise Problem(404, "not-found", NOT_FOUND)

    async def give(self, requester: Requester, person_id: UUID, kind: ConsentType, until: datetime) -> NoteConsent:
        """Give a consent from now until a moment, or record that the person gave it.

        Raises: Problem 400 for an end that has passed, 302 when one is in force, 404 as `of_type`.
        """
        _require(requester, person_id, kind)
        now = clock.now()
        if until <= now:
            raise bad_request("endAt", N_("A consent ends in the future."), N_("Choose a later day."), code="value")
        new = NoteConsent(id=uuid7(), person_id=person_id, type=kind, since=now, until=until, author=requester.name)
        try:
            async with self._db.transaction() as conn:
                if any(one.type is kind and one.is_in_force(now) for one in await self.known(person_id, conn)):
                    raise _in_force()
                await consent_store.end_consent(conn, person_id, kind, now)
                event = NoteConsentChanged(type=kind.value, until=until)
                rows = self._journal.rows_for(requester, event, person_id=person_id)
                await insert(conn, [consent_store.consent_row(new), *rows])
        except asyncpg.UniqueViolationError as error:  # another request gave it at the same moment
            raise _in_force() from error
        return new

    async def end(self, requester: Requester, person_id: UUID, kind: ConsentType) -> None:
        """End a consent now. Raises: Problem 404 when there is none, or as `of_type`."""
        _require(requester, person_id, kind)
        now = clock.now()
        async with self._db.transaction() as conn:
            if not await consent_store.end_consent(conn, person_id, kind, now):
                raise Problem(404, "not-found", NOT_FOUND)
            event = NoteConsentChanged(type=kind.value, until=now, ended=True)
            await self._journal.append_for(requester, event, person_id=person_id, conn=conn)


def _require(requester: Requester, person_id: UUID, kind: ConsentType | None) -> None:
    """Raise Problem 404 for a requester who is neither the person nor, for some types, a professional."""
    if requester.kind == "patient" and requester.only_person_id == person_id:
        return
    if requester.kind == "practitioner" and requester.patient in (None, person_id) and kind in BY_PROFESSIONALS:
        return
    raise Problem(404, "not-found", NOT_FOUND)


def _in_force() -> Problem:
    return Problem(302, "duplicate", N_("There is such a consent already."))

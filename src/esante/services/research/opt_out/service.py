"""The use cases of the opt-out: opt out, opt in again, see the history; who is out at a moment."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from asyncpg import UniqueViolationError

from esante.core import clock
from esante.core.journal import Journal
from esante.core.storage import Connection, Database, insert
from esante.core.time_zone import today
from esante.core.web import N_, Problem
from esante.identity.access import Access, Requester, exercises_rights
from esante.services.research.opt_out import opt_out_store
from esante.services.research.opt_out.model import OptedIn, OptedOut, OptOut


class OptOuts:
    """The opt-outs of all persons: at any time, without reasons, reversible; every change is journalled with it.

    A record need not be open: the right is about the data, wherever they are kept (Article 71(1)).
    """

    def __init__(self, db: Database, journal: Journal, access: Access) -> None:
        self._db, self._journal, self._access = db, journal, access

    async def opted_out(self, conn: Database | Connection, at: datetime) -> frozenset[UUID]:
        """Return every person who was out at a moment, by all entries of the directory that are theirs."""
        out = await opt_out_store.fetch_opted_out(conn, at)
        return frozenset([volume for one in out for volume in await self._access.volumes(one)])

    async def opted_out_among(
        self, conn: Database | Connection, persons: Sequence[UUID], at: datetime
    ) -> frozenset[UUID]:
        """Return those of some persons who were out at a moment, by any entry of the directory that is theirs."""
        volumes = {one: frozenset(await self._access.volumes(one)) for one in persons}
        out = frozenset(await opt_out_store.fetch_opted_out_among(conn, [*frozenset().union(*volumes.values())], at))
        return frozenset(one for one, entries in volumes.items() if out & entries)

    async def history(self, requester: Requester) -> list[OptOut]:
        """Return the opt-outs of the requester's own, or of whom they act for, newest first. Raises: Problem 403."""
        volumes = await self._access.volumes(await self._person_of(requester))
        found = [one for volume in volumes for one in await opt_out_store.fetch_history(self._db, volume)]
        return sorted(found, key=lambda one: one.since, reverse=True)

    async def change(self, requester: Requester, *, out: bool) -> None:
        """Opt out or in again, from now on; to repeat it changes nothing. Raises: Problem 403."""
        person_id, now = await self._person_of(requester), clock.now()
        event = OptedOut(purpose="PATRQT") if out else OptedIn(purpose="PATRQT")
        rows = self._journal.rows_for(requester, event, person_id=person_id)
        try:
            async with self._db.transaction() as conn:
                if out:
                    opt_out = OptOut(person_id=person_id, since=now)
                    await insert(conn, [opt_out_store.opt_out_row(opt_out), *rows])
                else:
                    volumes = await self._access.volumes(person_id)
                    if any([await opt_out_store.end_open(conn, volume, now) for volume in volumes]):
                        await insert(conn, rows)
        except UniqueViolationError:
            return  # they are out already

    async def _person_of(self, requester: Requester) -> UUID:
        """Return the person whose right the requester exercises.

        Raises: Problem 403 for somebody who is no patient, and who neither exercises their own rights nor is the legal
        representative of the person for whom they act.
        """
        person_id = requester.only_person_id if requester.kind == "patient" else None
        if person_id is None:
            raise Problem(403, "forbidden", N_("Only the patient can do this."), remedy=N_("Sign in as a patient."))
        if not exercises_rights(await self._access.consent(person_id), requester.id, today()):
            raise Problem(
                403,
                "forbidden",
                N_("Your parent or guardian decides about this."),
                remedy=N_("Ask the professional who treats you, or the helpdesk."),
            )
        return person_id

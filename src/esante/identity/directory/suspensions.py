"""Suspensions: who may not use the platform now, for example a professional who was struck off."""

from collections.abc import Iterable
from uuid import UUID

from esante.core import clock
from esante.core.journal import Actor, Journal
from esante.core.storage import NIL, Database, insert
from esante.identity.directory import suspension_store as store
from esante.identity.directory.model import (
    HolderRestored,
    HolderSuspended,
    Organization,
    Person,
    Practitioner,
)

Holder = Person | Practitioner | Organization


class Suspensions:
    """Suspends and restores; every change is journalled in its transaction. Entries and what was written stay."""

    def __init__(self, db: Database, journal: Journal) -> None:
        self._db, self._journal = db, journal

    async def suspend(self, holder: Holder, reason: str, *, actor: Actor, origin: str = "") -> None:
        """Suspend somebody's use of the platform; repeating it changes nothing.

        Whoever authenticates asks `among`; what is open must be ended apart (`Access.end_sign_ins`).
        """
        kind = _kind_of(holder)
        async with self._db.transaction() as conn:
            if await store.add_suspension(conn, holder.id, kind, clock.now(), reason):
                event = HolderSuspended(holder_id=holder.id, holder_kind=kind, reason=reason)
                rows = self._journal.rows(event, person_id=_filed_under(holder), actor=actor, origin=origin)
                await insert(conn, rows)

    async def restore(self, holder: Holder, *, actor: Actor, origin: str = "") -> None:
        """Lift the suspension of somebody; without one nothing changes."""
        async with self._db.transaction() as conn:
            if await store.delete_suspension(conn, holder.id):
                event = HolderRestored(holder_id=holder.id, holder_kind=_kind_of(holder))
                rows = self._journal.rows(event, person_id=_filed_under(holder), actor=actor, origin=origin)
                await insert(conn, rows)

    async def among(self, ids: Iterable[UUID]) -> frozenset[UUID]:
        """Return those of `ids` who are suspended now."""
        return await store.fetch_suspended(self._db, list(ids))


def _kind_of(holder: Holder) -> str:
    return type(holder).__name__.lower()


def _filed_under(holder: Holder) -> UUID:
    return holder.id if isinstance(holder, Person) else NIL

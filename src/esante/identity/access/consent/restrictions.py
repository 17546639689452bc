"""Restrictions that a person lays on her whole record: blocks, and opting out of sharing.

How confidential one document is stands with the document, in the record. Source: Regulation (EU) 2025/327,
article 8.
"""

from datetime import UTC, datetime
from uuid import UUID

from esante.core.journal import Event, Journal
from esante.core.storage import Connection, Database, insert
from esante.core.web import N_, NOT_FOUND, Problem
from esante.identity.access.consent import store
from esante.identity.access.consent.lifecycle import locked_record, own_record
from esante.identity.access.consent.store import Block
from esante.identity.access.events import BlockChanged, SharingChanged
from esante.identity.access.model import Requester
from esante.identity.directory import Directory


class Restrictions:
    """Blocks and the opt-out; every change is journalled with it, doing again what is done changes nothing."""

    def __init__(self, db: Database, journal: Journal, directory: Directory) -> None:
        self._db, self._journal, self._directory = db, journal, directory

    async def blocks(self, person_id: UUID) -> list[Block]:
        """Whom a person blocked, newest first."""
        return await store.blocks(self._db, person_id)

    async def block(self, requester: Requester, subject_kind: str, subject_id: UUID) -> None:
        """The person blocks a practitioner or an organisation; Problem 404 for one who is not in the directory."""
        person_id = own_record(requester)
        name = await self._name(subject_kind, subject_id)
        async with self._db.transaction() as conn:
            await locked_record(conn, person_id)
            if any(block.subject_id == subject_id for block in await store.blocks(conn, person_id)):
                return
            row = (person_id, subject_id, subject_kind, name, datetime.now(UTC))
            await insert(conn, [(store.BLOCK, row)])
            await self._tell(conn, requester, _changed(subject_kind, subject_id, name, blocked=True))

    async def unblock(self, requester: Requester, subject_id: UUID) -> None:
        """The person lifts a block."""
        person_id = own_record(requester)
        async with self._db.transaction() as conn:
            await locked_record(conn, person_id)
            for block in await store.blocks(conn, person_id):
                if block.subject_id == subject_id:
                    await store.unblock(conn, person_id, subject_id)
                    told = _changed(block.subject_kind, subject_id, block.subject, blocked=False)
                    await self._tell(conn, requester, told)

    async def set_sharing(self, requester: Requester, sharing: bool) -> None:
        """The person opts out of sharing (False) or in again (True)."""
        person_id = own_record(requester)
        async with self._db.transaction() as conn:
            record = await locked_record(conn, person_id)
            if record.sharing is not sharing:
                await store.set_sharing(conn, person_id, sharing)
                await self._tell(conn, requester, SharingChanged(sharing=sharing))

    async def _name(self, kind: str, id_: UUID) -> str:
        find = {"practitioner": self._directory.practitioner, "organization": self._directory.organization}.get(kind)
        found = await find(id_) if find else None
        if found is None:
            raise Problem(404, "not-found", NOT_FOUND, remedy=N_("Search the directory again."))
        return found.name

    async def _tell(self, conn: Connection, requester: Requester, told: Event) -> None:
        rows = self._journal.rows(told, person_id=requester.id, actor=requester.actor, origin=requester.origin)
        await insert(conn, rows)


def _changed(kind: str, id_: UUID, name: str, *, blocked: bool) -> BlockChanged:
    return BlockChanged(subject_kind=kind, subject_id=id_, subject=name, blocked=blocked)

"""Restrictions of a whole record by its person: blocks, and opting out of sharing.

The confidentiality of a single document is stored with the document, in the record. Source: Regulation (EU) 2025/327,
article 8.
"""

from uuid import UUID

from esante.core import clock
from esante.core.journal import Journal
from esante.core.storage import Database, insert
from esante.core.web import N_, NOT_FOUND, Problem
from esante.identity.access.consent import store
from esante.identity.access.consent.lifecycle import lock_record, require_own_record
from esante.identity.access.consent.store import Block
from esante.identity.access.events import BlockChanged, SharingChanged
from esante.identity.access.model import Requester
from esante.identity.directory import Directory


class Restrictions:
    """Blocks and the opt-out. Every change is journalled in its transaction; repeating it changes nothing.

    Every change raises Problem 403 for a requester who is not a patient, and 409 when there is no record.
    """

    def __init__(self, db: Database, journal: Journal, directory: Directory) -> None:
        self._db, self._journal, self._directory = db, journal, directory

    async def list_blocks(self, person_id: UUID) -> list[Block]:
        """Return the blocks of a person, newest first."""
        return await store.fetch_blocks(self._db, person_id)

    async def block(self, requester: Requester, subject_kind: str, subject_id: UUID) -> None:
        """Block a practitioner or an organisation. Raises: Problem 404 for one that is not in the directory."""
        person_id = require_own_record(requester)
        name = await self._name_of(subject_kind, subject_id)
        async with self._db.transaction() as conn:
            await lock_record(conn, person_id)
            if any(block.subject_id == subject_id for block in await store.fetch_blocks(conn, person_id)):
                return
            row = (person_id, subject_id, subject_kind, name, clock.now())
            await insert(conn, [(store.BLOCK, row)])
            event = _block_changed(subject_kind, subject_id, name, blocked=True)
            await self._journal.append_for(requester, event, person_id=person_id, conn=conn)

    async def unblock(self, requester: Requester, subject_id: UUID) -> None:
        """Lift the block of a practitioner or an organisation."""
        person_id = require_own_record(requester)
        async with self._db.transaction() as conn:
            await lock_record(conn, person_id)
            for block in await store.fetch_blocks(conn, person_id):
                if block.subject_id == subject_id:
                    await store.delete_block(conn, person_id, subject_id)
                    event = _block_changed(block.subject_kind, subject_id, block.subject, blocked=False)
                    await self._journal.append_for(requester, event, person_id=person_id, conn=conn)

    async def set_sharing(self, requester: Requester, sharing: bool) -> None:
        """Opt the requester out of sharing (False), or in again (True)."""
        person_id = require_own_record(requester)
        async with self._db.transaction() as conn:
            record = await lock_record(conn, person_id)
            if record.sharing is not sharing:
                await store.set_sharing(conn, person_id, sharing)
                event = SharingChanged(sharing=sharing)
                await self._journal.append_for(requester, event, person_id=person_id, conn=conn)

    async def _name_of(self, kind: str, id_: UUID) -> str:
        find = {"practitioner": self._directory.practitioner, "organization": self._directory.organization}.get(kind)
        found = await find(id_) if find else None
        if found is None:
            raise Problem(404, "not-found", NOT_FOUND, remedy=N_("Search the directory again."))
        return found.name


def _block_changed(kind: str, id_: UUID, name: str, *, blocked: bool) -> BlockChanged:
    return BlockChanged(subject_kind=kind, subject_id=id_, subject=name, blocked=blocked)

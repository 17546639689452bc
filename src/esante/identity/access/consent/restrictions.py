"""Restrictions of a whole record by its person: blocks, and opting out of sharing.

The confidentiality of a single document is stored with the document, in the record. Source: Regulation (EU) 2025/327,
article 8.
"""

from uuid import UUID

from esante.core import clock
from esante.core.journal import Journal
from esante.core.storage import Database, insert
from esante.core.web import N_, NOT_FOUND, Problem
from esante.identity.access.choice_events import BlockChanged, SharingChanged
from esante.identity.access.consent import store
from esante.identity.access.consent.lifecycle import lock_record, require_acts_alone, require_own_record
from esante.identity.access.consent.store import Block
from esante.identity.access.model import Requester
from esante.identity.directory import Directory


class Restrictions:
    """Blocks and the opt-out. Every change is journalled in its transaction; repeating it changes nothing.

    `risk_confirmed`: the person was told of the risk of the choice and confirmed it, which the entry says.
    Every change raises Problem 403 for a requester who is not a patient, and 409 when there is no record.
    """

    def __init__(self, db: Database, journal: Journal, directory: Directory) -> None:
        self._db, self._journal, self._directory = db, journal, directory

    async def list_blocks(self, person_id: UUID) -> list[Block]:
        """Return the blocks of a person, newest first."""
        volumes = await self._directory.merges.volumes(person_id)
        return [block for volume in volumes for block in await store.fetch_blocks(self._db, volume)]

    async def block(
        self, requester: Requester, subject_kind: str, subject_id: UUID, *, risk_confirmed: bool = False
    ) -> None:
        """Block a practitioner or an organisation. Raises: Problem 404 for one that is not in the directory."""
        require_own_record(requester)
        name = await name_of_professional(self._directory, subject_kind, subject_id)
        async with self._db.transaction() as conn:
            person_id = await require_acts_alone(conn, requester)
            await lock_record(conn, person_id)
            if any(block.subject_id == subject_id for block in await store.fetch_blocks(conn, person_id)):
                return
            row = (person_id, subject_id, subject_kind, name, clock.now())
            await insert(conn, [(store.BLOCK, row)])
            risk = "block" if risk_confirmed else ""
            event = _block_changed(subject_kind, subject_id, name, blocked=True, risk=risk)
            await self._journal.append_for(requester, event, person_id=person_id, conn=conn)

    async def unblock(self, requester: Requester, subject_id: UUID) -> None:
        """Lift the block of a practitioner or an organisation."""
        async with self._db.transaction() as conn:
            person_id = await require_acts_alone(conn, requester)
            await lock_record(conn, person_id)
            for volume in await self._directory.merges.volumes(person_id):
                for block in await store.fetch_blocks(conn, volume):
                    if block.subject_id == subject_id:
                        await store.delete_block(conn, volume, subject_id)
                        event = _block_changed(block.subject_kind, subject_id, block.subject, blocked=False)
                        await self._journal.append_for(requester, event, person_id=volume, conn=conn)

    async def set_sharing(self, requester: Requester, sharing: bool, *, risk_confirmed: bool = False) -> None:
        """Opt the requester out of sharing (False), or in again (True)."""
        async with self._db.transaction() as conn:
            person_id = await require_acts_alone(conn, requester)
            await lock_record(conn, person_id)
            for volume in await self._directory.merges.volumes(person_id):
                record = await store.fetch_record(conn, volume, lock=True)
                if record is not None and record.sharing is not sharing:
                    await store.set_sharing(conn, volume, sharing)
                    event = SharingChanged(sharing=sharing, risk="sharing" if risk_confirmed and not sharing else "")
                    await self._journal.append_for(requester, event, person_id=volume, conn=conn)


async def name_of_professional(directory: Directory, kind: str, id_: UUID) -> str:
    """Return the name of a practitioner or an organisation (`kind`). Raises: Problem 404 for one that is unknown."""
    find = {"practitioner": directory.practitioner, "organization": directory.organization}.get(kind)
    found = await find(id_) if find else None
    if found is None:
        raise Problem(404, "not-found", NOT_FOUND, remedy=N_("Search the directory again."))
    return found.name


def _block_changed(kind: str, id_: UUID, name: str, *, blocked: bool, risk: str = "") -> BlockChanged:
    return BlockChanged(subject_kind=kind, subject_id=id_, subject=name, blocked=blocked, risk=risk)

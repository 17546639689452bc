"""The sealer: appends waiting entries to the tree and signs the new root.

Entries get their order after the commit, from one sealer at a time: so the order has no gaps however many
transactions commit at once, and a slow transaction does not delay others.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from esante.core.journal import store
from esante.core.journal.merkle import Frontier, leaf_hash
from esante.core.journal.model import Checkpoint
from esante.core.journal.signed_note import Signer, checkpoint_lines
from esante.core.storage import Connection, Database, Objects, Row, Unavailable, insert

log = logging.getLogger(__name__)
BATCH_ENTRIES = 20_000
INTERVAL = 1.0
"""Seconds between two seals."""
HEAD = "journal/checkpoint"
"""The name of the newest checkpoint in the object store."""


def leaf_data(number: int, digest: bytes) -> bytes:
    """Return the data of a leaf: the entry's number among its person's (8 bytes, big-endian), then its digest."""
    return number.to_bytes(8, "big") + digest


class Sealer:
    """Seals about once a second while it runs; several processes may run one, of which one at a time seals."""

    def __init__(self, db: Database, objects: Objects, signer: Signer, origin: str) -> None:
        self._db, self._objects, self._signer, self._origin = db, objects, signer, origin
        self._partitions_until = datetime.min.replace(tzinfo=UTC)

    async def run(self) -> None:
        """Seal until cancelled, also after failures and while the database is unavailable."""
        while True:
            try:
                await self._create_partitions()
                sealed = await self.seal()
            except Unavailable:
                log.warning("sealing waits: the database is unavailable")
                sealed = 0
            except Exception:
                log.exception("sealing failed; it will be retried")
                sealed = 0
            if sealed < BATCH_ENTRIES:
                await asyncio.sleep(INTERVAL)

    async def seal(self) -> int:
        """Seal up to `BATCH_ENTRIES` entries and return their number.

        The new checkpoint is also kept in the object store, outside the database.
        """
        async with self._db.transaction() as conn:
            if not await store.try_lock_sealing(conn):
                return 0
            pending = await store.take_pending(conn, BATCH_ENTRIES)
            if not pending:
                return 0
            head = await self._append(conn, [(r["person_id"], r["entry_id"], r["digest"]) for r in pending])
        await self._objects.put_named(HEAD, head.note.encode())
        return len(pending)

    async def seal_all(self) -> int:
        """Seal until no entry waits; return the number of entries sealed."""
        total = 0
        while sealed := await self.seal():
            total += sealed
        return total

    async def load_history(self, rows: Sequence[Row]) -> None:
        """Store past entries as if they had been appended and sealed, all or none.

        `rows`: of `Journal.rows`, in the order of time. They are copied straight into the monthly partitions and the
        tree; only the time of the seal is today's. Rows of other tables are inserted with them.
        """
        entries = [values for table, values in rows if table is store.ENTRY]
        waiting = [values for table, values in rows if table is store.PENDING]
        async with self._db.transaction() as conn:
            await store.lock_sealing(conn)
            await store.copy_entries(conn, entries)
            head = await self._append(conn, waiting)
            await insert(conn, (row for row in rows if row[0] not in (store.ENTRY, store.PENDING)))
        await self._objects.put_named(HEAD, head.note.encode())

    async def _append(self, conn: Connection, entries: Sequence[tuple[Any, ...]]) -> Checkpoint:
        """Append entries (person, id, digest) to the tree and sign its new root."""
        last = await store.last_checkpoint(conn)
        frontier = Frontier.from_bytes(last["size"], last["frontier"]) if last else Frontier()
        counts = Counter(await store.entry_counts(conn, list({person for person, _, _ in entries})))
        rows: list[Row] = []
        for person_id, entry_id, digest in entries:
            counts[person_id] += 1
            number = counts[person_id]
            nodes = frontier.append(leaf_hash(leaf_data(number, digest)))
            rows.append((store.LEAF, (frontier.size, entry_id, person_id, number, digest)))
            rows.extend((store.NODE, node) for node in nodes)
        now = datetime.now(UTC)
        root = frontier.root()
        note = self._signer.sign(*checkpoint_lines(self._origin, frontier.size, root, now))
        rows.append((store.CHECKPOINT, (frontier.size, now, root, frontier.to_bytes(), note)))
        await insert(conn, rows)
        await store.store_entry_counts(conn, dict(counts))
        return Checkpoint(frontier.size, root, now, note)

    async def _create_partitions(self) -> None:
        now = datetime.now(UTC)
        if now < self._partitions_until:
            return
        async with self._db.transaction() as conn:
            await store.ensure_months(conn, now - timedelta(days=1), now + timedelta(days=40))
        self._partitions_until = now + timedelta(days=1)

"""The sealer: gives waiting entries their place in the tree and signs the new root.

Order is given after the commit, by one sealer at a time, so that it has no gaps however many transactions
commit at once, and a slow one holds nobody up.
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
BATCH = 20_000
INTERVAL = 1.0
HEAD = "journal/checkpoint"


def leaf_data(number: int, digest: bytes) -> bytes:
    """What the tree hashes: the entry's number among its person's (8 bytes, big-endian), then its digest."""
    return number.to_bytes(8, "big") + digest


class Sealer:
    """Seals about once a second while it runs; several processes may run one, one at a time works."""

    def __init__(self, db: Database, objects: Objects, signer: Signer, origin: str) -> None:
        self._db, self._objects, self._signer, self._origin = db, objects, signer, origin
        self._partitions_until = datetime.min.replace(tzinfo=UTC)

    async def run(self) -> None:
        """Seal for ever; a database that is gone is waited for."""
        while True:
            try:
                await self._make_partitions()
                sealed = await self.seal()
            except Unavailable:
                log.warning("the journal waits for the database")
                sealed = 0
            except Exception:
                log.exception("sealing failed; it is tried again")
                sealed = 0
            if sealed < BATCH:
                await asyncio.sleep(INTERVAL)

    async def seal(self) -> int:
        """Seal up to `BATCH` entries; returns how many. The new head is also kept outside the database."""
        async with self._db.transaction() as conn:
            if not await store.lock_seal(conn):
                return 0
            pending = await store.take_pending(conn, BATCH)
            if not pending:
                return 0
            head = await self._append(conn, [(r["person_id"], r["entry_id"], r["digest"]) for r in pending])
        await self._objects.put_named(HEAD, head.note.encode())
        return len(pending)

    async def seal_all(self) -> int:
        """Seal until nothing waits; returns how many."""
        total = 0
        while sealed := await self.seal():
            total += sealed
        return total

    async def load(self, rows: Sequence[Row]) -> None:
        """Keep history as if it had been told and sealed, all or none: rows of `Journal.rows`, in the order of time.

        It goes straight into the months and the tree, by copying; only the time of the seal is today's. Rows of
        other tables are inserted with it.
        """
        entries = [values for table, values in rows if table is store.ENTRY]
        waiting = [values for table, values in rows if table is store.PENDING]
        async with self._db.transaction() as conn:
            await store.wait_for_seal(conn)
            await conn.copy_records_to_table(store.ENTRY.name, records=entries, columns=list(store.ENTRY.columns))
            head = await self._append(conn, waiting)
            await insert(conn, (row for row in rows if row[0] not in (store.ENTRY, store.PENDING)))
        await self._objects.put_named(HEAD, head.note.encode())

    async def _append(self, conn: Connection, entries: Sequence[tuple[Any, ...]]) -> Checkpoint:
        last = await store.last_checkpoint(conn)
        frontier = Frontier.from_bytes(last["size"], last["frontier"]) if last else Frontier()
        counts = Counter(await store.counts_of(conn, list({person for person, _, _ in entries})))
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
        await store.set_counts(conn, dict(counts))
        return Checkpoint(frontier.size, root, now, note)

    async def _make_partitions(self) -> None:
        now = datetime.now(UTC)
        if now < self._partitions_until:
            return
        async with self._db.transaction() as conn:
            await store.ensure_months(conn, now - timedelta(days=1), now + timedelta(days=40))
        self._partitions_until = now + timedelta(days=1)

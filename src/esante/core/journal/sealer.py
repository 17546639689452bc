"""The sealer: appends waiting entries to the tree and signs the new root.

Entries get their order after the commit, from one sealer at a time: so the order has no gaps however many
transactions commit at once, and a slow transaction does not delay others.
"""

import asyncio
import base64
import hashlib
import logging
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, TypeAlias
from uuid import UUID

import msgspec

from esante.core import clock
from esante.core.journal import expiry_store, store
from esante.core.journal.entries import entry_rows
from esante.core.journal.merkle import CHUNK, Frontier, leaf_hash
from esante.core.journal.model import Checkpoint, Expired, FormatChanged
from esante.core.journal.retention import expiry_lines, is_kept_long_enough, require_age
from esante.core.journal.signed_note import CheckpointText, Signer, parse_checkpoint
from esante.core.storage import Connection, Database, Objects, Row, Unavailable, insert

log = logging.getLogger(__name__)
BATCH_ENTRIES = 20_000
INTERVAL = 1.0
"""Seconds between two seals."""
HEAD = "journal/checkpoint"
"""The name of the newest checkpoint in the object store."""
LOST_HEADS = "journal/lost"
"""The folder of the object store with signed heads of entries that the journal lost, each in a folder of its own."""
PendingEntry: TypeAlias = tuple[UUID, UUID, bytes]
"""An entry that waits for its place: person, id, digest."""


def leaf_data(number: int, digest: bytes) -> bytes:
    """Return the data of a leaf: the entry's number among its person's (8 bytes, big-endian), then its digest."""
    return number.to_bytes(8, "big") + digest


class JournalAltered(RuntimeError):
    """What the sealer would go on from is not what was signed last."""


class Sealer:
    """Seals about once a second while it runs; several processes may run one, of which one at a time seals.

    It signs nothing that it has not recomputed: the tree that it goes on from against the note signed last, each entry
    against its digest, each person's count against their leaves. What does not fit is left waiting, and logged.
    """

    def __init__(self, db: Database, objects: Objects, signer: Signer, origin: str) -> None:
        self._db, self._objects, self._signer, self._origin = db, objects, signer, origin
        self._partitions_until = datetime.min.replace(tzinfo=UTC)
        self._signed_size = 0
        self._is_kept_head_checked = False

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
        Raises: `JournalAltered` when the newest checkpoint is not what was signed.
        """
        async with self._db.transaction() as conn:
            if not await store.try_lock_sealing(conn):
                return 0
            pending = await self._recomputed_pending(conn)
            taken = await store.take_pending(conn, [entry_id for _, entry_id, _ in pending]) if pending else set()
            pending = [one for one in pending if one[1] in taken]
            if not pending:
                return 0
            head = await self._append(conn, pending)
        await self._publish(head)
        return len(pending)

    async def seal_all(self) -> int:
        """Seal until no entry waits that can be sealed; return the number of entries sealed."""
        total = 0
        while sealed := await self.seal():
            total += sealed
        return total

    async def load_history(self, rows: Sequence[Row]) -> None:
        """Store past entries as if they had been appended and sealed, all or none.

        `rows`: of `Journal.rows`, in the order of time. They are copied straight into the monthly partitions and the
        tree; only the time of the seal is today's. Rows of other tables are inserted with them.
        Raises: `JournalAltered` as `seal`.
        """
        entries = [values for table, values in rows if table is store.ENTRY]
        waiting = [values for table, values in rows if table is store.PENDING]
        async with self._db.transaction() as conn:
            await store.lock_sealing(conn)
            await store.copy_entries(conn, entries)
            head = await self._append(conn, waiting)
            await insert(conn, (row for row in rows if row[0] not in (store.ENTRY, store.PENDING)))
        await self._publish(head)

    async def _recomputed_pending(self, conn: Connection) -> list[PendingEntry]:
        """Return the next waiting entries whose digest and whose person's count are those of the stored entries."""
        rows = await store.pending_entries_to_seal(conn, BATCH_ENTRIES)
        sound = [row for row in rows if hashlib.sha256(row["digest_input"] or b"").digest() == row["digest"]]
        if len(sound) < len(rows):
            log.error("%d waiting entries are not what was appended; they are not sealed", len(rows) - len(sound))
        sealed = await store.entries_with_leaf(conn, [row["entry_id"] for row in sound])
        if sealed:
            log.error("%d waiting entries are in the tree already; they are not sealed again", len(sealed))
            sound = [row for row in sound if row["entry_id"] not in sealed]
        counts = await store.entry_counts(conn, list({row["person_id"] for row in sound}))
        miscounted = {person for person, (entries, number) in counts.items() if entries != number}
        if miscounted:
            log.error("the entries of %d persons are not numbered as they were counted", len(miscounted))
        return [
            (row["person_id"], row["entry_id"], row["digest"]) for row in sound if row["person_id"] not in miscounted
        ]

    async def _append(self, conn: Connection, entries: Sequence[PendingEntry]) -> Checkpoint:
        """Append entries to the tree and sign its new root. Raises: `JournalAltered`."""
        last = await store.last_checkpoint(conn)
        signed = self._signed_checkpoint(last)
        await self._keep_contradicting_head(signed)
        frontier = Frontier.from_bytes(last["size"], last["frontier"]) if last else Frontier()
        first_format = signed.first_format if signed else 0
        if first_format is None:
            first_format = frontier.size
            await self._name_expiries(conn)
            entries = [await self._record_format(conn, frontier), *entries]
        counts = await self._entry_counts(conn, entries)
        rows: list[Row] = []
        for person_id, entry_id, digest in entries:
            counts[person_id] += 1
            number = counts[person_id]
            nodes = frontier.append(leaf_hash(leaf_data(number, digest)))
            rows.append((store.LEAF, (frontier.size, entry_id, person_id, number, digest)))
            rows.extend((store.NODE, node) for node in nodes)
        cursors = await store.cursor_text(conn)
        now, root = clock.now(), frontier.root()
        text = CheckpointText(
            self._origin,
            frontier.size,
            root,
            now,
            first_format,
            signed.size if signed else 0,
            hashlib.sha256(cursors.encode()).digest(),
        )
        note = self._signer.sign(*text.lines())
        rows.append((store.CHECKPOINT, (frontier.size, now, root, frontier.to_bytes(), note, cursors)))
        await insert(conn, rows)
        await store.store_entry_counts(conn, dict(counts))
        return Checkpoint(frontier.size, root, now, note)

    def _signed_checkpoint(self, last: Any) -> CheckpointText | None:
        """Return what the note of the newest checkpoint row says, once the row gives what the note signs.

        Raises: `JournalAltered`.
        """
        size = last["size"] if last else 0
        if size < self._signed_size:
            raise JournalAltered(f"entries {size + 1} to {self._signed_size} were removed since they were sealed")
        if not last:
            return None
        try:
            text = parse_checkpoint(self._signer.verify_note(last["note"]))
            root = Frontier.from_bytes(size, last["frontier"]).root()
        except ValueError as error:
            raise JournalAltered(f"checkpoint {size}: {error}") from error
        if (text.origin, text.size, text.root) != (self._origin, size, root):
            raise JournalAltered(f"checkpoint {size}: its row and its signed note differ")
        return text

    async def _record_format(self, conn: Connection, frontier: Frontier) -> PendingEntry:
        """Insert the entry that says how many leaves have the first format, and return it for its place."""
        heads = hashlib.sha256()
        for first in range(0, frontier.size, CHUNK):
            heads.update(await store.heads_digest(conn, first + 1, min(first + CHUNK, frontier.size)))
        event = FormatChanged(
            format=2,
            size=frontier.size,
            root=base64.b64encode(frontier.root()).decode(),
            heads=base64.b64encode(heads.digest()).decode(),
        )
        entry, (_, pending) = entry_rows(event)
        now = clock.now()
        await store.ensure_months(conn, now, now)
        await insert(conn, [entry])
        return pending[0], pending[1], pending[2]

    async def _name_expiries(self, conn: Connection) -> None:
        """Let entries whose content the version before removed name the entry that records it.

        One that is not sealed yet is no proof in the new format: it is written anew, and signed.
        """
        _, sealed = await store.entries_after(conn, 0, [Expired.TYPE], 2**62)
        for entry in (entry for entry in sealed if entry.event):
            await expiry_store.assign_expiry(conn, entry.id, entry.event.ranges)
        for entry in await store.unsealed_entries(conn, Expired.TYPE):
            event: Expired = entry.event
            if event.note or (days := _kept_days(event, entry.at)) is None:
                continue
            note = self._signer.sign(*expiry_lines(self._origin, event, entry.at, days))
            rows = entry_rows(msgspec.structs.replace(event, note=note))
            await insert(conn, rows)
            await expiry_store.assign_expiry(conn, rows[0][1][1], event.ranges)

    async def _entry_counts(self, conn: Connection, entries: Sequence[PendingEntry]) -> Counter[UUID]:
        """Return how many sealed entries each person of `entries` has. Raises: `JournalAltered`."""
        counts = await store.entry_counts(conn, list({person for person, _, _ in entries}))
        if any(count != number for count, number in counts.values()):
            raise JournalAltered("the entries of a person are not numbered as they were counted")
        return Counter({person: number for person, (_, number) in counts.items()})

    async def _publish(self, head: Checkpoint) -> None:
        """Keep a checkpoint also outside the database, once it is committed."""
        self._signed_size = max(self._signed_size, head.size)
        await self._objects.put_named(HEAD, head.note.encode())

    async def _keep_contradicting_head(self, signed: CheckpointText | None) -> None:
        """Keep a signed head that is in the object store and contradicts the journal: the next one replaces it.

        Once in a process, under the sealer's lock: then no other process publishes a newer one meanwhile.
        """
        if self._is_kept_head_checked:
            return
        size = signed.size if signed else 0
        try:
            note = await self._objects.get_named(HEAD)
            kept = parse_checkpoint(self._signer.verify_note(note.decode()))
        except (FileNotFoundError, ValueError):
            if size:
                log.warning("the checkpoint outside the database is missing or invalid; it is written anew")
        else:
            if kept.size > size or (signed and kept.size == size and kept.root != signed.root):
                log.error("a signed head of %d entries is known, the journal has %d: it is kept", kept.size, size)
                await self._objects.put_named(f"{LOST_HEADS}/{kept.size}-{kept.root.hex()[:16]}/note", note)
        self._is_kept_head_checked = True

    async def _create_partitions(self) -> None:
        now = clock.now()
        if now < self._partitions_until:
            return
        async with self._db.transaction() as conn:
            await store.ensure_months(conn, now - timedelta(days=1), now + timedelta(days=40))
        self._partitions_until = now + timedelta(days=1)


def _kept_days(event: Expired, at: datetime) -> int | None:
    """Return for how many days contents were kept that the version before removed; None where that was too early."""
    try:
        expiry = require_age(event, at)
    except ValueError:
        return None
    return expiry.days if is_kept_long_enough(expiry, event.type, of_person=False) else None

"""A journal as the version before left it: digests in one step, checkpoints of three lines and a time.

Written here anew from the description of that format, and not by the program.
"""

import base64
import hashlib
import os
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec

from esante.core.journal import Journal
from esante.core.journal.merkle import Frontier, leaf_hash
from esante.core.journal.model import Expired
from esante.core.storage import NIL, uuid7, uuid7_time
from tests.support.journal_entries import OLD, PRACTITIONER, Happened

_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)


class FirstFormat:
    """Appends and seals entries of the first format in an empty journal."""

    def __init__(self, journal: Journal) -> None:
        self._journal, self._db = journal, journal.db  # type: ignore[attr-defined]
        self._frontier = Frontier()
        self._numbers: dict[UUID, int] = {}

    async def append(self, person: UUID, event: Any, at: datetime | None = None) -> UUID:
        """Store an entry that waits for its seal."""
        entry_id, salt = uuid7(at), os.urandom(16)
        moment = uuid7_time(entry_id)
        await self._journal.ensure_months(moment, moment)
        content = msgspec.json.encode({"version": 1, "actor": PRACTITIONER, "origin": "", "event": event})
        micros = (moment - _EPOCH) // timedelta(microseconds=1)
        head = entry_id.bytes + person.bytes + micros.to_bytes(8, "big", signed=True) + event.TYPE.encode() + b"\0"
        await self._db.fetch(
            "INSERT INTO journal_entry (person_id, entry_id, at, type, salt, content) VALUES ($1, $2, $3, $4, $5, $6)",
            person,
            entry_id,
            moment,
            event.TYPE,
            salt,
            content,
        )
        digest = hashlib.sha256(salt + head + content).digest()
        await self._db.fetch("INSERT INTO journal_pending VALUES ($1, $2, $3)", person, entry_id, digest)
        return entry_id

    async def append_texts(self, person: UUID, *texts: str, at: datetime | None = None) -> None:
        """Store an entry for each text."""
        for text in texts:
            await self.append(person, Happened(what=text), at)

    async def seal(self) -> None:
        """Give every waiting entry its place, sign the tree, publish the checkpoint."""
        rows = await self._db.fetch("DELETE FROM journal_pending RETURNING person_id, entry_id, digest")
        for row in sorted(rows, key=lambda row: row["entry_id"]):
            person = row["person_id"]
            number = self._numbers[person] = self._numbers.get(person, 0) + 1
            nodes = self._frontier.append(leaf_hash(number.to_bytes(8, "big") + row["digest"]))
            await self._db.fetch(
                "INSERT INTO journal_leaf VALUES ($1, $2, $3, $4, $5)",
                self._frontier.size,
                row["entry_id"],
                person,
                number,
                row["digest"],
            )
            for node in nodes:
                await self._db.fetch("INSERT INTO journal_node VALUES ($1, $2, $3)", *node)
        for person, number in self._numbers.items():
            await self._db.fetch("DELETE FROM journal_person WHERE person_id = $1", person)
            await self._db.fetch("INSERT INTO journal_person VALUES ($1, $2)", person, number)
        now, size, root = datetime.now(UTC), self._frontier.size, self._frontier.root()
        lines = (self._journal.origin, str(size), base64.b64encode(root).decode(), f"sealed {now.isoformat()}")
        note = self._journal.signer.sign(*lines)
        await self._db.fetch(
            "INSERT INTO journal_checkpoint (size, sealed_at, root, frontier, note) VALUES ($1, $2, $3, $4, $5)",
            size,
            now,
            root,
            self._frontier.to_bytes(),
            note,
        )
        await self._journal.sealer._objects.put_named("journal/checkpoint", note.encode())

    async def expire(self, seqs: list[int]) -> None:
        """Remove the contents of some leaves, and append the unsigned entry that says so."""
        await self._db.fetch(
            "UPDATE journal_entry SET salt = NULL, content = NULL"
            " WHERE entry_id IN (SELECT entry_id FROM journal_leaf WHERE seq = ANY($1))",
            seqs,
        )
        ranges = [(seq, seq) for seq in seqs]
        await self.append(
            NIL, Expired(type=Happened.TYPE, before=OLD + timedelta(days=1), count=len(seqs), ranges=ranges)
        )

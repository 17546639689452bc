"""Quarantine: instances that were not taken in, with the reason; operators see them, and the bytes within bounds."""

from dataclasses import dataclass, field
from datetime import timedelta
from typing import IO
from uuid import UUID

from esante.core import clock
from esante.core.storage import Database, Objects, Row, uuid7
from esante.identity.access import Requester
from esante.services.imaging.archive.record_entry import depositor_of
from esante.services.imaging.ingest.packs import Part
from esante.services.imaging.ingest.quarantine_store import (
    Quarantined,
    delete_before,
    kept_bytes,
    quarantine_row,
)

MAX_BYTES = 20 * 1024**3
"""Bytes kept in total."""
MAX_OF_INSTANCE = 256 * 1024**2
MAX_OF_UPLOAD = 20
"""Instances of an upload whose bytes are kept; of `MAX_ENTRIES` there is an entry."""
MAX_ENTRIES = 200
KEPT = timedelta(days=30)
MAX_DETAIL = 200
_BATCH = 500
_NOT_KEPT = frozenset({"not-authorized", "study-of-another"})
"""Reasons of which the bytes are not kept: nothing is wrong with them, and they are not for this platform."""


@dataclass
class UploadQuarantine:
    """What of one upload is not taken in; `store` stores its bytes and returns the rows."""

    db: Database
    objects: Objects
    requester: Requester
    _entries: list[Quarantined] = field(default_factory=list)
    _files: dict[str, IO[bytes]] = field(default_factory=dict)
    _bytes: int | None = None

    async def add(
        self, part: Part, reason: str, detail: str, person_id: UUID | None, study_uid: str, instance_uid: str
    ) -> None:
        """Put an instance into quarantine. Raises: `Unavailable` when the disk is full."""
        if len(self._entries) >= MAX_ENTRIES:
            return
        key = uuid7()
        name = f"quarantine/{key.hex}" if await self._is_kept(part, reason) else ""
        if name:
            self._files[name] = file = self.objects.incoming()
            part.copy_to(file)
        self._entries.append(
            Quarantined(
                quarantine_id=key,
                received_at=clock.now(),
                reason=reason,
                detail="".join(char if char.isprintable() else "\ufffd" for char in detail)[:MAX_DETAIL],
                person_id=person_id,
                depositor_id=depositor_of(self.requester),
                depositor=self.requester.organization or self.requester.name,
                study_uid=study_uid,
                instance_uid=instance_uid,
                size=part.size,
                sha256=part.sha256,
                object_name=name,
            )
        )

    async def store(self) -> list[Row]:
        """Store the bytes, synced, and return the rows of the entries."""
        for name, file in self._files.items():
            await self.objects.put_file(name, file)
        rows = [quarantine_row(one) for one in self._entries]
        self._entries.clear()
        self.close()
        return rows

    def close(self) -> None:
        """Close the files; what was not stored is gone."""
        for file in self._files.values():
            file.close()
        self._files.clear()

    async def _is_kept(self, part: Part, reason: str) -> bool:
        if reason in _NOT_KEPT or len(self._files) >= MAX_OF_UPLOAD or part.size > MAX_OF_INSTANCE:
            return False
        if self._bytes is None:
            self._bytes = await kept_bytes(self.db)
        if self._bytes + part.size > MAX_BYTES:
            return False
        self._bytes += part.size
        return True


async def tidy(db: Database, objects: Objects) -> None:
    """Delete entries, with their bytes, whose time is over."""
    while True:
        async with db.transaction() as conn:
            names = await delete_before(conn, clock.now() - KEPT, _BATCH)
        for name in filter(None, names):
            await objects.remove_named(name)
        if len(names) < _BATCH:
            return

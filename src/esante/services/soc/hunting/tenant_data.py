"""What the SOC keeps of a member: handed out as a ZIP with manifest and hashes, and deleted when the member leaves."""

import asyncio
import hashlib
import tempfile
import zipfile
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path
from uuid import UUID

import orjson

from esante.core import clock
from esante.core.journal import Journal
from esante.core.storage import Connection, Database, Objects, insert, uuid7
from esante.core.web import N_, Problem
from esante.identity.access import Requester, require_operator
from esante.services.soc.hunting import archive_store, hunt_store
from esante.services.soc.hunting.archive import Archive
from esante.services.soc.hunting.event_columns import batch_of, schema
from esante.services.soc.hunting.model import EventsExported, TenantDataDeleted, folder_of
from esante.services.soc.intelligence import indicator_store
from esante.services.soc.sharing import sharing_store
from esante.services.soc.storage.event_store import delete_of_tenant
from esante.services.soc.storage.service import EventStore
from esante.services.soc.tenants.service import Tenants

PIECE = 1 << 20
Forget = Callable[[Connection, UUID], Awaitable[None]]
"""Deletes what a part of the SOC keeps of a member, in a transaction."""
FORGET: Sequence[Forget] = (
    hunt_store.delete_of_tenant,
    indicator_store.delete_of_tenant,
    sharing_store.delete_of_tenant,
)


class TenantData:
    """The events of members as a whole."""

    def __init__(
        self, db: Database, objects: Objects, journal: Journal, tenants: Tenants, events: EventStore, archive: Archive
    ) -> None:
        self._db, self._objects, self._journal, self._tenants = db, objects, journal, tenants
        self._events, self._archive = events, archive

    async def export(self, requester: Requester, tenant_id: UUID) -> AsyncIterator[bytes]:
        """Return a ZIP of all events of a member: a Parquet file for each day, and a manifest with hashes.

        Raises: Problem 404 for a member that the requester does not see; `Unavailable`.
        """
        tenant = await self._tenants.tenant(requester, tenant_id)
        export_id = uuid7()
        event = EventsExported(tenant_id=tenant.tenant_id, export_id=export_id)
        await self._journal.append_for(requester, event)
        return self._pieces(tenant.tenant_id, tenant.name, export_id)

    async def delete(self, requester: Requester, tenant_id: UUID) -> tuple[int, int]:
        """Delete the events of a member that is not active any more; return the files and events that are gone.

        Raises: Problem 403, 404, 409 for an active member.
        """
        require_operator(requester)
        tenant = await self._tenants.tenant(requester, tenant_id)
        if tenant.is_active:
            remedy = N_("End the membership first, so that nothing new comes.")
            raise Problem(409, "conflict", N_("The member is still active."), remedy=remedy)
        async with self._db.transaction() as conn:
            gone = await archive_store.mark_removing(conn, tenant_id)
            events = sum(one.rows for one in gone) + await delete_of_tenant(conn, tenant_id)
            for forget in FORGET:
                await forget(conn, tenant_id)
            event = TenantDataDeleted(tenant_id=tenant_id, files=len(gone), events=events)
            await insert(conn, self._journal.rows_for(requester, event))
        await self._archive.remove_unused()
        await self._objects.remove_folder(folder_of(tenant_id))
        return len(gone), events

    async def _pieces(self, tenant_id: UUID, name: str, export_id: UUID) -> AsyncIterator[bytes]:
        """Yield the ZIP, made in a file first; Parquet is compressed already, so its entries are stored."""
        with tempfile.TemporaryFile() as made, tempfile.TemporaryDirectory() as copies:
            with zipfile.ZipFile(made, "w", zipfile.ZIP_STORED) as archive:
                listed = []
                for file in await archive_store.fetch_files(self._db, tenant_id):
                    path = await self._objects.path_of(file.name, Path(copies))
                    entry = f"events/{file.day}-{file.file_id.hex[:8]}.parquet"
                    digest = await asyncio.to_thread(_add, archive, entry, path)
                    if digest != file.sha256:
                        raise ValueError(f"the file of {file.day} is damaged: its bytes have another SHA-256")
                    listed.append({"name": entry, "sha256": digest.hex(), "events": file.rows, "day": str(file.day)})
                listed += await self._add_hot(archive, tenant_id, Path(copies))
                manifest = {
                    "export": str(export_id),
                    "member": name,
                    "made_at": clock.now().isoformat(timespec="seconds"),
                    "columns": {field.name: str(field.type) for field in schema()},
                    "files": listed,
                }
                archive.writestr("manifest.json", orjson.dumps(manifest, option=orjson.OPT_INDENT_2))
            made.seek(0)
            while piece := await asyncio.to_thread(made.read, PIECE):
                yield piece

    async def _add_hot(self, archive: zipfile.ZipFile, tenant_id: UUID, folder: Path) -> list[dict[str, object]]:
        """Add the days that are in the database only; return their entries."""
        import pyarrow.parquet as pq

        listed: list[dict[str, object]] = []
        for day in await self._events.days():
            if tenant_id in await archive_store.fetch_rows_of_day(self._db, day):
                continue
            path, rows = folder / f"{day}.parquet", 0
            with pq.ParquetWriter(path, schema(), compression="zstd") as writer:
                async for batch in self._events.read(day, tenant_id):
                    await asyncio.to_thread(writer.write_batch, batch_of(batch))
                    rows += len(batch)
            if rows:
                entry = f"events/{day}-today.parquet"
                digest = await asyncio.to_thread(_add, archive, entry, path)
                listed.append({"name": entry, "sha256": digest.hex(), "events": rows, "day": str(day)})
            path.unlink()
        return listed


def _add(archive: zipfile.ZipFile, entry: str, path: Path) -> bytes:
    """Add a file; return its SHA-256."""
    digest = hashlib.sha256()
    with path.open("rb") as file, archive.open(entry, "w", force_zip64=True) as target:
        while piece := file.read(PIECE):
            digest.update(piece)
            target.write(piece)
    return digest.digest()

"""Opening the database: the embedded PostgreSQL started, or an external one connected to."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from esante.core.storage.database import Database
from esante.core.storage.embedded import start, stop
from esante.core.storage.private_folder import make_private


@contextlib.asynccontextmanager
async def open_database(url: str, data: Path, **options: Any) -> AsyncIterator[tuple[Database, str]]:
    """Yield the database as it is, not migrated, and its address.

    `url` empty: the embedded PostgreSQL under `data`, stopped at the end. `options`: as in `Database.open`.
    Raises: `FolderError` when `data` is open to other accounts, `Unavailable` or `EmbeddedError`.
    """
    await asyncio.to_thread(make_private, data)
    dsn = url or (await asyncio.to_thread(start, data)).dsn
    try:
        db = await Database.open(dsn, **options)
        try:
            yield db, dsn
        finally:
            await db.close()
    finally:
        if not url:
            await asyncio.to_thread(stop, data)

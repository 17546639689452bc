"""Where the shelf comes from: what is released in the database, read again only when that has changed."""

import asyncio
from datetime import datetime

from esante.core.storage import Database
from esante.services.bulletin.releases import forecast_archive, vintage_store
from esante.services.bulletin.releases.published import Shelf, Shelved


class Library:
    """The shelf of this process; calling it gives what is released now."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._shelf = Shelf(())
        self._stamp: tuple[int, int, datetime | None] = (0, 0, None)
        self._reading = asyncio.Lock()

    async def __call__(self) -> Shelf:
        """The shelf; one small question to the database where nothing was released since."""
        stamp = await vintage_store.stamp(self._db)
        if stamp != self._stamp:
            async with self._reading:
                if stamp != self._stamp:
                    self._shelf, self._stamp = await self._read(), stamp
        return self._shelf

    async def _read(self) -> Shelf:
        found = []
        for release in await vintage_store.released(self._db):
            vintage = await vintage_store.vintage(self._db, release.period, release.number)
            if vintage is not None and release.released_at is not None:
                findings = await vintage_store.findings(self._db, release.period, release.number)
                found.append(Shelved(vintage, release.released_at, tuple(findings)))
        return Shelf(found, await forecast_archive.every(self._db))

"""Where the shelf comes from: what is released in the database, read again only when that has changed."""

import asyncio
from datetime import datetime

from esante.bulletin import frozen, vintages
from esante.bulletin.shelf import Shelf, Shelved
from esante.core.storage import Database


class Library:
    """The shelf of this process; calling it gives what is released now."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._shelf = Shelf(())
        self._stamp: tuple[int, int, datetime | None] = (0, 0, None)
        self._reading = asyncio.Lock()

    async def __call__(self) -> Shelf:
        """The shelf; one small question to the database where nothing was released since."""
        stamp = await vintages.stamp(self._db)
        if stamp != self._stamp:
            async with self._reading:
                if stamp != self._stamp:
                    self._shelf, self._stamp = await self._read(), stamp
        return self._shelf

    async def _read(self) -> Shelf:
        found = []
        for release in await vintages.released(self._db):
            vintage = await vintages.vintage(self._db, release.period, release.number)
            if vintage is not None and release.released_at is not None:
                findings = await vintages.findings(self._db, release.period, release.number)
                found.append(Shelved(vintage, release.released_at, tuple(findings)))
        return Shelf(found, await frozen.every(self._db))

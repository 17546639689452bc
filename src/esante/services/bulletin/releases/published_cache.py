"""The cache of the released vintages, loaded again when a release has changed them."""

import asyncio
from datetime import datetime

from esante.core.storage import Database
from esante.services.bulletin.releases import forecast_store, vintage_store
from esante.services.bulletin.releases.published import PublishedReleases, PublishedVintage


class PublishedCache:
    """The released vintages in the memory of this process."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._releases = PublishedReleases(())
        self._stamp: tuple[int, int, datetime | None] = (0, 0, None)
        self._loading = asyncio.Lock()

    async def get(self) -> PublishedReleases:
        """Return the released vintages; one small query when nothing was released since the last call."""
        stamp = await vintage_store.fetch_stamp(self._db)
        if stamp != self._stamp:
            async with self._loading:
                if stamp != self._stamp:
                    self._releases, self._stamp = await self._load(), stamp
        return self._releases

    async def _load(self) -> PublishedReleases:
        found = []
        for release in await vintage_store.fetch_released(self._db):
            vintage = await vintage_store.fetch_vintage(self._db, release.period, release.number)
            if vintage is not None and release.released_at is not None:
                anomalies = await vintage_store.fetch_anomalies(self._db, release.period, release.number)
                found.append(PublishedVintage(vintage, release.released_at, tuple(anomalies)))
        return PublishedReleases(found, await forecast_store.fetch_forecasts(self._db))

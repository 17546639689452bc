"""The task that publishes releases on the national open data portal, in one process at a time."""

import asyncio
import logging
from datetime import datetime
from pathlib import Path

from esante.core.open_data import PortalError, PortalTarget
from esante.core.storage import Database, Unavailable
from esante.services.bulletin import store
from esante.services.bulletin.dissemination.downloads import ReleaseFiles, make_edition
from esante.services.bulletin.dissemination.portal_push import push_editions
from esante.services.bulletin.publication.issue_files import make_document
from esante.services.bulletin.releases import vintage_store
from esante.services.bulletin.releases.published_cache import PublishedCache

INTERVAL, RETRY_INTERVAL = 30, 300
"""Seconds between two checks for new releases, and after a failure of the portal."""
log = logging.getLogger(__name__)


class PortalPublisher:
    """Publishes the releases of the platform on one portal; it has no access to anything that is not released."""

    def __init__(self, db: Database, target: PortalTarget, base_url: str, folder: Path) -> None:
        self._db, self._target, self._base = db, target, base_url
        self._cache, self._files = PublishedCache(db), ReleaseFiles(folder, base_url)
        self._done: tuple[int, int, datetime | None] | None = None

    async def run(self) -> None:
        """Push whenever something was released, for ever."""
        while True:
            pause = INTERVAL if await self._try_push() else RETRY_INTERVAL
            await asyncio.sleep(pause)

    async def push(self) -> list[str]:
        """Push what is missing on the portal; return the steps that were made, none when another process pushes.

        Raises: PortalError when the portal is down or refuses; the next push continues.
        """
        import httpx

        async with self._db.transaction() as conn:
            if not await store.try_push_lock(conn):
                return []
            releases = await self._cache.get()
            editions = []
            for published in releases.all:
                document = make_document(releases.issue_of(published), self._base)
                editions.append(make_edition(published, await self._files.generate_all(document)))
            async with httpx.AsyncClient(timeout=60) as client:
                return await push_editions(self._target, editions, self._base, client) if editions else []

    async def _try_push(self) -> bool:
        """Push when something was released; return False when the portal failed."""
        try:
            stamp = await vintage_store.fetch_stamp(self._db)
            if stamp != self._done:
                for done in await self.push():
                    log.info("national open data portal: %s", done)
                self._done = stamp
        except PortalError as error:
            log.warning("the push to the national open data portal failed and is repeated: %s", error)
            return False
        except Unavailable:
            log.warning("the push to the national open data portal waits for the database")
        except Exception:
            log.exception("the push to the national open data portal failed and is repeated")
            return False
        return True

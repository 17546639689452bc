"""Brings what is released to the national portal, as soon as it is, from one process at a time."""

import asyncio
import logging
from datetime import datetime
from pathlib import Path

from esante.core.storage import Database, Unavailable
from esante.services.bulletin import store
from esante.services.bulletin.dissemination.downloads import Files, edition
from esante.services.bulletin.dissemination.udata_client import PortalError, Target, push
from esante.services.bulletin.publication import paper
from esante.services.bulletin.releases import vintage_store
from esante.services.bulletin.releases.published_cache import Library

EVERY, AFTER_FAILURE = 30, 300
"""Seconds between two looks for something new, and before a portal that was out of order is asked again."""
log = logging.getLogger(__name__)


class Pusher:
    """The push of one platform to one portal; what is not released cannot be reached from here."""

    def __init__(self, db: Database, target: Target, base_url: str, folder: Path) -> None:
        self._db, self._target, self._base = db, target, base_url
        self._library, self._files = Library(db), Files(folder, base_url)
        self._done: tuple[int, int, datetime | None] | None = None

    async def run(self) -> None:
        """Push whenever something was released; does not end."""
        while True:
            pause = EVERY if await self._tried() else AFTER_FAILURE
            await asyncio.sleep(pause)

    async def push(self) -> list[str]:
        """Bring the portal up to what is released; returns what was done, nothing where another process does it.

        Raises PortalError when the portal is down or refuses; what arrived stays, and the next push goes on.
        """
        import httpx

        async with self._db.transaction() as conn:
            if not await store.may_push(conn):
                return []
            shelf = await self._library()
            editions = [edition(one, await self._files.all(paper(shelf.issue(one), self._base))) for one in shelf.all]
            async with httpx.AsyncClient(timeout=60) as client:
                return await push(self._target, editions, self._base, client) if editions else []

    async def _tried(self) -> bool:
        try:
            stamp = await vintage_store.stamp(self._db)
            if stamp != self._done:
                for done in await self.push():
                    log.info("the national portal: %s", done)
                self._done = stamp
        except PortalError as error:
            log.warning("the push to the national portal is tried again: %s", error)
            return False
        except Unavailable:
            log.warning("the push waits for the database")
        except Exception:
            log.exception("the push to the national portal failed; it is tried again")
            return False
        return True

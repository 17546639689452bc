"""The sites as authentication and long polls need them: in memory, a moment behind the database."""

import asyncio
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from esante.core.storage import Database
from esante.services.healthnet.controller import connection_store
from esante.services.healthnet.controller.rollout import bundle_store

_OVERLAP = timedelta(seconds=30)
"""Changes of these last seconds are read again: their transactions may have ended later than others."""
_REMEMBERED = 256
"""Numbers of requests of a site that are remembered, to refuse those that come again."""


@dataclass(slots=True)
class KnownSite:
    """What is known of a site; `serial`: of the bundle that is offered."""

    site: str
    identity: bytes | None = None
    is_revoked: bool = False
    serial: int = 0
    generation: int = 0
    key_at: datetime | None = None
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    """Set and replaced when another bundle is offered, and when a newer request waits for it."""
    _highest: int = 0
    _seen: set[int] = field(default_factory=set)

    def is_new(self, sequence: int) -> bool:
        """Return whether a request with this number did not come before, and remember it."""
        if sequence <= self._highest - _REMEMBERED or sequence in self._seen:
            return False
        self._seen.add(sequence)
        self._highest = max(self._highest, sequence)
        if len(self._seen) > 2 * _REMEMBERED:
            self._seen = {one for one in self._seen if one > self._highest - _REMEMBERED}
        return True

    def wake(self) -> None:
        """End the requests that wait."""
        self.changed.set()
        self.changed = asyncio.Event()


class Registry:
    """All sites; `refresh` reads what changed."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._sites: dict[str, KnownSite] = {}
        self._since: datetime | None = None
        self.release = 0

    def site(self, key: str) -> KnownSite | None:
        """Return a site, or None."""
        return self._sites.get(key)

    async def refresh(self) -> None:
        """Read what changed since the last time, and wake the requests that wait for it."""
        rows = await connection_store.fetch_changed(self._db, self._since - _OVERLAP if self._since else None)
        for row in rows:
            known = self._sites.setdefault(row["site"], KnownSite(row["site"]))
            if known.identity != row["identity"]:
                known._highest, known._seen = 0, set()
            known.identity, known.is_revoked = row["identity"], row["is_revoked"]
            known.generation, known.key_at = row["generation"] or 0, row["key_at"]
            if known.serial != row["serial"] or known.is_revoked:
                known.serial = row["serial"]
                known.wake()
            self._since = max(self._since or row["changed_at"], row["changed_at"])
        self.release = await bundle_store.newest_release(self._db)

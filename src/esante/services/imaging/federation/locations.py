"""The directory of archives (retrieve locations of IHE RAD MADO), which operators keep.

Only addresses in it are ever called; one in a manifest is not.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit
from uuid import UUID

from esante.core import clock
from esante.core.journal import SYSTEM, Actor, Journal
from esante.core.storage import Database, insert
from esante.services.imaging.federation import location_store as store
from esante.services.imaging.federation.model import Location, LocationRemoved, LocationSet
from esante.services.imaging.ingest.limits import is_uid


@dataclass(frozen=True, slots=True)
class Locations:
    """Keeps and finds archives."""

    db: Database
    journal: Journal

    async def find(self, location_uid: str) -> Location | None:
        """Return the archive of a Retrieve Location UID."""
        return await store.fetch_location(self.db, location_uid) if location_uid else None

    async def all(self) -> Sequence[Location]:
        """Return all archives."""
        return await store.fetch_locations(self.db)

    async def set(
        self,
        location_uid: str,
        organization_id: UUID,
        name: str,
        url: str,
        token_file: str = "",
        *,
        actor: Actor = SYSTEM,
    ) -> Location:
        """Set the archive of a Retrieve Location UID. Raises: ValueError for what is no UID or no address."""
        parts = urlsplit(url)
        if not is_uid(location_uid):
            raise ValueError(f"{location_uid[:64]} is no UID")
        if (
            parts.scheme not in ("https", "http")
            or not parts.hostname
            or parts.username
            or parts.query
            or parts.fragment
        ):
            raise ValueError("the address must be that of DICOMweb, without name, password, query or fragment")
        one = Location(
            location_uid=location_uid,
            organization_id=organization_id,
            name=name,
            url=url.rstrip("/"),
            token_file=token_file,
            since=clock.now(),
        )
        event = LocationSet(location_uid=location_uid, organization_id=organization_id, name=name, url=one.url)
        async with self.db.transaction() as conn:
            await store.replace_location(conn, one)
            await insert(conn, self.journal.rows(event, actor=actor))
        return one

    async def remove(self, location_uid: str, *, actor: Actor = SYSTEM) -> bool:
        """Remove an archive; return whether there was one."""
        async with self.db.transaction() as conn:
            if not await store.delete_location(conn, location_uid):
                return False
            await insert(conn, self.journal.rows(LocationRemoved(location_uid=location_uid), actor=actor))
        return True

"""What the SOC keeps of events, for whoever may see it: by day, by file, and until when."""

from datetime import UTC, date, timedelta
from typing import Any
from uuid import UUID

from esante.core import clock
from esante.core.storage import Database
from esante.core.web import Page, decode_cursor, encode_cursor
from esante.identity.access import Requester
from esante.services.soc.hunting import archive_store
from esante.services.soc.hunting.model import ArchiveFile
from esante.services.soc.retention_rules import RetentionRule, rule_on
from esante.services.soc.tenants.service import Tenants

PAGE_SIZE = 50
SHOWN_DAYS = 60


class Holdings:
    """The files of past days that somebody sees."""

    def __init__(self, db: Database, tenants: Tenants) -> None:
        self._db, self._tenants = db, tenants

    def rule(self) -> RetentionRule:
        """Return the rule in force today."""
        return rule_on("events", clock.now().astimezone(UTC).date())

    async def days(self, requester: Requester) -> list[tuple[date, int, int]]:
        """Return events and bytes in files by day, of the last days. Raises: Problem 404."""
        scope = await self._tenants.scope_of(requester)
        since = clock.now().date() - timedelta(days=SHOWN_DAYS)
        return await archive_store.fetch_days(self._db, scope.tenant_id, since)

    async def page(self, requester: Requester, cursor: str | None = None) -> Page[ArchiveFile]:
        """Return a page of files, the newest day first. Raises: Problem 404, 400."""
        scope = await self._tenants.scope_of(requester)
        before = decode_cursor(cursor, date, UUID) if cursor is not None else None
        found = await archive_store.fetch_page(self._db, scope.tenant_id, before, PAGE_SIZE + 1)
        shown = found[:PAGE_SIZE]
        more = len(found) > PAGE_SIZE
        return Page(shown, encode_cursor(shown[-1].day, shown[-1].file_id) if more else None)

    async def members(self, requester: Requester) -> list[Any]:
        """Return the members that somebody sees, each with events and bytes in files. Raises: Problem 404."""
        scope = await self._tenants.scope_of(requester)
        return await archive_store.fetch_members(self._db, scope.tenant_id)

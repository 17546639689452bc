"""The use cases of silences: notice, end, say when a source is expected to send."""

import itertools
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from esante.core import clock
from esante.core.journal import Event, Journal, event
from esante.core.storage import Connection, Database, insert
from esante.core.web import N_, NOT_FOUND, Page, Problem, bad_request, decode_offset_cursor, encode_cursor
from esante.identity.access import Requester, require_operator
from esante.services.soc.alerts.model import Level, NewAlert, Origin
from esante.services.soc.alerts.service import Alerts
from esante.services.soc.silence import silence_store
from esante.services.soc.silence.rules import WEEK, Hours, WatchedSource, is_silent
from esante.services.soc.tenants.service import Tenants

PAGE_SIZE = 50


@event("soc.silence_ended")
class SilenceEnded(Event, frozen=True, kw_only=True):
    """A source that was silent sends again, or is not watched any more: its alert needs nothing more."""

    tenant_id: UUID
    source_id: UUID
    alert_id: UUID | None = None


@event("soc.source_hours_changed")
class SourceHoursChanged(Event, frozen=True, kw_only=True):
    """An operator said when a source is expected to send: spans of the week in minutes, none for always."""

    tenant_id: UUID
    source_id: UUID
    hours: list[tuple[int, int]]


class Silences:
    """Watches over sources that are expected to send."""

    def __init__(self, db: Database, journal: Journal, tenants: Tenants, alerts: Alerts) -> None:
        self._db, self._journal, self._tenants, self._alerts = db, journal, tenants, alerts

    async def check(self) -> None:
        """End the silences that are over, and alert once for each that has begun; one process at a time does it."""
        now = clock.now()
        async with self._db.transaction() as conn:
            if not await silence_store.try_lock(conn):
                return
            for tenant_id, source_id, alert_id in await silence_store.end_silences(conn, now):
                event = SilenceEnded(tenant_id=tenant_id, source_id=source_id, alert_id=alert_id)
                await insert(conn, self._journal.rows(event))
            silent = [one for one in await silence_store.fetch_watched(conn) if is_silent(one, now)]
            for source in silent:
                await self._notice(conn, source)

    async def set_hours(self, requester: Requester, tenant_id: UUID, source_id: UUID, hours: Sequence[Hours]) -> None:
        """Say when a source is expected to send; none: always. Raises: Problem 403, 404, 400 for wrong spans."""
        require_operator(requester)
        ordered = sorted(hours)
        overlap = any(one.ends > after.begins for one, after in itertools.pairwise(ordered))
        if overlap or any(not 0 <= one.begins < one.ends <= WEEK for one in ordered):
            raise bad_request("hours", N_("The hours overlap, or end before they begin."), code="value")
        await self._tenants.tenant(requester, tenant_id)
        async with self._db.transaction() as conn:
            if not await silence_store.has_source(conn, tenant_id, source_id):
                raise Problem(404, "not-found", NOT_FOUND)
            await silence_store.replace_hours(conn, tenant_id, source_id, ordered)
            event = SourceHoursChanged(
                tenant_id=tenant_id, source_id=source_id, hours=[(one.begins, one.ends) for one in ordered]
            )
            await insert(conn, self._journal.rows_for(requester, event))

    async def hours(self, requester: Requester, tenant_id: UUID, source_id: UUID) -> list[Hours]:
        """Return when a source is expected to send; none: always. Raises: Problem 404."""
        await self._tenants.tenant(requester, tenant_id)
        return await silence_store.fetch_hours(self._db, tenant_id, source_id)

    async def page(self, requester: Requester, text: str = "", cursor: str | None = None) -> Page[Any]:
        """Return a page of the silences that somebody sees, those that go on first, then the newest.

        Raises: Problem 404, 400.
        """
        scope, skip = await self._tenants.scope_of(requester), decode_offset_cursor(cursor)
        found = await silence_store.fetch_silences(self._db, scope, text.strip(), skip, PAGE_SIZE + 1)
        return Page(found[:PAGE_SIZE], encode_cursor(skip + PAGE_SIZE) if len(found) > PAGE_SIZE else None)

    async def _notice(self, conn: Connection, source: WatchedSource) -> None:
        alert = NewAlert(
            tenant_id=source.tenant_id,
            key=f"silence:{source.source_id}:{source.last_at.isoformat()}",
            first_at=source.last_at,
            last_at=clock.now(),
            origin=Origin.SILENCE,
            rule="silence",
            title=N_("A source sends no events"),
            level=Level.MEDIUM,
            subject=source.name,
            why=N_("“%(source)s” has sent nothing since %(since)s; at least one event every %(every)s is expected."),
            values={
                "source": source.name,
                "since": source.last_at.isoformat(timespec="minutes"),
                "every": str(source.every),
            },
            techniques=("T1562",),
        )
        raised = await self._alerts.raise_in(conn, [alert])
        row = (
            source.tenant_id,
            source.source_id,
            source.last_at,
            raised[0].alert_id if raised else None,
            clock.now(),
            None,
        )
        await insert(conn, [(silence_store.SILENCE, row)])

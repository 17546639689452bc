"""The use cases of planned works: announce and withdraw; what was announced in time does not count as an outage."""

from datetime import datetime
from uuid import UUID

from esante.core import clock
from esante.core.journal import Journal
from esante.core.storage import Database, insert, uuid7
from esante.core.web import N_, NOT_FOUND, Problem, bad_request, clean_text
from esante.identity.access import Requester, require_operator
from esante.services.healthnet.sites.service import Sites
from esante.services.healthnet.supervision import anomaly_store
from esante.services.healthnet.supervision.model import PlannedWork, WorkAnnounced, WorkWithdrawn

LONGEST_DAYS = 7


class PlannedWorks:
    """Works on the network that were announced."""

    def __init__(self, db: Database, journal: Journal, sites: Sites) -> None:
        self._db, self._journal, self._sites = db, journal, sites

    async def announce(
        self, requester: Requester, site: str, begins_at: datetime, ends_at: datetime, reason: str
    ) -> PlannedWork:
        """Announce works at a site ("": on the whole network). Raises: Problem 403, 400 for a wrong time or site."""
        require_operator(requester)
        text, now = clean_text(reason, 10, 300, "reason"), clock.now()
        if begins_at <= now:
            raise bad_request("begins_at", N_("Works are announced before they begin."), code="value")
        if not begins_at < ends_at or (ends_at - begins_at).days >= LONGEST_DAYS:
            raise bad_request("ends_at", N_("Works last at most seven days, and end after they begin."), code="value")
        if site and await self._sites.by_key(site) is None:
            raise bad_request("site", N_("There is no site with this key."), code="value")
        work = PlannedWork(
            work_id=uuid7(),
            site=site,
            begins_at=begins_at,
            ends_at=ends_at,
            reason=text,
            announced_by=requester.name,
            announced_at=now,
        )
        event = WorkAnnounced(work_id=work.work_id, site=site, begins_at=begins_at, ends_at=ends_at, reason=text)
        async with self._db.transaction() as conn:
            await insert(conn, [anomaly_store.work_row(work), *self._journal.rows_for(requester, event)])
        return work

    async def withdraw(self, requester: Requester, work_id: UUID) -> None:
        """Withdraw works that have not begun. Raises: Problem 403, 404 for works that began or are not known."""
        require_operator(requester)
        async with self._db.transaction() as conn:
            if not await anomaly_store.withdraw_work(conn, work_id, clock.now()):
                raise Problem(404, "not-found", NOT_FOUND)
            await insert(conn, self._journal.rows_for(requester, WorkWithdrawn(work_id=work_id)))

    async def between(self, begin: datetime, end: datetime, site: str | None = None) -> list[PlannedWork]:
        """Return the works that touch a time, of a site with those of the network (None: of all)."""
        return await anomaly_store.fetch_works(self._db, begin, end, site)

"""What operators and contacts see first: what waits, what runs, what is silent."""

from datetime import datetime, timedelta

from esante.core import clock
from esante.core.storage import Database
from esante.core.time_zone import time_zone, today
from esante.identity.access import Requester
from esante.services.soc.console import overview_store
from esante.services.soc.console.model import Summary
from esante.services.soc.tenants.service import Tenants

RULE_DAYS = 7
DAYS = 30
"""Days of the plot of alerts."""


class Overview:
    """The figures of the overview."""

    def __init__(self, db: Database, tenants: Tenants) -> None:
        self._db, self._tenants = db, tenants

    async def summary(self, requester: Requester) -> Summary:
        """Return the figures of what somebody sees. Raises: Problem 404."""
        scope, now = await self._tenants.scope_of(requester), clock.now()
        members, sources = await overview_store.fetch_sizes(self._db, scope)
        first = today() - timedelta(days=DAYS - 1)
        start = datetime(first.year, first.month, first.day, tzinfo=time_zone())
        by_day = dict(await overview_store.fetch_days(self._db, scope, start, str(time_zone())))
        return Summary(
            members=members,
            sources=sources,
            waiting=await overview_store.fetch_waiting(self._db, scope),
            cases=await overview_store.fetch_cases(self._db, scope),
            silent=await overview_store.fetch_silent(self._db, scope, now),
            rules=await overview_store.fetch_rules(self._db, scope, now - timedelta(days=RULE_DAYS)),
            days=[(day, by_day.get(day, 0)) for number in range(DAYS) for day in [first + timedelta(days=number)]],
        )

"""How much comes in: now, and over the last day and week."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from esante.core import clock
from esante.core.storage import Database
from esante.identity.access import Requester
from esante.services.soc.cases.model import QueuePart
from esante.services.soc.console import flow_store
from esante.services.soc.console.model import Flow, FlowStep, Span
from esante.services.soc.tenants.service import Tenants
from esante.services.soc.triage import triage_store

WINDOW = timedelta(seconds=10)
MOST_COUNTED = 200_000
"""Events of the window that are counted."""
MOST_WAITING = 1_000
"""Alerts that are counted."""
SAMPLED_EVERY = timedelta(minutes=1)
_QUARTER = timedelta(minutes=15)
_KEPT = timedelta(days=8)


class EventFlow:
    """What comes in of all members."""

    def __init__(self, db: Database, tenants: Tenants) -> None:
        self._db, self._tenants = db, tenants

    async def sample(self) -> None:
        """Read the counters of all sources, and add what is new to this quarter of an hour.

        Nothing is done where another process does it. What came while none did counts as of the next one.
        """
        now = clock.now()
        async with self._db.transaction() as conn:
            if not await flow_store.lock(conn):
                return
            await flow_store.sample(conn, _floor(now, _QUARTER))
            await flow_store.delete_before(conn, now - _KEPT)

    async def now(self, requester: Requester) -> Flow:
        """Return what comes in of what somebody sees. Raises: Problem 404."""
        scope = await self._tenants.scope_of(requester)
        count = await flow_store.count_since(self._db, scope, clock.now() - WINDOW, MOST_COUNTED)
        events, faults, last = await flow_store.fetch_totals(self._db, scope)
        return Flow(
            per_second=count / WINDOW.total_seconds(),
            is_more=count == MOST_COUNTED,
            waiting=await triage_store.count_part(self._db, scope, QueuePart.WAITING, MOST_WAITING, exercises=False),
            events=events,
            faults=faults,
            last_event_at=last,
        )

    async def history(self, requester: Requester, span: Span) -> list[FlowStep]:
        """Return what came in during a span, in steps without gaps, the oldest first. Raises: Problem 404."""
        scope = await self._tenants.scope_of(requester)
        last = _floor(clock.now(), span.step)
        first = last - span.length + span.step
        return _steps(await flow_store.fetch_rates(self._db, scope, first), first, last, span.step)


def _steps(
    rates: Iterable[tuple[datetime, int, int]], first: datetime, last: datetime, step: timedelta
) -> list[FlowStep]:
    sums: dict[datetime, tuple[int, int]] = {}
    for quarter, events, faults in rates:
        start = _floor(quarter, step)
        before = sums.get(start, (0, 0))
        sums[start] = before[0] + events, before[1] + faults
    starts = [first + number * step for number in range((last - first) // step + 1)]
    return [FlowStep(start, *sums.get(start, (0, 0))) for start in starts]


def _floor(moment: datetime, step: timedelta) -> datetime:
    """Return the start of the step that a moment is in; steps are counted from midnight (UTC) of 1 January 1970."""
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    return epoch + (moment - epoch) // step * step

"""The flow of fee notes, counted from the journal, for operators."""

from datetime import datetime, time, timedelta

from esante.core import clock
from esante.core.journal import Consumer, Entry
from esante.core.storage import Connection, Database
from esante.core.time_zone import time_zone, today
from esante.identity.access import Requester, require_operator
from esante.services.billing.flow import flow_store
from esante.services.billing.flow.model import FlowKind, FlowReport
from esante.services.billing.flow.rules import count, minute_of, percentile
from esante.services.billing.flow.terms import flow_terms
from esante.services.billing.note.model import Channel, NoteKept
from esante.services.billing.pid.model import Simulated

MINUTES, DAYS = 60, 30
"""What the plots show."""
_MINUTE, _DAY = timedelta(minutes=1), timedelta(days=1)


class NoteFlow:
    """The counts of the flow."""

    def __init__(self, db: Database) -> None:
        self._db = db

    @property
    def consumer(self) -> Consumer:
        """The consumer of the journal that counts, each entry once."""
        return Consumer("billing.flow", [NoteKept, Simulated], _handle)

    async def report(self, requester: Requester) -> FlowReport:
        """Return the flow until now. Raises: `Problem` 403 for others than operators."""
        require_operator(requester)
        now, zone, day = minute_of(clock.now()), time_zone(), today()
        minutes = [now - number * _MINUTE for number in reversed(range(MINUTES))]
        days = [day - number * _DAY for number in reversed(range(DAYS))]
        by_minute = await flow_store.fetch_minutes(self._db, FlowKind.NOTE, minutes[0])
        start = datetime.combine(days[0], time.min, zone)
        by_day = await flow_store.fetch_days(self._db, FlowKind.NOTE, start, str(zone))
        per_minute = {(at, way): number for at, way, number in by_minute}
        per_day = {(on, way): number for on, way, number in by_day}
        midnight = datetime.combine(day, time.min, zone)
        times = {
            int(bound): number
            for bound, number in (await flow_store.fetch_sums(self._db, FlowKind.SIMULATION, midnight)).items()
        }
        refusals = await flow_store.fetch_sums(self._db, FlowKind.REFUSAL, midnight)
        return FlowReport(
            minutes={way: [(at, per_minute.get((at, way), 0)) for at in minutes] for way in Channel},
            days={way: [(on, per_day.get((on, way), 0)) for on in days] for way in Channel},
            simulations=sum(times.values()),
            p50_ms=percentile(times, 0.5),
            p99_ms=percentile(times, 0.99),
            refusals=sorted(refusals.items(), key=lambda one: (-one[1], one[0])),
        )

    async def tidy(self) -> None:
        """Delete the counts that are kept no longer."""
        await flow_store.delete_before(self._db, clock.now() - flow_terms(today()).keep_days * _DAY)


async def _handle(conn: Connection, entries: list[Entry]) -> None:
    await flow_store.add(conn, count(entries))

"""Pure rules of the flow: what of the journal is counted, and percentiles of a histogram."""

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime

from esante.core.journal import Entry
from esante.services.billing.flow.model import BOUNDS, Counted, FlowKind
from esante.services.billing.note.model import NoteKept
from esante.services.billing.pid.model import Simulated


def count(entries: Iterable[Entry]) -> Counter[Counted]:
    """Return how often each thing happened in each minute."""
    found: Counter[Counted] = Counter()
    for entry in entries:
        minute, event = minute_of(entry.at), entry.event
        if isinstance(event, NoteKept):
            found[Counted(minute, FlowKind.NOTE, event.channel)] += 1
        elif isinstance(event, Simulated):
            found.update(Counted(minute, FlowKind.REFUSAL, rule) for rule in event.refusals)
            if event.allowed:
                found[Counted(minute, FlowKind.SIMULATION, str(bound_of(event.micros)))] += 1
            elif event.rule:
                found[Counted(minute, FlowKind.REFUSAL, event.rule)] += 1
    return found


def minute_of(at: datetime) -> datetime:
    """Return the minute in which a moment lies."""
    return at.replace(second=0, microsecond=0)


def bound_of(micros: int) -> int:
    """Return the class of a time: the least bound in milliseconds that it does not exceed, or the greatest one."""
    return next((bound for bound in BOUNDS if micros <= bound * 1_000), BOUNDS[-1])


def percentile(histogram: Mapping[int, int], share: float) -> int | None:
    """Return the bound that a share of what a histogram counts does not exceed; None where it counts nothing."""
    total, seen = sum(histogram.values()), 0
    for bound in sorted(histogram):
        seen += histogram[bound]
        if seen >= share * total > 0:
            return bound
    return None

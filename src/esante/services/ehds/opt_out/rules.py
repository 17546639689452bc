"""What professionals could read of a record at which time, out of the journal's entries of its person's choices."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from esante.core.journal import Entry
from esante.identity.access import RecordState, SharingChanged, StateChanged


@dataclass(frozen=True, slots=True)
class Period:
    """A time (UTC) in which the same was in force; `until` None: it still is.

    `shared`: those whom the person gave access could read the record. `cause`: what began it: opened, closed, stopped,
    started, or "" for the time before the first entry.
    """

    since: datetime | None
    until: datetime | None
    shared: bool
    cause: str = ""

    def includes(self, at: datetime) -> bool:
        """Return whether a moment is in the period, which begins with `since` and ends before `until`."""
        return (self.since is None or self.since <= at) and (self.until is None or at < self.until)


def periods_of(entries: Iterable[Entry]) -> list[Period]:
    """Return the periods of a record, the first one first; `entries`: in any order.

    A record is shared while it is open and its person has not turned sharing off. Changes that change nothing of that
    begin no period.
    """
    is_open, sharing = False, True
    found = [Period(None, None, shared=False)]
    for entry in sorted(entries, key=lambda one: one.id):
        event = entry.event
        if isinstance(event, SharingChanged):
            sharing, cause = event.sharing, "started" if event.sharing else "stopped"
        elif isinstance(event, StateChanged):
            is_open = event.after == RecordState.OPEN
            cause = "opened" if is_open else "closed"
        else:
            continue
        if (shared := is_open and sharing) != found[-1].shared:
            last = found[-1]
            found[-1] = Period(last.since, entry.at, last.shared, last.cause)
            found.append(Period(entry.at, None, shared, cause))
    return found


def period_at(periods: Sequence[Period], at: datetime) -> Period:
    """Return the period that a moment is in."""
    return next(one for one in periods if one.includes(at))

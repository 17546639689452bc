"""Pure decisions about dispositions: when they are due, whether one may be done now."""

from datetime import datetime, timedelta

from esante.core.time_limits import end_of, last_day
from esante.core.time_zone import day_of
from esante.identity.access.disposition.model import Act, Backlog, Disposition, DispositionState
from esante.identity.access.lifecycle_terms import lifecycle_terms
from esante.identity.access.model import RecordState

ONE_DAY = timedelta(days=1)


def deletion_of(state: RecordState, since: datetime, now: datetime) -> tuple[str, datetime] | None:
    """Return the rule by which a record in a state since a moment will be deleted, and when; None: it will not be."""
    terms = lifecycle_terms(since.date())
    if state is RecordState.OBJECTED:
        return "objection", end_of(last_day(max(since, now), days=terms.objection_waiting_days))
    if state is RecordState.CLOSED:
        return "archive", no_earlier_than_notice(end_of(last_day(since, years=terms.archive_years)), now)
    return None


def inactivity_ends(last_access: datetime) -> datetime:
    """Return the moment at which a record that was last used at a moment is to be closed."""
    return end_of(last_day(last_access, years=lifecycle_terms(last_access.date()).inactivity_years))


def no_earlier_than_notice(due: datetime, notified: datetime) -> datetime:
    """Return when a disposition may be done that the person is told of at a moment."""
    return max(due, end_of(last_day(notified, days=lifecycle_terms(notified.date()).notice_days)))


def is_due(disposition: Disposition, now: datetime) -> bool:
    """Return whether a disposition may be worked on: it is open, nobody holds it, its time has come."""
    is_open = disposition.state in (DispositionState.PLANNED, DispositionState.RUNNING)
    is_notified = disposition.notified_at is not None or disposition.act is Act.LOG
    return is_open and is_notified and disposition.held_at is None and disposition.due_at <= now


def may_go_unattended(backlog: Backlog, now: datetime) -> bool:
    """Return whether the deletions that are due need no approval by two people: with those of a day they are few."""
    return backlog.dispositions + backlog.done <= lifecycle_terms(day_of(now)).unattended_per_day

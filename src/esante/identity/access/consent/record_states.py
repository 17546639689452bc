"""The states of a record in its lifecycle: which acts lead from which to which, and when its time is over."""

from datetime import datetime

from esante.core.time_limits import end_of, last_day
from esante.identity.access.lifecycle_terms import lifecycle_terms
from esante.identity.access.model import RecordState

TRANSITIONS = {
    "activate": ((RecordState.ANNOUNCED,), RecordState.OPEN),
    "object": ((RecordState.ANNOUNCED, RecordState.OPEN), RecordState.OBJECTED),
    "close": ((RecordState.OPEN,), RecordState.CLOSED),
    "reopen": ((RecordState.OBJECTED, RecordState.CLOSED, RecordState.DELETED), RecordState.OPEN),
}
"""The acts of a person that change the state of their record: from which states, to which state.

Source: RGD of 6 December 2019 (Memorial A909), articles 3 and 4.
"""
DYING = (RecordState.ANNOUNCED, RecordState.OPEN)
"""The states that a death ends: the record is closed, and does not open any more."""


def next_state(state: RecordState, act: str) -> RecordState | None:
    """Return the state after `act` (also when the record is in it already), or None when the act is not allowed."""
    before, after = TRANSITIONS.get(act, ((), None))
    return after if state in before or state is after else None


def objection_ends(sent: datetime) -> datetime:
    """Return the moment at which the record of a person opens whose letter was sent at a moment."""
    return end_of(last_day(sent, days=lifecycle_terms(sent.date()).objection_days))


def state_after_correction(objection_until: datetime | None, now: datetime) -> RecordState:
    """Return the state of a record that was closed for a death that was reported in error."""
    is_waiting = objection_until is not None and objection_until > now
    return RecordState.ANNOUNCED if is_waiting else RecordState.OPEN

"""The state machine of a case. Pure."""

from collections.abc import Mapping
from enum import StrEnum
from uuid import UUID

from esante.core.web import N_, Problem
from esante.services.soc.cases.model import Case, State


class Act(StrEnum):
    """What changes the state of a case."""

    TAKE = "take"
    PROPOSE = "propose"
    DECLINE = "decline"
    CONFIRM = "confirm"
    REOPEN = "reopen"
    MERGE = "merge"


TRANSITIONS: Mapping[tuple[State, Act], State] = {
    (State.OPEN, Act.TAKE): State.WORKING,
    (State.WORKING, Act.TAKE): State.WORKING,
    (State.OPEN, Act.PROPOSE): State.CLOSING,
    (State.WORKING, Act.PROPOSE): State.CLOSING,
    (State.CLOSING, Act.DECLINE): State.WORKING,
    (State.CLOSING, Act.CONFIRM): State.CLOSED,
    (State.CLOSED, Act.REOPEN): State.WORKING,
    (State.OPEN, Act.MERGE): State.MERGED,
    (State.WORKING, Act.MERGE): State.MERGED,
}
"""The state after an act; what is not here is refused."""


def after(case: Case, act: Act, by: UUID) -> State:
    """Return the state of a case after somebody's act.

    Raises: Problem 409 for an act that its state does not allow, and for a second approval by the person of the first.
    """
    state = TRANSITIONS.get((case.state, act))
    if state is None:
        raise Problem(409, "conflict", N_("The case has changed in the meantime."), remedy=N_("Open it again."))
    if act is Act.CONFIRM and case.proposed_by_id == by:
        raise Problem(409, "conflict", N_("A second person has to close the case."))
    return state


def require_active(case: Case) -> None:
    """Raise Problem 409 where a case is closed, or merged into another."""
    if case.state in (State.CLOSED, State.MERGED):
        raise Problem(409, "conflict", N_("The case is closed. Open it again to change it."))


def require_real(case: Case) -> None:
    """Raise Problem 409 where a case is an exercise: nothing is notified, contained or handed over."""
    if case.is_exercise:
        raise Problem(409, "conflict", N_("This case is an exercise: nothing leaves it."))

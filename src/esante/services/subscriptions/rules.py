"""Pure decisions: to whom an event belongs, when a delivery is tried again, what a change of status does."""

from datetime import datetime, timedelta

from esante.contract import Focus
from esante.identity.access import Purpose, Requester, Verdict
from esante.services.record import Look
from esante.services.subscriptions.model import Status, Subscription
from esante.services.subscriptions.policy import Policy
from esante.services.subscriptions.topics import TOPICS


def belongs(subscription: Subscription, look: Look, focus: Focus, at: datetime, now: datetime) -> bool:
    """Whether what happened to `focus` at a moment is an event of a subscription.

    It must fit the filters, and be there for the subscriber both as of then and as of now.
    """
    if not subscription.since <= at < subscription.ends_at:
        return False
    owner = subscription.owner
    return fits(subscription, look, focus) and all(look.verdict(owner, focus, moment) for moment in (at, now))


def fits(subscription: Subscription, look: Look, focus: Focus) -> bool:
    """Whether a thing is one that the filters of a subscription let through."""
    wish = subscription.wish
    if wish.patient_id not in (None, focus.person_id):
        return False
    filters = TOPICS[wish.topic].filters
    for name, all_of in wish.filters.items():
        known = filters[name]
        code = known.code(look, focus)
        for any_of in all_of:
            if not any(system in (None, known.system) and given == code for system, given in any_of):
                return False
    return True


def still(subscription: Subscription, look: Look, focus: Focus, now: datetime) -> Verdict | None:
    """The verdict by which an event that waited may be told now; None: it may not."""
    return look.verdict(subscription.owner, focus, now) if fits(subscription, look, focus) else None


def purpose_of(owner: Requester) -> Purpose:
    """Why somebody is told."""
    return Purpose.PATIENT_REQUEST if owner.kind == "patient" else Purpose.TREATMENT


def wait(policy: Policy, failures: int, chance: float) -> timedelta:
    """How long to wait after so many failures in a row (from 1 on): each time twice as long, up to a bound.

    `chance` (0 to 1) spreads it over the second half, so that what failed together is not tried again together.
    """
    longest = min(policy.longest_wait, policy.first_wait * int(2 ** min(failures - 1, 30)))
    return longest * (0.5 + chance / 2)


def next_status(now: Status, wanted: Status) -> Status | None:
    """The status after a subscriber asked for one; None: it cannot be asked for.

    A client may send back the status that it read. Off and in error, a subscription begins anew with a handshake.
    """
    if wanted is Status.OFF or wanted is now:
        return wanted
    if wanted is Status.ERROR:
        return None
    return Status.REQUESTED if now in (Status.OFF, Status.ERROR) else now

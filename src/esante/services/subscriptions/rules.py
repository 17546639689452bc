"""Pure rules: which subscriptions an event belongs to, when a delivery is tried again, how a status changes."""

from datetime import datetime, timedelta

from esante.contract import Focus
from esante.identity.access import Purpose, Requester, Verdict
from esante.services.record import Look
from esante.services.subscriptions.model import Subscription, SubscriptionStatus
from esante.services.subscriptions.policy import SubscriptionPolicy
from esante.services.subscriptions.topics import TOPICS


def belongs(subscription: Subscription, look: Look, focus: Focus, at: datetime, now: datetime) -> bool:
    """Return whether what happened to `focus` at a time is an event of a subscription.

    It must pass the filters, and the subscriber must be allowed to see it both as of then and as of now.
    """
    if not subscription.since <= at < subscription.ends_at:
        return False
    owner = subscription.owner
    return passes_filters(subscription, look, focus) and all(
        look.verdict(owner, focus, moment) for moment in (at, now)
    )


def passes_filters(subscription: Subscription, look: Look, focus: Focus) -> bool:
    """Return whether a resource passes the filters of a subscription."""
    request = subscription.request
    if request.patient_id not in (None, focus.person_id):
        return False
    filters = TOPICS[request.topic].filters
    for name, all_of in request.filters.items():
        known = filters[name]
        code = known.code(look, focus)
        for any_of in all_of:
            if not any(system in (None, known.system) and wanted == code for system, wanted in any_of):
                return False
    return True


def current_verdict(subscription: Subscription, look: Look, focus: Focus, now: datetime) -> Verdict | None:
    """Return the verdict by which a waiting event may be notified now; None: it may not."""
    return look.verdict(subscription.owner, focus, now) if passes_filters(subscription, look, focus) else None


def purpose_of(owner: Requester) -> Purpose:
    """Return the purpose of notifications to an owner."""
    return Purpose.PATIENT_REQUEST if owner.kind == "patient" else Purpose.TREATMENT


def retry_wait(policy: SubscriptionPolicy, failures: int, chance: float) -> timedelta:
    """Return the wait after `failures` in a row (from 1 on): doubled each time, up to a bound.

    `chance` (0 to 1) spreads it over the second half, so that deliveries that failed together are not tried again
    together.
    """
    longest = min(policy.longest_wait, policy.first_wait * int(2 ** min(failures - 1, 30)))
    return longest * (0.5 + chance / 2)


def next_status(now: SubscriptionStatus, wanted: SubscriptionStatus) -> SubscriptionStatus | None:
    """Return the status after a subscriber asked for `wanted`; None: it cannot be asked for.

    A client may send back the status that it read. From off and error, a subscription begins again with a handshake.
    """
    if wanted is SubscriptionStatus.OFF or wanted is now:
        return wanted
    if wanted is SubscriptionStatus.ERROR:
        return None
    restarts = now in (SubscriptionStatus.OFF, SubscriptionStatus.ERROR)
    return SubscriptionStatus.REQUESTED if restarts else now

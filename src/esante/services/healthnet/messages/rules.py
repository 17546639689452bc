"""Pure rules of messages: who may write to whom, and which states follow each other."""

from collections.abc import Iterable

from esante.services.healthnet.messages.model import MessageState
from esante.services.healthnet.policy.model import PLATFORM, Site
from esante.services.healthnet.policy.proof import possible_sites
from esante.services.healthnet.policy.rules import Decider

SERVICE = "messaging"
"""The service of the policy that decides about messages."""
BEFORE: dict[MessageState, frozenset[MessageState]] = {
    MessageState.DELIVERED: frozenset({MessageState.ACCEPTED}),
    MessageState.READ: frozenset({MessageState.ACCEPTED, MessageState.DELIVERED}),
    MessageState.REFUSED: frozenset({MessageState.ACCEPTED, MessageState.DELIVERED}),
    MessageState.EXPIRED: frozenset({MessageState.ACCEPTED}),
}
"""The states that each state may follow."""
ACKNOWLEDGED = frozenset({MessageState.DELIVERED, MessageState.READ, MessageState.REFUSED})
"""The states that a recipient reports."""
FINAL = frozenset({MessageState.READ, MessageState.REFUSED, MessageState.EXPIRED})
"""The states after which the content is not kept."""


def may_write(decider: Decider, sender: Site, recipient: Site) -> bool:
    """Return whether a site may send messages to another.

    It may when the policy lets it reach the other by the service of messages, or lets both reach a site of the
    platform by it: messages go through the platform. A policy without that service allows none.
    """
    if SERVICE not in decider.policy.services or sender.key == recipient.key:
        return False
    if decider.reach(sender, recipient, SERVICE).is_allowed:
        return True
    platforms = [*_platforms(decider)]
    return _reaches_one(decider, sender, platforms) and _reaches_one(decider, recipient, platforms)


def _platforms(decider: Decider) -> Iterable[Site]:
    return (site for site in possible_sites(decider.policy, [PLATFORM], []) if site.kind == PLATFORM)


def _reaches_one(decider: Decider, site: Site, platforms: Iterable[Site]) -> bool:
    return any(decider.reach(site, platform, SERVICE).is_allowed for platform in platforms)

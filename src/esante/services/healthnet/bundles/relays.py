"""Which tunnels are relayed, and by which site: those of two sites that cannot be reached from the Internet."""

import hashlib
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime, timedelta

SILENT_AFTER = timedelta(minutes=3)
"""How long after its last heartbeat a relay hands its tunnels over to others."""


def relay_of(one: str, other: str, relays: Collection[str]) -> str:
    """Return the relay of two sites, in any order, "" when there is none.

    Pairs are divided among relays by rendezvous hashing: a relay that goes moves its own pairs and no others.
    """
    first, second = sorted((one, other))
    return max(relays, key=lambda relay: hashlib.sha256(f"{first}/{second}/{relay}".encode()).digest(), default="")


def silent_relays(heard: Mapping[str, datetime | None], now: datetime) -> frozenset[str]:
    """Return the relays that fell silent; `heard`: the last heartbeat of each, None for one that never sent any.

    When all are silent nothing is known of them: the controller itself was away.
    """
    late = frozenset(relay for relay, at in heard.items() if at is not None and now - at > SILENT_AFTER)
    return late if len(late) < len(heard) else frozenset()


class RelayPlan:
    """The relayed tunnels of all sites."""

    def __init__(self) -> None:
        self._relayed: dict[str, dict[str, str]] = {}
        self._clients: dict[str, dict[str, dict[str, int]]] = {}
        """How many sides ask a relay to connect one site with another: 1, or 2 when both do."""

    def relayed(self, site: str) -> Mapping[str, str]:
        """Return the relay of each site whose tunnel with this one is relayed."""
        return self._relayed.get(site, {})

    def clients(self, relay: str) -> Mapping[str, frozenset[str]]:
        """Return the sites whose tunnels a relay forwards, with those at the other ends."""
        return {site: frozenset(others) for site, others in self._clients.get(relay, {}).items() if others}

    def put(self, site: str, others: Iterable[str], relays: Collection[str]) -> set[str]:
        """Take the sites with which one cannot have a direct tunnel; return the relays for which that is a change."""
        before = self._relayed.get(site, {})
        after = {other: relay for other in others if (relay := relay_of(site, other, relays))}
        if after == before:
            return set()
        affected = set()
        for changed, step in ((before.items() - after.items(), -1), (after.items() - before.items(), 1)):
            for other, relay in changed:
                affected.add(relay)
                self._count(relay, site, other, step)
                self._count(relay, other, site, step)
        self._relayed[site] = after
        if not after:
            del self._relayed[site]
        return affected

    def _count(self, relay: str, one: str, other: str, step: int) -> None:
        counts = self._clients.setdefault(relay, {}).setdefault(one, {})
        counts[other] = counts.get(other, 0) + step
        if not counts[other]:
            del counts[other]

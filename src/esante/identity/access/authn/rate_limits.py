"""Bounds on what can be tried, and what the journal tells of who was turned away: each once in a while, no flood.

Attempts are counted in the database, so that all processes count together. Who passes a limit is told of once in a
window. Of unknown tokens and missing scopes each process tells the first of its kind from an origin in a window, and
of no more than `MOST` in all: whoever sends millions neither fills the journal nor costs a write each.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from esante.core.journal import Actor, Journal
from esante.core.storage import Database
from esante.core.web import N_, Problem
from esante.identity.access.consent import store
from esante.identity.access.events import RequestRejected
from esante.identity.access.matrix import Policy, policy
from esante.identity.access.model import Requester

MOST = 1_000
NOBODY = Actor(kind="")
"""Who has not shown who he is."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Limits:
    """Counts attempts, and tells of who was turned away."""

    def __init__(self, db: Database, journal: Journal) -> None:
        self._db, self._journal = db, journal
        self._window_start = _EPOCH
        self._told: set[tuple[object, ...]] = set()

    async def count(
        self, limits: Mapping[str, int], window: timedelta, *, actor: Actor = NOBODY, origin: str = ""
    ) -> None:
        """Count one attempt of each subject in `limits`; Problem 429 when one passes its limit in this window."""
        now = datetime.now(UTC)
        start = _floor(now, window)
        counts = await store.count_attempts(self._db, list(limits), start)
        over = [count - limit for count, limit in zip(counts, limits.values(), strict=True) if count > limit]
        if not over:
            return
        if 1 in over:
            await self._journal.append(RequestRejected(reason="limit"), actor=actor, origin=origin)
        wait = int((start + window - now).total_seconds()) + 1
        raise Problem(
            429,
            "throttled",
            N_("Too many attempts."),
            remedy=N_("Please wait a few minutes, then try again."),
            headers={"Retry-After": str(wait)},
        )

    async def guess(self, requester: Requester, terms: Policy) -> None:
        """Count an attempt to get at somebody's record; Problem 429 when there were too many."""
        limits = {f"requester:{requester.id}": terms.attempts_per_requester}
        if requester.origin:
            limits[f"origin:{requester.origin}"] = terms.attempts_per_origin
        await self.count(limits, terms.attempt_window, actor=requester.actor, origin=requester.origin)

    async def search(self, requester: Requester) -> None:
        """Count a search for persons; Problem 429 when there were too many."""
        terms = policy(datetime.now(UTC).date())
        own_software = requester.kind == "organization"
        most = terms.searches_per_organization if own_software else terms.searches_per_requester
        limits = {f"search:{requester.id}": most}
        await self.count(limits, terms.attempt_window, actor=requester.actor, origin=requester.origin)

    async def turned_away(self, reason: str, actor: Actor, origin: str, needed: str = "") -> None:
        """Tell that a request was refused for its token (`token`) or its scopes (`scope`: those `needed`)."""
        start = _floor(datetime.now(UTC), policy(datetime.now(UTC).date()).attempt_window)
        if start != self._window_start:
            self._window_start = start
            self._told.clear()
        kind = reason, origin, actor.id, needed
        if kind not in self._told and len(self._told) < MOST:
            self._told.add(kind)
            await self._journal.append(RequestRejected(reason=reason, needed=needed), actor=actor, origin=origin)


def _floor(now: datetime, window: timedelta) -> datetime:
    return now - (now - _EPOCH) % window

"""Rate limits of attempts, and sampled journal entries of rejected requests.

Attempts are counted in the database, over all processes, by the network that they come from (`network_of`). An
exceeded limit is journalled once in a window. Of unknown tokens and missing scopes each process journals the first of
its kind from a network in a window. Of what nobody signed in for, and of refused sign-ins, a process journals no more
than `MAX_REJECTIONS` each in a window, from wherever they come: a flood of requests neither fills the journal nor
costs a write each.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from math import ceil

from esante.core import clock
from esante.core.journal import Actor, Journal
from esante.core.storage import Database
from esante.core.time_zone import day_of, today
from esante.core.web import N_, Problem, network_of
from esante.identity.access.authn import attempt_store
from esante.identity.access.events import RequestRejected, SignInRefused
from esante.identity.access.model import Requester
from esante.identity.access.regulation.policy_set import policy
from esante.identity.access.regulation.terms import AdmissionLimits, Policy

MAX_REJECTIONS = 1_000
ANONYMOUS = Actor(kind="")
"""The actor of a request that is not authenticated."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Excess:
    """So many attempts, of `most`, within so many hours."""

    count: int
    most: int
    hours: int


class RateLimits:
    """Counts attempts, and journals rejections."""

    def __init__(self, db: Database, journal: Journal) -> None:
        self._db, self._journal = db, journal
        self._window_start = _EPOCH
        self._recorded: set[tuple[object, ...]] = set()
        self._refused = 0

    async def count_attempts(
        self, limits: Mapping[str, int], window: timedelta, *, actor: Actor = ANONYMOUS, origin: str = ""
    ) -> list[int]:
        """Count one attempt of each subject in `limits`, which gives the most attempts of a subject in a window.

        Returns how many each has made in the current window.

        Raises: Problem 429 when a subject exceeds its limit in the current window.
        """
        now = clock.now()
        start = window_start(now, window)
        counts = await attempt_store.count_attempts(self._db, list(limits), start)
        excess = [count - limit for count, limit in zip(counts, limits.values(), strict=True) if count > limit]
        if not excess:
            return counts
        if 1 in excess and (actor.kind or self._may_record(("limit", *limits))):
            await self._journal.append(RequestRejected(reason="limit"), actor=actor, origin=origin)
        wait = int((start + window - now).total_seconds()) + 1
        raise Problem(
            429,
            "throttled",
            N_("Too many attempts."),
            remedy=N_("Wait a few minutes, then try again."),
            headers={"Retry-After": str(wait)},
        )

    async def count_guess(self, requester: Requester, terms: Policy) -> None:
        """Count an attempt to gain access to a record. Raises: Problem 429 after too many."""
        limits = {f"requester:{requester.id}": terms.attempts_per_requester}
        if requester.origin:
            limits[f"origin:{network_of(requester.origin)}"] = terms.attempts_per_origin
        await self.count_attempts(limits, terms.attempt_window, actor=requester.actor, origin=requester.origin)

    async def count_search(self, requester: Requester) -> None:
        """Count a search for persons. Raises: Problem 429 after too many."""
        terms = policy(today())
        is_software = requester.kind == "organization"
        most = terms.searches_per_organization if is_software else terms.searches_per_requester
        limits = {f"search:{requester.id}": most}
        await self.count_attempts(limits, terms.attempt_window, actor=requester.actor, origin=requester.origin)

    async def count_proof(self, requester: Requester) -> None:
        """Count a proof of the access log that is to be made. Raises: Problem 429 after too many."""
        terms = policy(today())
        limits = {f"proof:{requester.id}": terms.proofs_per_requester}
        await self.count_attempts(limits, terms.attempt_window, actor=requester.actor, origin=requester.origin)

    async def count_admission(self, requester: Requester, terms: AdmissionLimits, professionals: int) -> list[Excess]:
        """Count a new admission of an organisation where so many professionals work.

        Returns the limits of which this admission reaches the share from which on operators get an alarm.
        Raises: Problem 429 after too many.
        """
        reached = []
        for hours, most in ((1, terms.most_per_hour(professionals)), (24, terms.most_per_day(professionals))):
            limits = {f"admissions-{hours}:{requester.id}": most}
            window = timedelta(hours=hours)
            (count,) = await self.count_attempts(limits, window, actor=requester.actor, origin=requester.origin)
            if count == max(1, ceil(terms.alarm_share * most)):
                reached.append(Excess(count=count, most=most, hours=hours))
        return reached

    async def record_rejection(self, reason: str, actor: Actor, origin: str, needed: str = "") -> None:
        """Journal that a request was rejected, unless this process has journalled its kind in the current window.

        `reason`: `token` for a token that is not valid, `scope` for missing scopes, which are then in `needed`.
        """
        if self._may_record((reason, network_of(origin), actor.id, needed)):
            await self._journal.append(RequestRejected(reason=reason, needed=needed), actor=actor, origin=origin)

    async def count_refused_sign_in(self, event: SignInRefused, origin: str) -> None:
        """Count a refused sign-in with a key, and journal it. Raises: Problem 429 after too many from a network."""
        terms = policy(today())
        limits = {f"oauth:{network_of(origin)}": terms.attempts_per_origin}
        await self.count_attempts(limits, terms.attempt_window, origin=origin)
        self._begin_window()
        self._refused += 1
        if self._refused <= MAX_REJECTIONS:
            await self._journal.append(event, origin=origin)

    def _may_record(self, kind: tuple[object, ...]) -> bool:
        """Return whether a rejection is the first of its kind in the window, and not one too many of all kinds."""
        self._begin_window()
        if kind in self._recorded or len(self._recorded) >= MAX_REJECTIONS:
            return False
        self._recorded.add(kind)
        return True

    def _begin_window(self) -> None:
        now = clock.now()
        start = window_start(now, policy(day_of(now)).attempt_window)
        if start != self._window_start:
            self._window_start, self._refused = start, 0
            self._recorded.clear()


def window_start(now: datetime, window: timedelta) -> datetime:
    """Return the beginning of the window in which a moment lies."""
    return now - (now - _EPOCH) % window

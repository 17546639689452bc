"""The motive of look-ups, and the limit of look-ups of unknown persons: nobody learns by guessing who is known.

Every look-up of a person by an identifier or a search passes here (`Directory.lookups`). Those that find nobody are
counted by requester, over all processes, and journalled; after too many in a window every look-up of the requester is
refused before it is made, so that the refusal does not tell known persons from unknown ones.
"""

import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime

from esante.core import clock
from esante.core.journal import Journal
from esante.core.storage import Database
from esante.core.time_zone import day_of, today
from esante.core.web import N_, Problem
from esante.identity.access.authn import attempt_store
from esante.identity.access.authn.rate_limits import window_start
from esante.identity.access.model import Purpose, Requester
from esante.identity.access.regulation.policy_set import policy
from esante.identity.directory import Lookup, Motive, PersonSearched, UnlimitedLookups, current_motive

current_requester: ContextVar[Requester | None] = ContextVar("current_requester", default=None)
"""Who was authenticated for the request that is worked on; None: nobody, for example a command of an operator."""
_CACHE_SECONDS = 1.0
_CACHE_SIZE = 10_000


class PersonLookups:
    """Knows why the current requester looks people up, and counts the look-ups that find nobody."""

    def __init__(self, db: Database, journal: Journal) -> None:
        self._db, self._journal = db, journal
        self._counts: dict[str, tuple[float, datetime, int]] = {}
        self._running: Counter[str] = Counter()

    def motive(self) -> Motive:
        """Return the motive of a look-up of the current requester: the one stated, for a patient their own request.

        Raises: Problem 403 when none is stated: always for people at the portal, and for software where the policy
        refuses look-ups without one.
        """
        requester, stated = current_requester.get(), current_motive.get()
        if stated.purpose or requester is None:
            return stated
        if requester.kind == "patient":
            return Motive(Purpose.PATIENT_REQUEST.value, stated.file_reference)
        if requester.scopes is not None and policy(today()).unstated_lookups_allowed:
            return stated
        raise Problem(
            403,
            "motive-missing",
            N_("Look-ups in the directory need a motive."),
            remedy=N_("State it in the header X-Purpose-Of-Use, and the file that it is for in X-File-Reference."),
        )

    @asynccontextmanager
    async def admitted(self) -> AsyncIterator[Lookup]:
        """Yield a look-up of the current requester.

        One that still runs counts as if it found nobody: else many at once would pass the limit together.
        Raises: Problem 429 when the requester looked up too many unknown persons in this window.
        """
        requester = current_requester.get()
        if requester is None:
            yield UnlimitedLookups()
            return
        now, subject = clock.now(), _subject(requester)
        terms = policy(day_of(now))
        most = terms.unknown_per_organization if requester.kind == "organization" else terms.unknown_per_requester
        start = window_start(now, terms.attempt_window)
        if await self._count(subject, start) + self._running[subject] >= most:
            raise _too_many(int((start + terms.attempt_window - now).total_seconds()) + 1)
        self._running[subject] += 1
        try:
            yield _RequesterLookup(self, requester)
        finally:
            self._running[subject] -= 1
            self._running += Counter()  # drops those at zero

    async def record_miss(self, requester: Requester, *, journalled: bool) -> None:
        """Count a look-up that found nobody, and journal it unless that was done (`journalled`)."""
        now = clock.now()
        start, subject = window_start(now, policy(day_of(now)).attempt_window), _subject(requester)
        (count,) = await attempt_store.count_attempts(self._db, [subject], start)
        self._keep(subject, start, count)
        if not journalled:
            stated = current_motive.get()
            event = PersonSearched(
                by=("identifier",), found=0, motive=stated.purpose, file_reference=stated.file_reference
            )
            await self._journal.append_for(requester, event)

    async def _count(self, subject: str, start: datetime) -> int:
        """Return how many a requester has made in a window; what other processes counted is at most a second old."""
        known = self._counts.get(subject)
        if known and known[1] == start and time.monotonic() - known[0] < _CACHE_SECONDS:
            return known[2]
        count = await attempt_store.fetch_attempts(self._db, subject, start)
        self._keep(subject, start, count)
        return count

    def _keep(self, subject: str, start: datetime, count: int) -> None:
        if len(self._counts) >= _CACHE_SIZE:
            self._counts.clear()
        self._counts[subject] = time.monotonic(), start, count


def _subject(requester: Requester) -> str:
    return f"unknown:{requester.id}"


@dataclass(frozen=True, slots=True)
class _RequesterLookup:
    """A look-up of a requester."""

    lookups: PersonLookups
    requester: Requester

    async def record_miss(self, *, journalled: bool = False) -> None:
        """Count that it found nobody."""
        await self.lookups.record_miss(self.requester, journalled=journalled)


def _too_many(wait: int) -> Problem:
    return Problem(
        429,
        "throttled",
        N_("Too many look-ups of persons who are not known."),
        remedy=N_("Wait a few minutes, then try again."),
        headers={"Retry-After": str(wait)},
    )

"""The opt-out of a person from primary use: the state now, and what was in force at any moment.

Opting out is `access.restrictions.set_sharing`: from the moment of its entry professionals and their software find
nothing but what they wrote themselves; what is added meanwhile is kept, and seen again once the person opts in.
"""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from esante.core import clock
from esante.core.journal import Entry, Event, Journal
from esante.identity.access import Access, RecordState, Requester, SharingChanged, StateChanged
from esante.services.ehds.opt_out.rules import Period, period_at, periods_of

_AT_ONCE = 500
"""Entries that are read at a time."""


class PrimaryOptOut:
    """Reads what persons decided about the use of their record in care; `set` decides it."""

    def __init__(self, journal: Journal, access: Access) -> None:
        self._journal, self._access = journal, access

    async def history(self, person_id: UUID) -> list[Period]:
        """Return the periods of a person's record, the first one first."""
        entries: list[Entry] = []
        before: UUID | None = None
        types: list[type[Event]] = [SharingChanged, StateChanged]
        while page := await self._journal.entries_of(person_id, types, before=before, limit=_AT_ONCE):
            entries += page
            before = page[-1].id
        return periods_of(entries)

    async def in_force(self, person_id: UUID, at: datetime | None = None) -> Period:
        """Return what is in force at a moment, now without one."""
        return period_at(await self.history(person_id), at or clock.now())

    async def state(self, requester: Requester) -> tuple[bool, bool]:
        """Return whether the requester's own record is open, and whether they let it be used in care."""
        consent = await self._access.consent(requester.id)
        return consent.state is RecordState.OPEN, consent.sharing

    async def set(self, requester: Requester, *, opted_out: bool, risk_confirmed: bool = False) -> None:
        """Opt the requester out, or in again. Raises: Problem 403, 409 (see `Restrictions.set_sharing`)."""
        await self._access.restrictions.set_sharing(requester, not opted_out, risk_confirmed=risk_confirmed)


def shown_first(periods: Sequence[Period]) -> list[Period]:
    """Return periods, the latest first, without the time before the first entry."""
    return [one for one in reversed(periods) if one.since is not None]

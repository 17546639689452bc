"""The port to where facts are kept. What it returns is merged by the rules of the model, never by the store."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import Protocol
from uuid import UUID

from esante.services.soc.health.facts.model import (
    BilledAct,
    CareContact,
    CareKind,
    Emergency,
    Hour,
    Presence,
    StayFact,
    Visit,
)

VisitKey = tuple[UUID, UUID, date]
ContactKey = tuple[UUID, UUID, CareKind]
HourKey = tuple[UUID, datetime]


class FactStore(Protocol):
    """Keeps facts; `put` methods replace what has the same key. Due facts come oldest first."""

    async def visits(self, keys: Collection[VisitKey]) -> Mapping[VisitKey, Visit]:
        """Return visits by key."""

    async def put_visits(self, visits: Iterable[Visit]) -> None:
        """Keep visits."""

    async def due_visits(self, before: datetime, limit: int) -> Sequence[Visit]:
        """Return visits that were not judged and ended before a moment."""

    async def visits_of(self, persons: Collection[UUID]) -> Sequence[Visit]:
        """Return the visits of persons' records."""

    async def visits_by(self, users: Collection[UUID], days: Collection[date]) -> Sequence[Visit]:
        """Return the visits by users on days."""

    async def mark_visits(self, judged: Mapping[VisitKey, bool]) -> None:
        """Keep that visits were judged, and whether care explained them."""

    async def habits(self, users: Collection[UUID]) -> Mapping[UUID, tuple[int, int]]:
        """Return, by user, how many visits were judged, and how many of them nothing explained."""

    async def contacts(self, persons: Collection[UUID]) -> Sequence[CareContact]:
        """Return the care contacts of persons."""

    async def put_contacts(self, contacts: Iterable[CareContact]) -> None:
        """Keep care contacts."""

    async def stays(self, persons: Collection[UUID]) -> Sequence[StayFact]:
        """Return the stays of persons."""

    async def put_stays(self, stays: Iterable[StayFact]) -> None:
        """Keep stays."""

    async def due_stays(self, ended_before: datetime, began_before: datetime, limit: int) -> Sequence[StayFact]:
        """Return stays that were not judged and ended before a moment, or began before another and go on."""

    async def mark_stays(self, stays: Collection[UUID]) -> None:
        """Keep that stays were judged."""

    async def add_emergencies(self, emergencies: Iterable[Emergency]) -> None:
        """Keep emergency accesses."""

    async def due_emergencies(self, before: datetime, limit: int) -> Sequence[Emergency]:
        """Return emergency accesses before a moment that were not judged."""

    async def mark_emergency(self, emergency: Emergency, *, followed: bool) -> None:
        """Keep that an emergency access was judged, and whether care followed it."""

    async def emergencies_between(
        self, profession: str, first: datetime, last: datetime
    ) -> Mapping[UUID, tuple[int, int]]:
        """Return, by user of a profession, how many emergency accesses there were, and how many without follow-up."""

    async def hours(self, keys: Collection[HourKey]) -> Mapping[HourKey, Hour]:
        """Return hours by key."""

    async def put_hours(self, hours: Iterable[Hour]) -> None:
        """Keep hours."""

    async def due_hours(self, before: datetime, limit: int) -> Sequence[Hour]:
        """Return hours that began before a moment and were not judged."""

    async def mark_hours(self, keys: Collection[HourKey]) -> None:
        """Keep that hours were judged."""

    async def persons_an_hour(
        self, user_id: UUID, profession: str, since: datetime, until: datetime
    ) -> tuple[Sequence[int], Sequence[int]]:
        """Return the distinct persons in each hour with any: of a user, and of the others of the profession."""

    async def presences(self, users: Collection[UUID], since: datetime) -> Sequence[Presence]:
        """Return the presences of users that ended after a moment."""

    async def put_presences(self, presences: Iterable[Presence]) -> None:
        """Keep presences; of one user, no two begin at the same moment."""

    async def add_acts(self, acts: Iterable[BilledAct]) -> None:
        """Keep billed acts."""

    async def delete_notes(self, notes: Collection[UUID]) -> None:
        """Delete the acts of fee notes that do not count any more."""

    async def acts_of(self, persons: Collection[UUID]) -> Sequence[BilledAct]:
        """Return the acts of persons."""

    async def acts_on(self, biller_id: UUID, day: date) -> Sequence[BilledAct]:
        """Return the acts of a biller on a day."""

    async def busiest_days(self, profession: str, since: date, other_than: UUID) -> Sequence[int]:
        """Return the acts on the busiest day of each biller of a profession, but one."""

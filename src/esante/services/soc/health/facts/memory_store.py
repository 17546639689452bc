"""Facts in memory: for the benchmark, and as the plain twin of the tables in tests."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date, datetime
from uuid import UUID

from esante.services.soc.health.facts.model import (
    BilledAct,
    CareContact,
    Emergency,
    Hour,
    Presence,
    StayFact,
    Visit,
)
from esante.services.soc.health.facts.store import ContactKey, HourKey, VisitKey


class MemoryFacts:
    """A `FactStore` in memory."""

    def __init__(self) -> None:
        self._visits: dict[VisitKey, Visit] = {}
        self._open_visits: dict[VisitKey, None] = {}
        self._by_person: dict[UUID, dict[VisitKey, None]] = defaultdict(dict)
        self._by_user: dict[tuple[UUID, date], dict[VisitKey, None]] = defaultdict(dict)
        self._habits: dict[UUID, list[int]] = defaultdict(lambda: [0, 0])
        self._contacts: dict[UUID, dict[ContactKey, CareContact]] = defaultdict(dict)
        self._stays: dict[UUID, dict[UUID, StayFact]] = defaultdict(dict)
        self._open_stays: dict[UUID, StayFact] = {}
        self._judged_stays: set[UUID] = set()
        self._emergencies: list[Emergency] = []
        self._followed: dict[UUID, bool] = {}
        self._hours: dict[HourKey, Hour] = {}
        self._open_hours: dict[HourKey, None] = {}
        self._presences: dict[UUID, dict[datetime, Presence]] = defaultdict(dict)
        self._acts: dict[UUID, list[BilledAct]] = defaultdict(list)
        self._billed: dict[tuple[UUID, date], list[BilledAct]] = defaultdict(list)
        self._notes: dict[UUID, list[BilledAct]] = defaultdict(list)

    async def visits(self, keys: Collection[VisitKey]) -> Mapping[VisitKey, Visit]:
        """Return visits by key."""
        return {key: self._visits[key] for key in keys if key in self._visits}

    async def put_visits(self, visits: Iterable[Visit]) -> None:
        """Keep visits."""
        for one in visits:
            if one.key not in self._visits:
                self._open_visits[one.key] = None
                self._by_person[one.person_id][one.key] = None
                self._by_user[one.user.id, one.day][one.key] = None
            self._visits[one.key] = one

    async def due_visits(self, before: datetime, limit: int) -> Sequence[Visit]:
        """Return visits that were not judged and ended before a moment."""
        found = [self._visits[key] for key in self._open_visits if self._visits[key].last_at <= before]
        return sorted(found, key=lambda one: (one.last_at, one.key))[:limit]

    async def visits_of(self, persons: Collection[UUID]) -> Sequence[Visit]:
        """Return the visits of persons' records."""
        return _in_order(self._visits[key] for person in persons for key in self._by_person.get(person, ()))

    async def visits_by(self, users: Collection[UUID], days: Collection[date]) -> Sequence[Visit]:
        """Return the visits by users on days."""
        keys = (key for user in users for day in days for key in self._by_user.get((user, day), ()))
        return _in_order(self._visits[key] for key in keys)

    async def mark_visits(self, judged: Mapping[VisitKey, bool]) -> None:
        """Keep that visits were judged, and whether care explained them."""
        for key, explained in judged.items():
            self._open_visits.pop(key, None)
            self._habits[key[1]][0] += 1
            self._habits[key[1]][1] += not explained

    async def habits(self, users: Collection[UUID]) -> Mapping[UUID, tuple[int, int]]:
        """Return, by user, how many visits were judged, and how many of them nothing explained."""
        return {user: (self._habits[user][0], self._habits[user][1]) for user in users if user in self._habits}

    async def contacts(self, persons: Collection[UUID]) -> Sequence[CareContact]:
        """Return the care contacts of persons."""
        return [one for person in persons for one in self._contacts.get(person, {}).values()]

    async def put_contacts(self, contacts: Iterable[CareContact]) -> None:
        """Keep care contacts."""
        for one in contacts:
            self._contacts[one.person_id][one.key] = one

    async def stays(self, persons: Collection[UUID]) -> Sequence[StayFact]:
        """Return the stays of persons."""
        return [one for person in persons for one in self._stays.get(person, {}).values()]

    async def put_stays(self, stays: Iterable[StayFact]) -> None:
        """Keep stays."""
        for one in stays:
            self._stays[one.person_id][one.stay_id] = one
            if one.stay_id not in self._judged_stays:
                self._open_stays[one.stay_id] = one

    async def due_stays(self, ended_before: datetime, began_before: datetime, limit: int) -> Sequence[StayFact]:
        """Return stays that were not judged and ended before a moment, or began before another and go on."""
        found = [
            one
            for one in self._open_stays.values()
            if (one.ended_at <= ended_before if one.ended_at else one.began_at <= began_before)
        ]
        return sorted(found, key=lambda one: (one.began_at, one.stay_id))[:limit]

    async def mark_stays(self, stays: Collection[UUID]) -> None:
        """Keep that stays were judged."""
        for stay in stays:
            self._open_stays.pop(stay, None)
            self._judged_stays.add(stay)

    async def add_emergencies(self, emergencies: Iterable[Emergency]) -> None:
        """Keep emergency accesses."""
        self._emergencies += emergencies

    async def due_emergencies(self, before: datetime, limit: int) -> Sequence[Emergency]:
        """Return emergency accesses before a moment that were not judged."""
        found = [one for one in self._emergencies if one.at <= before and one.entry_id not in self._followed]
        return sorted(found, key=lambda one: (one.at, one.entry_id))[:limit]

    async def mark_emergency(self, emergency: Emergency, *, followed: bool) -> None:
        """Keep that an emergency access was judged, and whether care followed it."""
        self._followed[emergency.entry_id] = followed

    async def emergencies_between(
        self, profession: str, first: datetime, last: datetime
    ) -> Mapping[UUID, tuple[int, int]]:
        """Return, by user of a profession, how many emergency accesses there were, and how many without follow-up."""
        counts: dict[UUID, list[int]] = defaultdict(lambda: [0, 0])
        for one in self._emergencies:
            if one.user.profession == profession and first < one.at <= last:
                counts[one.user.id][0] += 1
                counts[one.user.id][1] += self._followed.get(one.entry_id) is False
        return {user: (count, unfollowed) for user, (count, unfollowed) in counts.items()}

    async def hours(self, keys: Collection[HourKey]) -> Mapping[HourKey, Hour]:
        """Return hours by key."""
        return {key: self._hours[key] for key in keys if key in self._hours}

    async def put_hours(self, hours: Iterable[Hour]) -> None:
        """Keep hours."""
        for one in hours:
            if one.key not in self._hours:
                self._open_hours[one.key] = None
            self._hours[one.key] = one

    async def due_hours(self, before: datetime, limit: int) -> Sequence[Hour]:
        """Return hours that began before a moment and were not judged."""
        found = [self._hours[key] for key in self._open_hours if key[1] <= before]
        return sorted(found, key=lambda one: (one.hour, one.user.id))[:limit]

    async def mark_hours(self, keys: Collection[HourKey]) -> None:
        """Keep that hours were judged."""
        for key in keys:
            self._open_hours.pop(key, None)

    async def persons_an_hour(
        self, user_id: UUID, profession: str, since: datetime, until: datetime
    ) -> tuple[Sequence[int], Sequence[int]]:
        """Return the distinct persons in each hour with any: of a user, and of the others of the profession."""
        found = [one for one in self._hours.values() if one.persons and since <= one.hour < until]
        own = [one.persons for one in found if one.user.id == user_id]
        peers = [one.persons for one in found if one.user.id != user_id and one.user.profession == profession]
        return own, peers

    async def presences(self, users: Collection[UUID], since: datetime) -> Sequence[Presence]:
        """Return the presences of users that ended after a moment."""
        return [one for user in users for one in self._presences.get(user, {}).values() if one.last_at >= since]

    async def put_presences(self, presences: Iterable[Presence]) -> None:
        """Keep presences."""
        for one in presences:
            self._presences[one.user.id][one.first_at] = one

    async def add_acts(self, acts: Iterable[BilledAct]) -> None:
        """Keep billed acts."""
        for one in acts:
            self._acts[one.person_id].append(one)
            self._billed[one.biller_id, one.day].append(one)
            self._notes[one.note_id].append(one)

    async def delete_notes(self, notes: Collection[UUID]) -> None:
        """Delete the acts of fee notes that do not count any more."""
        for note in notes:
            for one in self._notes.pop(note, ()):
                self._acts[one.person_id].remove(one)
                self._billed[one.biller_id, one.day].remove(one)

    async def acts_of(self, persons: Collection[UUID]) -> Sequence[BilledAct]:
        """Return the acts of persons."""
        return sorted((one for person in persons for one in self._acts.get(person, ())), key=_act_order)

    async def acts_on(self, biller_id: UUID, day: date) -> Sequence[BilledAct]:
        """Return the acts of a biller on a day."""
        return sorted(self._billed.get((biller_id, day), ()), key=_act_order)

    async def busiest_days(self, profession: str, since: date, other_than: UUID) -> Sequence[int]:
        """Return the acts on the busiest day of each biller of a profession, but one."""
        busiest: dict[UUID, int] = defaultdict(int)
        for (biller_id, day), acts in self._billed.items():
            if day >= since and biller_id != other_than and acts and acts[0].profession == profession:
                busiest[biller_id] = max(busiest[biller_id], sum(one.quantity for one in acts))
        return [*busiest.values()]


def _act_order(act: BilledAct) -> tuple[datetime, UUID, int]:
    return act.at, act.note_id, act.number


def _in_order(visits: Iterable[Visit]) -> list[Visit]:
    return sorted(visits, key=lambda one: (one.first_at, one.key))

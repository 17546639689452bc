"""The engine: entries of the journal in, findings out; facts are kept in a store, people are known by the directory.

Nothing here depends on the clock: time is that of the journal, so a batch that is handled again gives the same.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeVar
from uuid import UUID

from esante.core.journal import Entry
from esante.core.time_zone import day_of
from esante.services.soc.health.context.explanation import CareContext, explain_visit
from esante.services.soc.health.context.people import Mark, People, PersonTraits
from esante.services.soc.health.context.relations import Relation, relations_of
from esante.services.soc.health.detections.admissions import judge_stay
from esante.services.soc.health.detections.curious_access import Habit, judge_visit
from esante.services.soc.health.detections.emergencies import has_follow_up, judge_emergency
from esante.services.soc.health.detections.fee_notes import PersonBilled, judge_acts, judge_volume
from esante.services.soc.health.detections.model import Finding
from esante.services.soc.health.detections.parameters import HealthTerms, terms_on
from esante.services.soc.health.detections.sessions import judge_presences
from esante.services.soc.health.detections.special_records import judge_after_death, judge_invented
from esante.services.soc.health.detections.volume import Baseline, judge_probing, judge_reading
from esante.services.soc.health.facts.extract import SiteOf, extract, organization_site
from esante.services.soc.health.facts.model import (
    BilledAct,
    CareContact,
    Facts,
    Hour,
    Presence,
    StayFact,
    Visit,
    hour_of,
)
from esante.services.soc.health.facts.store import FactStore

DUE_AT_ONCE = 1_000
"""Facts of a kind that are judged with one batch of entries at most."""
_HOUR = timedelta(hours=1)
_DAY = timedelta(days=1)
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Known:
    """What is known about the persons and users of some visits."""

    care: Mapping[UUID, CareContext]
    persons: Mapping[UUID, PersonTraits]
    marks: Mapping[UUID, Mark]
    relations: Mapping[tuple[UUID, UUID], tuple[Relation, ...]]
    """By user and person."""

    def care_of(self, person_id: UUID) -> CareContext:
        """Return the care context of a person."""
        return self.care.get(person_id, CareContext())


class Engine:
    """Turns entries into findings. `terms`: in force for everything; None: those of the day."""

    def __init__(
        self,
        store: FactStore,
        people: People,
        *,
        terms: HealthTerms | None = None,
        site_of: SiteOf = organization_site,
    ) -> None:
        self._store, self._people, self._given, self._site_of = store, people, terms, site_of

    async def take(self, entries: Sequence[Entry]) -> list[Finding]:
        """Keep the facts of entries, and return what was found: in them, and in what is due by their time."""
        facts = extract(entries, self._site_of)
        terms = self._given or terms_on(day_of(facts.upto))
        await self._keep(facts)
        found = await self._judge_touches(facts, terms)
        found += await self._judge_presences(facts, terms)
        found += await self._judge_acts(facts, terms)
        found += await self._judge_known_deaths(facts, terms)
        found += await self.settle(facts.upto, terms)
        return found

    async def settle(self, now: datetime, terms: HealthTerms) -> list[Finding]:
        """Judge what is due at a moment."""
        found = await self._judge_hours(now, terms)
        found += await self._judge_visits(now, terms)
        found += await self._judge_emergencies(now, terms)
        found += await self._judge_stays(now, terms)
        return found

    async def _keep(self, facts: Facts) -> None:
        stored_visits = await self._store.visits(facts.visits.keys())
        hours = _with_persons(facts, stored_visits)
        stored_hours = await self._store.hours(hours.keys())
        await self._store.put_visits(_merged(stored_visits, facts.visits))
        await self._store.put_hours(_merged(stored_hours, hours))
        contacts = {one.key: one for one in await self._store.contacts({key[0] for key in facts.contacts})}
        await self._store.put_contacts(_merged(contacts, facts.contacts))
        stays = {one.stay_id: one for one in await self._store.stays({one.person_id for one in facts.stays.values()})}
        await self._store.put_stays(_merged(stays, facts.stays))
        await self._store.add_emergencies(facts.emergencies)
        await self._store.add_acts(facts.acts)
        await self._store.delete_notes(facts.ended_notes)

    async def _judge_touches(self, facts: Facts, terms: HealthTerms) -> list[Finding]:
        """Judge acts on invented persons at once."""
        marks = await self._people.marks({one.person_id for one in facts.touches})
        invented = [one for one in facts.touches if marks.get(one.person_id) is Mark.INVENTED]
        return [*{one.key: one for one in (judge_invented(touch, terms) for touch in invented)}.values()]

    async def _judge_presences(self, facts: Facts, terms: HealthTerms) -> list[Finding]:
        by_user: dict[UUID, list[Presence]] = defaultdict(list)
        for one in sorted(facts.presences, key=lambda one: one.first_at):
            by_user[one.user.id].append(one)
        if not by_user:
            return []
        window = timedelta(minutes=terms.sessions.window_minutes)
        earliest = min(acts[0].first_at for acts in by_user.values()) - window
        recent: dict[UUID, list[Presence]] = defaultdict(list)
        for one in await self._store.presences(by_user.keys(), earliest):
            recent[one.user.id].append(one)
        found: list[Finding] = []
        for user_id, acts in by_user.items():
            known = sorted(recent[user_id], key=lambda one: one.first_at)
            runs = _runs(known, acts, timedelta(minutes=terms.sessions.pause_minutes))
            await self._store.put_presences(runs[max(0, len(known) - 1) :])
            if len({one.key for one in runs}) > 1:
                places = await self._places({one.site for one in runs})
                found += judge_presences(runs, places, terms)
        return found

    async def _places(self, sites: Collection[str]) -> dict[str, Any]:
        keys = {site: UUID(site) for site in sites if len(site) == 36}
        places = await self._people.places(keys.values())
        return {site: places[key] for site, key in keys.items() if key in places}

    async def _judge_acts(self, facts: Facts, terms: HealthTerms) -> list[Finding]:
        ended = set(facts.ended_notes)
        acts = [one for one in facts.acts if one.note_id not in ended]
        if not acts:
            return []
        persons = {one.person_id for one in acts}
        traits, care = await self._people.persons(persons), await self._care(persons)
        of_persons: dict[UUID, list[BilledAct]] = defaultdict(list)
        for one in await self._store.acts_of(persons):
            of_persons[one.person_id].append(one)
        known = {
            person: PersonBilled(
                deceased_at=facts.deaths.get(person) or (traits[person].deceased_at if person in traits else None),
                stays=care[person].stays,
                acts=of_persons[person],
            )
            for person in persons
        }
        return judge_acts(acts, known, terms) + await self._judge_volumes(acts, terms)

    async def _judge_volumes(self, acts: Sequence[BilledAct], terms: HealthTerms) -> list[Finding]:
        found = []
        for biller_id, day in dict.fromkeys((one.biller_id, one.day) for one in acts):
            of_day = await self._store.acts_on(biller_id, day)
            if sum(one.quantity for one in of_day) < terms.fee_notes.least_acts:
                continue
            since = day - timedelta(days=terms.fee_notes.history_days)
            peers = await self._store.busiest_days(of_day[0].profession, since, biller_id)
            finding = judge_volume(biller_id, day, of_day, peers, terms)
            if finding is not None:
                found.append(finding)
        return found

    async def _judge_known_deaths(self, facts: Facts, terms: HealthTerms) -> list[Finding]:
        """Judge earlier visits of persons whose death is reported only now."""
        visits = await self._store.visits_of(facts.deaths.keys())
        after = [one for one in visits if one.first_at > facts.deaths[one.person_id]]
        due = facts.upto - timedelta(hours=terms.snooping.wait_hours)
        late = [one for one in after if one.last_at <= due]
        care = await self._care({one.person_id for one in late})
        judged = (
            judge_after_death(one, facts.deaths[one.person_id], care.get(one.person_id, CareContext()), terms)
            for one in late
        )
        return [one for one in judged if one is not None]

    async def _judge_hours(self, now: datetime, terms: HealthTerms) -> list[Finding]:
        due = await self._store.due_hours(now - _HOUR, DUE_AT_ONCE)
        await self._store.mark_hours([one.key for one in due])
        found = [one for one in (judge_probing(hour, terms) for hour in due) if one is not None]
        for hour in due:
            if hour.persons >= min(terms.mass_reading.walk_least, terms.mass_reading.least):
                finding = await self._judge_reading(hour, terms)
                if finding is not None:
                    found.append(finding)
        return found

    async def _judge_reading(self, hour: Hour, terms: HealthTerms) -> Finding | None:
        end = hour.hour + _HOUR
        visits = [
            one
            for one in await self._store.visits_by([hour.user.id], {day_of(hour.hour), day_of(end)})
            if one.saw and one.first_at < end and one.last_at >= hour.hour
        ]
        known = await self._known(visits)
        unexplained = [one for one in visits if explain_visit(one, known.care_of(one.person_id), terms) is None]
        since = hour.hour - timedelta(days=terms.mass_reading.history_days)
        own, peers = await self._store.persons_an_hour(hour.user.id, hour.user.profession, since, hour.hour)
        walked = [known.persons[one.person_id] for one in unexplained if one.person_id in known.persons]
        return judge_reading(hour, walked, len(unexplained), Baseline(own, peers), terms)

    async def _judge_visits(self, now: datetime, terms: HealthTerms) -> list[Finding]:
        before = now - timedelta(hours=terms.snooping.wait_hours)
        due = await self._store.due_visits(before, DUE_AT_ONCE)
        if not due:
            return []
        known, habits = await self._known(due), await self._store.habits({one.user.id for one in due})
        others: dict[tuple[UUID, UUID], list[Visit]] = defaultdict(list)
        for one in await self._store.visits_of({one.person_id for one in due}):
            others[one.user.id, one.person_id].append(one)
        found, judged = [], {}
        for visit in due:
            earlier = [one for one in others[visit.user.id, visit.person_id] if one.saw and one.day < visit.day]
            habit = Habit(*habits.get(visit.user.id, (0, 0)))
            explained, finding = self._judge_visit(visit, earlier, known, habit, terms)
            judged[visit.key] = explained
            if finding is not None:
                found.append(finding)
        await self._store.mark_visits(judged)
        return found

    def _judge_visit(
        self, visit: Visit, earlier: Sequence[Visit], known: _Known, habit: Habit, terms: HealthTerms
    ) -> tuple[bool, Finding | None]:
        """Return whether care explains a visit, and the finding about it."""
        care, person = known.care_of(visit.person_id), known.persons.get(visit.person_id)
        if known.marks.get(visit.person_id) is Mark.INVENTED:
            return False, None
        died = person.deceased_at if person else None
        if died is not None and visit.first_at > died:
            finding = judge_after_death(visit, died, care, terms)
            if finding is not None:
                return False, finding
        if visit.user.kind != "practitioner":
            return explain_visit(visit, care, terms) is not None, None
        relations = known.relations.get((visit.user.id, visit.person_id), ())
        judgement = judge_visit(visit, care, relations, habit, terms, earlier)
        return judgement.explained, judgement.finding

    async def _judge_emergencies(self, now: datetime, terms: HealthTerms) -> list[Finding]:
        numbers, found = terms.break_glass, []
        due = await self._store.due_emergencies(now - timedelta(hours=numbers.follow_up_hours), DUE_AT_ONCE)
        if not due:
            return []
        known = await self._known(due)
        for one in due:
            followed = has_follow_up(one, known.care_of(one.person_id), terms)
            await self._store.mark_emergency(one, followed=followed)
            if known.marks.get(one.person_id) is Mark.INVENTED:
                continue
            first = one.at - timedelta(days=numbers.window_days)
            counts = dict(await self._store.emergencies_between(one.user.profession, first, one.at))
            own = counts.pop(one.user.id, (1, int(not followed)))
            finding = judge_emergency(
                one,
                followed=followed,
                relations=known.relations.get((one.user.id, one.person_id), ()),
                own=own,
                peers=[unfollowed for _, unfollowed in counts.values()],
                terms=terms,
            )
            if finding is not None:
                found.append(finding)
        return found

    async def _judge_stays(self, now: datetime, terms: HealthTerms) -> list[Finding]:
        numbers = terms.admission
        ended, began = now - timedelta(days=numbers.wait_days), now - timedelta(days=numbers.open_days)
        due = await self._store.due_stays(ended, began, DUE_AT_ONCE)
        if not due:
            return []
        await self._store.mark_stays([one.stay_id for one in due])
        persons = {one.person_id for one in due}
        care, marks = await self._care(persons), await self._people.marks(persons)
        by_person: dict[UUID, list[Visit]] = defaultdict(list)
        for visit in await self._store.visits_of(persons):
            by_person[visit.person_id].append(visit)
        judged = (
            judge_stay(one, by_person[one.person_id], care.get(one.person_id, CareContext()), terms)
            for one in due
            if marks.get(one.person_id) is not Mark.INVENTED
        )
        return [one for one in judged if one is not None]

    async def _care(self, persons: Collection[UUID]) -> dict[UUID, CareContext]:
        contacts: dict[UUID, list[CareContact]] = defaultdict(list)
        stays: dict[UUID, list[StayFact]] = defaultdict(list)
        for contact in await self._store.contacts(persons):
            contacts[contact.person_id].append(contact)
        for stay in await self._store.stays(persons):
            stays[stay.person_id].append(stay)
        return {person: CareContext(contacts[person], stays[person]) for person in persons}

    async def _known(self, acts: Sequence[Any]) -> _Known:
        """Return what is known about the persons and users of visits or emergency accesses."""
        ids = {one.person_id for one in acts}
        persons, marks = await self._people.persons(ids), await self._people.marks(ids)
        users = await self._people.users({one.user.id for one in acts})
        employers = await self._people.employers([*persons.values()])
        relations = {
            (one.user.id, one.person_id): relations_of(
                users.get(one.user.id),
                persons.get(one.person_id),
                employers.get(one.person_id, frozenset()),
                one.user.organization_id,
                marks.get(one.person_id),
            )
            for one in acts
        }
        return _Known(await self._care(ids), persons, marks, relations)


def _merged(stored: Mapping[Any, T], new: Mapping[Any, T]) -> Iterable[T]:
    """Yield what is new, merged with what is stored under the same key."""
    for key, one in new.items():
        yield stored[key].merge(one) if key in stored else one  # type: ignore[attr-defined]


def _with_persons(facts: Facts, stored: Mapping[Any, Visit]) -> dict[tuple[UUID, datetime], Hour]:
    """Return the hours with the number of persons whose records were shown for the first time in each."""
    seen: set[tuple[UUID, UUID, datetime]] = set()
    hours = dict(facts.hours)
    for person_id, user_id, user, at, entry_id in facts.moments:
        hour = hour_of(at)
        key = person_id, user_id, hour
        before = stored.get((person_id, user_id, day_of(at)))
        if key in seen or (before is not None and before.saw and before.last_at >= hour):
            continue
        seen.add(key)
        one = Hour(user=user, hour=hour, persons=1, evidence=(entry_id,))
        hours[one.key] = hours[one.key].merge(one) if one.key in hours else one
    return hours


def _runs(known: Sequence[Presence], acts: Sequence[Presence], pause: timedelta) -> list[Presence]:
    """Return presences with further acts in the order of time: consecutive ones of a key without a pause are one."""
    runs = list(known)
    for act in acts:
        last = runs[-1] if runs else None
        if last is not None and last.key == act.key and last.is_near(act, pause):
            runs[-1] = last.merge(act)
        else:
            runs.append(act)
    return runs

"""The use cases of representation: acts that let somebody act for a person, and statements about capacity.

Source: law of 24 July 2014 on the rights and duties of patients, articles 12 to 14. That somebody is a parent or
guardian, the agency records from an official document. A trusted person is recorded by the person, or by the agency or
a professional who treats the person and has seen the designation. Who treats a person states their capacity.
"""

from collections.abc import Callable, Collection
from dataclasses import replace
from uuid import UUID

from esante.core import clock
from esante.core.journal import Event, Journal
from esante.core.storage import Connection, Database, insert, uuid7
from esante.core.time_zone import day_of
from esante.core.web import N_, NOT_FOUND, Problem, bad_request, clean_text
from esante.identity.access.choice_events import CapacityChanged, RepresentationChanged
from esante.identity.access.choices import choice_terms, require_period
from esante.identity.access.consent import store as consent_store
from esante.identity.access.consent.grants import require_own_act
from esante.identity.access.model import Action, Item, Purpose, Requester
from esante.identity.access.regulation.policy_set import policy_set
from esante.identity.access.representation import store
from esante.identity.access.representation.model import Capacity, CapacityKind, Representation, RepresentationKind
from esante.identity.access.representation.store import RecordedAct
from esante.identity.access.rules import decide, decide_opening
from esante.identity.directory import Directory, Person

MAX_ACT = 300
"""Characters of what an act rests on."""


class Representations:
    """Records and ends who acts for whom; every change is journalled in its transaction.

    Every method raises Problem 403 for a requester who may never do this, and 404 for a person who is unknown, or
    whose record a professional may not open.
    """

    def __init__(self, db: Database, journal: Journal, directory: Directory, forget: Callable[[], None]) -> None:
        """`forget`: has this process ask again who may act; others do so in seconds."""
        self._db, self._journal, self._directory, self._forget = db, journal, directory, forget

    async def record(
        self, requester: Requester, person_id: UUID, representation: Representation, act: str
    ) -> Representation:
        """Record that somebody acts for a person (`act`: what it rests on), and return it.

        Raises: Problem 400 for an unknown representative, a missing act, days that are not valid, or parents without
        the day on which it ends.
        """
        trusted = representation.kind is RepresentationKind.TRUSTED_PERSON
        await self._require(
            requester, person_id, ("operator", "patient", "practitioner") if trusted else ("operator",)
        )
        representation = replace(
            representation, id=uuid7(), representative=await self._name_of(representation, person_id)
        )
        if representation.until is not None and representation.until < representation.since:
            raise bad_request(
                "until", N_("The last day comes before the first, or the time is too long."), code="value"
            )
        if representation.kind is RepresentationKind.PARENT and representation.until is None:
            raise bad_request("until", N_("The day on which parents no longer act is needed."), code="required")
        await self._insert(requester, person_id, representation, clean_text(act, 3, MAX_ACT, "act"))
        return representation

    async def state_capacity(self, requester: Requester, person_id: UUID, capacity: Capacity, reason: str) -> Capacity:
        """Record what a professional who treats a person states about their capacity, and return it.

        Raises: Problem 400 for an unknown document class, a missing reason, or days that are not valid: that somebody
        cannot act is stated for a limited time.
        """
        await self._require(requester, person_id, ("practitioner",))
        now = clock.now()
        if not set(capacity.classes) <= policy_set().at(now).categories.keys():
            raise bad_request("classes", N_("Choose a type of document from the list."), code="value")
        if capacity.kind is CapacityKind.INCAPACITY:
            require_period(capacity.since, capacity.until, choice_terms(day_of(now)).incapacity_longest_days)
        elif capacity.until is not None and capacity.until < capacity.since:
            raise bad_request(
                "until", N_("The last day comes before the first, or the time is too long."), code="value"
            )
        capacity = replace(capacity, id=uuid7())
        await self._insert(requester, person_id, capacity, clean_text(reason, 3, MAX_ACT, "reason"))
        return capacity

    async def end(self, requester: Requester, person_id: UUID, act_id: UUID) -> None:
        """End a representation, or revoke a statement about capacity, now.

        Operators end representations, persons the designation of their trusted person, whoever recorded an act ends
        it, and a professional who treats the person revokes a statement about capacity.
        Raises: Problem 404 when there is no such act, or the requester may not end it.
        """
        async with self._db.transaction() as conn:
            await consent_store.fetch_record(conn, person_id, lock=True)
            found = next((one for one in await store.fetch_acts(conn, person_id) if one.subject.id == act_id), None)
            if found is None or not await self._may_end(conn, requester, person_id, found):
                raise Problem(404, "not-found", NOT_FOUND, remedy=N_("It may have already ended."))
            await store.end_act(conn, person_id, act_id, clock.now())
            event = _event(found.subject, found.act, ended=True)
            await self._journal.append_for(requester, event, person_id=person_id, conn=conn)
        self._forget()

    async def find_represented(self, requester: Requester, item: Item) -> list[Person]:
        """Return the persons for whom somebody acts and of whom they may read an item now, by name."""
        if requester.kind != "patient" or requester.only_person_id != requester.id:
            return []
        now = clock.now()
        ids = await store.fetch_represented(self._db, requester.id, day_of(now))
        consents = await consent_store.fetch_consents(self._db, ids)
        readable = [
            key
            for key, consent in consents.items()
            if decide(consent, replace(requester, patient=key), Action.READ, item, Purpose.TREATMENT, now).allowed
        ]
        return sorted((await self._directory.persons(readable)).values(), key=lambda one: (one.name, one.id))

    async def _require(self, requester: Requester, person_id: UUID, kinds: Collection[str]) -> None:
        """Raise Problem 403 for another kind of requester, 404 for a person or record that they may not know of."""
        if requester.kind not in kinds:
            raise Problem(403, "forbidden", N_("Your role does not allow you to do this."))
        require_own_act(requester)
        known = await self._directory.person(person_id) is not None
        if requester.kind == "patient":
            known = known and person_id == requester.id == requester.only_person_id
        elif requester.kind == "practitioner":
            known = known and await self._treats(self._db, requester, person_id)
        if not known:
            raise Problem(404, "not-found", NOT_FOUND)

    async def _treats(self, db: Database | Connection, requester: Requester, person_id: UUID) -> bool:
        """Return whether a professional may open the record of a person now."""
        consent = (await consent_store.fetch_consents(db, [person_id])).get(person_id)
        return consent is not None and decide_opening(consent, requester, clock.now()).allowed

    async def _may_end(self, conn: Connection, requester: Requester, person_id: UUID, act: RecordedAct) -> bool:
        if requester.kind == "operator":
            return isinstance(act.subject, Representation)
        if requester.kind == "patient":
            trusted = isinstance(act.subject, Representation) and act.subject.kind is RepresentationKind.TRUSTED_PERSON
            return trusted and person_id == requester.id == requester.only_person_id
        if requester.kind != "practitioner" or requester.delegate is not None:
            return False
        if act.recorder_id == requester.id:
            return True
        return isinstance(act.subject, Capacity) and await self._treats(conn, requester, person_id)

    async def _name_of(self, representation: Representation, person_id: UUID) -> str:
        found = await self._directory.person(representation.representative_id)
        if found is None or found.id == person_id or found.deceased_at is not None:
            raise bad_request("representative", N_("This person cannot act for the patient."), code="value")
        return found.name

    async def _insert(
        self, requester: Requester, person_id: UUID, subject: Representation | Capacity, act: str
    ) -> None:
        recorded = RecordedAct(
            subject=subject, act=act, recorder_id=requester.id, recorder=requester.name, recorded_at=clock.now()
        )
        async with self._db.transaction() as conn:
            await consent_store.fetch_record(conn, person_id, lock=True)
            rows = self._journal.rows_for(requester, _event(subject, act), person_id=person_id)
            await insert(conn, [store.act_row(person_id, recorded, requester), *rows])
        self._forget()


def _event(subject: Representation | Capacity, act: str, *, ended: bool = False) -> Event:
    """Return the journal event of an act that was recorded or ended."""
    if isinstance(subject, Representation):
        return RepresentationChanged(
            representation_id=subject.id,
            kind=subject.kind.value,
            representative_id=subject.representative_id,
            representative=subject.representative,
            act=act,
            since=subject.since,
            until=subject.until,
            ended=ended,
        )
    return CapacityChanged(
        capacity_id=subject.id,
        kind=subject.kind.value,
        classes=subject.classes,
        act=act,
        since=subject.since,
        until=subject.until,
        ended=ended,
    )

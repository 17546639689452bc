"""Grants: who may access a person's record, from when, until when."""

from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from esante.core import clock
from esante.core.journal import SYSTEM, Actor, Event, Journal
from esante.core.storage import NIL, Connection, Database, Row, insert, uuid7
from esante.core.time_zone import day_of
from esante.core.web import N_, NOT_FOUND, Page, Problem, decode_offset_cursor, encode_cursor
from esante.identity.access.consent import refusal_store, store
from esante.identity.access.consent.lifecycle import lock_record, require_acts_alone, require_own_record
from esante.identity.access.consent.refusal_store import StayRefusal
from esante.identity.access.events import (
    Granted,
    GrantEnded,
    PatientsListed,
    StayProved,
    StayRefusalChanged,
    StayReported,
)
from esante.identity.access.lifecycle_terms import lifecycle_terms
from esante.identity.access.model import Grant, GrantKind, Requester, Stay, StayStatus
from esante.identity.access.reasons import REASONS
from esante.identity.access.regulation.contexts import Context
from esante.identity.access.regulation.policy_set import policy_set
from esante.identity.access.reviews import review_store
from esante.identity.access.rules import withheld
from esante.identity.access.stays import stay_store
from esante.identity.directory import Directory, Person, normalize_name

MAX_GRANTS = 2_000
"""How many of a professional's newest grants the list of patients considers."""


@dataclass(frozen=True, slots=True)
class Patient:
    """A person in a professional's list, and the grant that lasts longest."""

    person: Person
    grant: Grant


class Grants:
    """Adds and ends grants that need no code; every change is journalled in its transaction."""

    def __init__(self, db: Database, journal: Journal, directory: Directory) -> None:
        self._db, self._journal, self._directory = db, journal, directory

    async def list_active(self, person_id: UUID) -> list[Grant]:
        """Return a person's active grants, newest first, without those of stays that the person refused."""
        volumes = await self._directory.merges.volumes(person_id)
        refused = {refusal.organization_id for refusal in await self.list_refusals(person_id)}
        grants = [grant for volume in volumes for grant in await store.fetch_active_grants(self._db, volume)]
        grants.sort(key=lambda grant: grant.id, reverse=True)
        return [grant for grant in grants if not (grant.kind is GrantKind.STAY and grant.holder_id in refused)]

    async def list_ever(self, person_id: UUID) -> list[Grant]:
        """Return all grants that a person's record ever had, newest first."""
        return await store.fetch_all_grants(self._db, person_id)

    async def add_to_circle(self, requester: Requester, practitioner_id: UUID) -> Grant:
        """Add a practitioner to the person's circle, until it is revoked; return the grant.

        Repeating it changes nothing. Raises: Problem 403 for a requester who is not a patient, or where there are no
        circles, 404 for an unknown practitioner, 409 when the record is not open.
        """
        person_id = require_own_record(requester)
        context = offered_context(GrantKind.CIRCLE, clock.now())
        practitioner = await self._directory.practitioner(practitioner_id)
        if practitioner is None:
            raise Problem(404, "not-found", N_("This professional is not in the directory."))
        now = clock.now()
        grant = Grant(
            id=uuid7(),
            person_id=person_id,
            kind=GrantKind.CIRCLE,
            context=context.key,
            holder_kind="practitioner",
            holder_id=practitioner.id,
            holder=practitioner.name,
            since=now,
            until=context.ceiling(now),
        )
        return await self._add_once(grant, requester)

    async def allow_country(self, requester: Requester, country_id: UUID, name: str) -> Grant:
        """Let the health professionals of another country read the requester's own record, until it is revoked.

        `country_id`: the key as whose organisation they ask, `name`: what the requester calls the country. Repeating
        it changes nothing. Raises: Problem 403 for a requester who is not a patient, or where it is not offered, 409
        when the record is not open.
        """
        person_id, now = require_own_record(requester), clock.now()
        context = offered_context(GrantKind.COUNTRY, now)
        grant = Grant(
            id=uuid7(),
            person_id=person_id,
            kind=GrantKind.COUNTRY,
            context=context.key,
            holder_kind="country",
            holder_id=country_id,
            holder=name,
            since=now,
            until=context.ceiling(now),
        )
        return await self._add_once(grant, requester)

    async def revoke(self, requester: Requester, grant_id: UUID) -> None:
        """Revoke a grant of the requester's own record now.

        Revoking the grant of a stay refuses all stays at that organisation, also later ones, until `allow_stays` or
        until somebody of the organisation redeems a presence code.

        Raises: Problem 403 for a requester who is not a patient, 404 when there is no such active grant.
        """
        async with self._db.transaction() as conn:
            person_id = await require_acts_alone(conn, requester)
            grant = None
            for volume in await self._directory.merges.volumes(person_id):
                grant = grant or await self._lock_active(conn, volume, grant_id)
            if grant is None:
                raise Problem(404, "not-found", NOT_FOUND, remedy=N_("It may have already ended."))
            if grant.kind is GrantKind.STAY:
                await self._refuse_stays(conn, grant, requester, "patient")
            else:
                await self._end_locked(conn, grant, requester)

    async def end_now(self, conn: Connection, person_id: UUID, grant_id: UUID, requester: Requester) -> bool:
        """End an active grant now, for `requester`, and journal it; return whether there was one."""
        grant = await self._lock_active(conn, person_id, grant_id)
        if grant is not None:
            await self._end_locked(conn, grant, requester)
        return grant is not None

    async def allow_stays(self, requester: Requester, organization_id: UUID) -> None:
        """Lift the refusal of an organisation's stays in the requester's own record, and confirm those there are.

        Stays that go on, and those whose time after the discharge is not over, give access again.
        Raises: Problem 403 for a requester who is not a patient.
        """
        async with self._db.transaction() as conn:
            person_id = await require_acts_alone(conn, requester)
            for volume in await self._directory.merges.volumes(person_id):
                await self.prove_presence(conn, volume, organization_id, requester, "patient")

    async def prove_presence(
        self, conn: Connection, person_id: UUID, organization_id: UUID, requester: Requester, cause: str
    ) -> None:
        """Take a person's presence at an organisation as proved (`cause`: patient, code, review), and journal it.

        A refusal of its stays is lifted. Its active stays need no review any more, and give access if they did not.
        """
        await store.fetch_record(conn, person_id, lock=True)
        before = await store.fetch_consent(conn, person_id)
        name = await refusal_store.delete_refusal(conn, person_id, organization_id)
        rows: list[Row] = []
        if name is not None:
            change = StayRefusalChanged(organization_id=organization_id, organization=name, refused=False, cause=cause)
            rows += self._journal.rows_for(requester, change, person_id=person_id)
        for grant in await store.prove_stays(conn, person_id, organization_id):
            proved = StayProved(
                grant_id=grant.id, organization_id=organization_id, organization=grant.holder, cause=cause
            )
            rows += self._journal.rows_for(requester, proved, person_id=person_id)
            if cause != "review":
                await review_store.delete_pending(conn, grant.id)
        now = clock.now()
        rules = policy_set().at(now)
        for grant in before.grants:
            if grant.holder_id == organization_id and grant.is_active(now) and withheld(before, grant, rules, now):
                rows += self._journal.rows_for(requester, granted(grant), person_id=person_id)
        await insert(conn, rows)

    async def prove_stay(self, conn: Connection, person_id: UUID, grant_id: UUID, requester: Requester) -> None:
        """Take a person's presence at the organisation of a stay as proved by a review; a refusal stays."""
        grant = await self._lock_active(conn, person_id, grant_id)
        if grant is not None:
            await self.prove_presence(conn, person_id, grant.holder_id, requester, "review")

    async def refuse_after_review(
        self, conn: Connection, person_id: UUID, grant_id: UUID, requester: Requester
    ) -> None:
        """Refuse the stays at the organisation of a stay that a review found not justified; its grant ends."""
        grant = await self._lock_active(conn, person_id, grant_id)
        if grant is not None:
            await store.revoke_grant(conn, person_id, grant_id, clock.now())
            await self._refuse_stays(conn, grant, requester, "review")

    async def list_refusals(self, person_id: UUID) -> list[StayRefusal]:
        """Return the organisations whose stays a person refused, newest first."""
        volumes = await self._directory.merges.volumes(person_id)
        return [one for volume in volumes for one in await refusal_store.fetch_refusals(self._db, volume)]

    async def _lock_active(self, conn: Connection, person_id: UUID, grant_id: UUID) -> Grant | None:
        """Return an active grant that gives access, its record locked; None for one that is refused."""
        await store.fetch_record(conn, person_id, lock=True)
        refused = {refusal.organization_id for refusal in await refusal_store.fetch_refusals(conn, person_id)}
        for grant in await store.fetch_active_grants(conn, person_id):
            if grant.id == grant_id and not (grant.kind is GrantKind.STAY and grant.holder_id in refused):
                return grant
        return None

    async def _end_locked(self, conn: Connection, grant: Grant, requester: Requester) -> None:
        now = clock.now()
        await store.revoke_grant(conn, grant.person_id, grant.id, now)
        await insert(conn, self.end_rows(grant, now, requester))

    async def _refuse_stays(self, conn: Connection, grant: Grant, requester: Requester, cause: str) -> None:
        """Refuse all stays at the organisation of a grant: it stays as it is, for the day the refusal is lifted."""
        now = clock.now()
        refusal = StayRefusal(organization_id=grant.holder_id, organization=grant.holder, since=now, cause=cause)
        await refusal_store.add_refusal(conn, grant.person_id, refusal)
        event = StayRefusalChanged(
            organization_id=grant.holder_id, organization=grant.holder, refused=True, cause=cause
        )
        rows = self._journal.rows_for(requester, event, person_id=grant.person_id)
        await insert(conn, rows + self.end_rows(grant, now, requester))

    async def list_patients(
        self,
        requester: Requester,
        text: str = "",
        cursor: str | None = None,
        limit: int = 20,
        *,
        by_name: bool = False,
    ) -> Page[Patient]:
        """Return a page of the persons whose record a professional may open, newest grant first or by name.

        The page is journalled.

        `text`: parts of the name or of the birth date (ISO 8601). The newest `MAX_GRANTS` grants are considered.
        Raises: Problem 400 for a cursor that is not valid.
        """
        start = decode_offset_cursor(cursor)
        by_person: dict[UUID, Grant] = {}
        for grant in await store.fetch_holder_grants(self._db, _acting_for(requester), MAX_GRANTS, _reading_terms()):
            known = by_person.get(grant.person_id)
            if known is None or _end_of(grant) > _end_of(known):
                by_person[grant.person_id] = grant
        words = text.casefold().split()
        ids = list(by_person) if words or by_name else list(by_person)[start:][: limit + 1]
        persons = await self._directory.persons(ids)
        found = [Patient(persons[id_], by_person[id_]) for id_ in ids if id_ in persons]
        if words or by_name:
            found = [patient for patient in found if _matches(patient.person, words)]
            found = (sorted(found, key=_name_key) if by_name else found)[start:]
        more, shown = len(found) > limit, found[:limit]
        if shown:
            event = PatientsListed(count=len(shown), persons=tuple(patient.person.id for patient in shown))
            await self._journal.append_for(requester, event)
        return Page(shown, encode_cursor(start + limit) if more else None)

    async def list_persons(
        self, requester: Requester, holder: UUID | None = None, *, after: UUID = NIL, limit: int
    ) -> list[UUID]:
        """Return the persons whose record a professional may open now, sorted by key, those after a key.

        `holder`: only by grants of the practitioner, or of the organisation, for which the requester acts.
        """
        return await store.fetch_granting_persons(
            self._db, _grant_filter(requester, holder), _reading_terms(), after, limit
        )

    async def record_group(self, requester: Requester, count: int) -> None:
        """Journal that a requester read a group of so many persons."""
        await self._journal.append_for(requester, PatientsListed(count=count))

    async def count_persons(self, requester: Requester, holder: UUID | None = None) -> int:
        """Return the number of persons of `list_persons`."""
        return await store.count_granting_persons(self._db, _grant_filter(requester, holder), _reading_terms())

    def grant_rows(
        self,
        grant: Grant,
        actor: Actor = SYSTEM,
        origin: str = "",
        at: datetime | None = None,
        *,
        stay: Stay | None = None,
        withheld_for: str = "",
    ) -> list[Row]:
        """Return the rows of a new grant and of its journal entry, and for a grant of a stay those of the stay.

        `stay`: by default one that begins with the grant. `at`: only for history that is loaded later.
        `withheld_for`: the reason for which a grant of a stay gives no access (see `rules.withheld`).
        """
        event: Event = granted(grant)
        if withheld_for:
            cause = withheld_for.removeprefix("stay-")
            event = StayReported(
                grant_id=grant.id, organization_id=grant.holder_id, organization=grant.holder, cause=cause
            )
        rows = [store.grant_row(grant)]
        if grant.kind is GrantKind.STAY:
            rows.append(stay_store.stay_row(stay or stay_of(grant)))
        return rows + self._journal.rows(event, person_id=grant.person_id, actor=actor, origin=origin, at=at)

    async def _add_once(self, grant: Grant, requester: Requester) -> Grant:
        """Insert a grant, unless its holder has an active one of its kind; return the active one."""
        async with self._db.transaction() as conn:
            await require_acts_alone(conn, requester)
            await lock_record(conn, grant.person_id, open_only=True)
            known = await self._find_same(conn, grant)
            if known is None:
                await insert(conn, self.grant_rows(grant, requester.actor, requester.origin))
        return known or grant

    async def _find_same(self, conn: Connection, grant: Grant) -> Grant | None:
        for known in await store.fetch_active_grants(conn, grant.person_id):
            if (known.kind, known.holder_id) == (grant.kind, grant.holder_id):
                return known
        return None

    def end_rows(self, grant: Grant, until: datetime, requester: Requester) -> list[Row]:
        """Return the rows of the journal entry for the end of a grant."""
        return self._journal.rows_for(requester, ended(grant, until), person_id=grant.person_id)


def granted(grant: Grant) -> Granted:
    """Return the journal event of a grant that gives access."""
    return Granted(
        grant_id=grant.id,
        kind=grant.kind.value,
        holder_kind=grant.holder_kind,
        holder_id=grant.holder_id,
        holder=grant.holder,
        until=grant.until,
        context=grant.context,
    )


def ended(grant: Grant, until: datetime, cause: str = "") -> GrantEnded:
    """Return the journal event of the end of a grant (`cause`: see the event)."""
    return GrantEnded(
        grant_id=grant.id,
        kind=grant.kind.value,
        holder_kind=grant.holder_kind,
        holder_id=grant.holder_id,
        holder=grant.holder,
        until=until,
        cause=cause,
    )


def offered_context(kind: GrantKind, at: datetime, encounter: str = "") -> Context:
    """Return the context of care of a new grant (of a stay of a class). Raises: Problem 403 where none is offered."""
    context = policy_set().at(at).context_of_kind(kind, encounter)
    if context is None or not context.allowed:
        raise Problem(403, "forbidden", N_("This kind of access is not offered here."))
    return context


def require_own_act(requester: Requester) -> None:
    """Raise Problem 403 for somebody who acts in the name of a professional: they obtain no access."""
    if requester.delegate is not None:
        raise Problem(403, "forbidden", REASONS["delegate"], remedy=N_("Ask the professional to do this."))


def stay_of(grant: Grant) -> Stay:
    """Return the stay of a grant of kind `STAY`, in progress since the beginning of the grant."""
    return Stay(
        id=grant.id,
        person_id=grant.person_id,
        organization_id=grant.holder_id,
        status=StayStatus.IN_PROGRESS,
        began_at=grant.since,
    )


def _acting_for(requester: Requester) -> list[UUID]:
    """Return for whom a professional acts: themselves, and their organisation."""
    return list(dict.fromkeys(key for key in (requester.id, requester.organization_id) if key is not None))


def _grant_filter(requester: Requester, holder: UUID | None) -> store.GrantFilter:
    acting_for = _acting_for(requester)
    holders = [key for key in acting_for if holder in (None, key)]
    return store.GrantFilter(holders=holders, acting_for=acting_for, only_person_id=requester.only_person_id)


def _reading_terms() -> store.ReadingTerms:
    now = clock.now()
    rules = policy_set().at(now)
    first = {kind: rules.context_of_kind(kind) for kind in GrantKind}
    return store.ReadingTerms(
        died_after=now - lifecycle_terms(day_of(now)).reading_after_death,
        unproved_stays_read=rules.policy.unproved_stays_read,
        contexts=[one.key for one in rules.contexts.values() if one.allowed],
        kinds=[kind.value for kind, context in first.items() if context and context.allowed],
    )


def _end_of(grant: Grant) -> datetime:
    return grant.until or datetime.max.replace(tzinfo=UTC)


def _name_key(patient: Patient) -> tuple[str, str, UUID]:
    person = patient.person
    return normalize_name(person.family), normalize_name(" ".join(person.given)), person.id


def _matches(person: Person, words: list[str]) -> bool:
    text = f"{person.name} {person.birth_date.isoformat()}".casefold()
    return all(word in text for word in words)

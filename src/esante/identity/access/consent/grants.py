"""Grants: who may see a person's record, from when, until when."""

from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from esante.core.journal import SYSTEM, Actor, Journal
from esante.core.storage import NIL, Connection, Database, Row, insert, uuid7
from esante.core.web import N_, NOT_FOUND, Page, Problem, decode_cursor, encode_cursor
from esante.identity.access.consent import stay_store, store
from esante.identity.access.consent.lifecycle import locked_record, own_record
from esante.identity.access.events import Granted, GrantEnded
from esante.identity.access.matrix import policy
from esante.identity.access.model import Grant, GrantKind, Requester, Stay, StayStatus
from esante.identity.directory import Directory, Person

NEWEST = 2_000
"""How many grants of a professional are looked through for the list of patients."""


@dataclass(frozen=True, slots=True)
class Patient:
    """A person in a professional's list, and the grant that lasts longest."""

    person: Person
    grant: Grant


class Grants:
    """Gives and ends grants that need no code; every change is journalled with it."""

    def __init__(self, db: Database, journal: Journal, directory: Directory) -> None:
        self._db, self._journal, self._directory = db, journal, directory

    async def active(self, person_id: UUID) -> list[Grant]:
        """A person's grants in force, newest first."""
        return await store.active_grants(self._db, person_id)

    async def add_to_circle(self, requester: Requester, practitioner_id: UUID) -> Grant:
        """The person takes a practitioner into her circle, until she revokes it; again changes nothing."""
        person_id = own_record(requester)
        practitioner = await self._directory.practitioner(practitioner_id)
        if practitioner is None:
            raise Problem(404, "not-found", N_("This professional is not in the directory."))
        now = datetime.now(UTC)
        grant = Grant(
            id=uuid7(),
            person_id=person_id,
            kind=GrantKind.CIRCLE,
            holder_kind="practitioner",
            holder_id=practitioner.id,
            holder=practitioner.name,
            since=now,
        )
        return await self._give_once(grant, requester.actor, requester.origin)

    async def revoke(self, requester: Requester, grant_id: UUID) -> None:
        """The person ends one of her grants now; Problem 404 when it is not there or ended already."""
        person_id = own_record(requester)
        now = datetime.now(UTC)
        async with self._db.transaction() as conn:
            await store.record(conn, person_id, lock=True)
            grants = [grant for grant in await store.active_grants(conn, person_id) if grant.id == grant_id]
            if not grants:
                raise Problem(404, "not-found", NOT_FOUND, remedy=N_("Perhaps it has ended already."))
            await store.revoke(conn, person_id, grant_id, now)
            await insert(conn, self.ended(grants[0], now, requester.actor, requester.origin))

    async def patients_of(
        self, requester: Requester, text: str = "", cursor: str | None = None, limit: int = 20
    ) -> Page[Patient]:
        """Whose record a professional may open, newest grant first; `text`: parts of the name or birth date.

        The newest `NEWEST` grants are looked through.
        """
        place = int(str(decode_cursor(cursor, int)[0])) if cursor else 0
        by_person: dict[UUID, Grant] = {}
        for grant in await store.held_by(self._db, _acting(requester), NEWEST, _died_after()):
            known = by_person.get(grant.person_id)
            if known is None or _end(grant) > _end(known):
                by_person[grant.person_id] = grant
        words = text.casefold().split()
        ids = list(by_person) if words else list(by_person)[max(place, 0) :][: limit + 1]
        persons = await self._directory.persons(ids)
        found = [Patient(persons[id_], by_person[id_]) for id_ in ids if id_ in persons]
        if words:
            found = [patient for patient in found if _matches(patient.person, words)][max(place, 0) :]
        more = len(found) > limit
        return Page(found[:limit], encode_cursor(max(place, 0) + limit) if more else None)

    async def persons(
        self, requester: Requester, holder: UUID | None = None, *, after: UUID = NIL, limit: int
    ) -> list[UUID]:
        """The persons whose record a professional may open now, by key, those after one; `holder`: by grants that
        were given to one of those for whom he or she acts."""
        return await store.persons_held(self._db, _held(requester, holder), _died_after(), after, limit)

    async def number(self, requester: Requester, holder: UUID | None = None) -> int:
        """How many `persons` there are."""
        return await store.count_held(self._db, _held(requester, holder), _died_after())

    def give(
        self,
        grant: Grant,
        actor: Actor = SYSTEM,
        origin: str = "",
        at: datetime | None = None,
        *,
        stay: Stay | None = None,
    ) -> list[Row]:
        """The rows of a new grant and of its entry, and of the stay that gives it (none named: from then on).

        `at`: only for history that is loaded later.
        """
        told = Granted(
            grant_id=grant.id,
            kind=grant.kind.value,
            holder_kind=grant.holder_kind,
            holder_id=grant.holder_id,
            holder=grant.holder,
            until=grant.until,
        )
        rows = [store.grant_row(grant)]
        if grant.kind is GrantKind.STAY:
            rows.append(stay_store.stay_row(stay or stay_of(grant)))
        return rows + self._journal.rows(told, person_id=grant.person_id, actor=actor, origin=origin, at=at)

    async def _give_once(self, grant: Grant, actor: Actor, origin: str) -> Grant:
        async with self._db.transaction() as conn:
            await locked_record(conn, grant.person_id, open_only=True)
            known = await self._same(conn, grant)
            if known is None:
                await insert(conn, self.give(grant, actor, origin))
        return known or grant

    async def _same(self, conn: Connection, grant: Grant) -> Grant | None:
        for known in await store.active_grants(conn, grant.person_id):
            if (known.kind, known.holder_id, known.until) == (grant.kind, grant.holder_id, None):
                return known
        return None

    def ended(self, grant: Grant, until: datetime, actor: Actor, origin: str) -> list[Row]:
        """The rows of the entry that tells of a grant's end."""
        told = GrantEnded(
            grant_id=grant.id,
            kind=grant.kind.value,
            holder_kind=grant.holder_kind,
            holder_id=grant.holder_id,
            holder=grant.holder,
            until=until,
        )
        return self._journal.rows(told, person_id=grant.person_id, actor=actor, origin=origin)


def stay_of(grant: Grant) -> Stay:
    """The stay that gives a grant: from when the grant is given on."""
    return Stay(
        id=grant.id,
        person_id=grant.person_id,
        organization_id=grant.holder_id,
        status=StayStatus.IN_PROGRESS,
        began_at=grant.since,
    )


def _acting(requester: Requester) -> list[UUID]:
    """For whom a professional acts: for himself or herself, and for the organisation."""
    return list(dict.fromkeys(key for key in (requester.id, requester.organization_id) if key is not None))


def _held(requester: Requester, holder: UUID | None) -> store.Held:
    acting = _acting(requester)
    holders = [key for key in acting if holder in (None, key)]
    return store.Held(holders=holders, acting=acting, only_person_id=requester.only_person_id)


def _died_after() -> datetime:
    """Of who died before, nothing is read any more."""
    now = datetime.now(UTC)
    return now - policy(now.date()).read_after_death


def _end(grant: Grant) -> datetime:
    return grant.until or datetime.max.replace(tzinfo=UTC)


def _matches(person: Person, words: list[str]) -> bool:
    text = f"{person.name} {person.birth_date.isoformat()}".casefold()
    return all(word in text for word in words)

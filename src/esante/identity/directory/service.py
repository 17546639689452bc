"""The use cases of the directory: find, search, register and update persons, professionals and organisations."""

from collections.abc import Iterable, Sequence
from dataclasses import fields, replace
from datetime import date, datetime
from typing import TypeVar
from uuid import UUID

import msgspec

from esante.core import clock
from esante.core.journal import SYSTEM, Actor, Event, Journal
from esante.core.storage import NIL, Database, DataLoader, Row, insert
from esante.core.web import N_, Page, Problem, bad_request, decode_uuid_cursor, encode_cursor
from esante.identity.directory import rules, store, tables
from esante.identity.directory.cache import EntryCache
from esante.identity.directory.entry_validation import (
    EntryValidator,
    refuse_duplicates,
    refuse_value,
    require_employers,
)
from esante.identity.directory.functions.delegations import Delegations
from esante.identity.directory.functions.referring_doctors import ReferringDoctors
from esante.identity.directory.lookups import Lookups, UnlimitedLookups
from esante.identity.directory.merging.relation import MergeRelation
from esante.identity.directory.model import (
    Organization,
    OrganizationRegistered,
    Person,
    PersonDeceased,
    PersonQuery,
    PersonRead,
    PersonRegistered,
    PersonSearched,
    PersonUpdated,
    Practitioner,
    PractitionerRegistered,
    ProfessionalsRead,
    Role,
)
from esante.identity.directory.name_search import decode_page_key, page_of, search_words
from esante.identity.directory.reference_data import catalogue
from esante.identity.directory.suspensions import Suspensions

Holder = TypeVar("Holder", Person, Practitioner, Organization)
MAX_HOMONYMS = 200
"""How many persons of one family name and birth date a search considers: more than any country has, yet a bound."""


class Directory:
    """The directory of persons, professionals and organisations.

    `matricule_check`: "strict" refuses matricules with a wrong date or check digit; "warn" accepts them and records
    the fault in the journal (the CNS issues test numbers that fail). Every refusal is a Problem. `suspensions`: who
    may not use the platform; `referring_doctors` and `delegations`: functions of professionals; `lookups`: what every
    look-up of a person passes; `merges`: which entries are of one person.
    Raises: ValueError for another value.
    """

    def __init__(
        self,
        db: Database,
        journal: Journal,
        matricule_check: str = "warn",
    ) -> None:
        self._db, self._journal = db, journal
        self.catalogue = catalogue()
        self._validator = EntryValidator(self.catalogue, matricule_check)
        self._persons: DataLoader[UUID, Person] = DataLoader(db, self.persons)
        self.suspensions = Suspensions(db, journal)
        self.referring_doctors = ReferringDoctors(db, journal)
        self.delegations = Delegations(db, journal)
        self.lookups: Lookups = UnlimitedLookups()
        self.merges = MergeRelation(db)
        self._practitioners = EntryCache(lambda ids: store.fetch_practitioners(db, ids))
        self._organizations = EntryCache(lambda ids: store.fetch_organizations(db, ids))

    # Persons

    async def person(self, person_id: UUID) -> Person | None:
        """Return a person by id, or None."""
        return await self._persons.load(person_id)

    async def persons(self, ids: Iterable[UUID]) -> dict[UUID, Person]:
        """Return persons by id, in one query; those that do not exist are missing."""
        return {person.id: person for person in await store.fetch_persons(self._db, list(ids))}

    async def find_person(self, system: str | None, value: str, born: date | None = None) -> Person | None:
        """Return the person with an identifier (`system` None: of any system); None when none or several have it.

        `born`: the birth date that the person must have, too.

        Raises: Problem 429 when the requester looked up too many unknown persons (see `Lookups`).
        """
        identifier = self._validator.search_identifier(system, value)
        async with self.lookups.admitted() as lookup:
            found = _only_one(await self._find_leading(*identifier))
            if found is None or born not in (None, found.birth_date):
                await lookup.record_miss()
                return None
        return found

    async def search_persons(
        self, query: PersonQuery, *, actor: Actor, origin: str = "", only_person_id: UUID | None = None
    ) -> list[Person]:
        """Return the persons who match a query exactly, and journal the search for each of them, or for nobody.

        `only_person_id`: the one person whom the actor may see (a patient: themselves).
        Raises: Problem 400 when the query does not have enough criteria (see `PersonQuery`), 429 as `find_person`, and
        what `Lookups.motive` raises.
        """
        motive = self.lookups.motive()
        async with self.lookups.admitted() as lookup:
            if query.value is not None:
                system, value = self._validator.search_identifier(query.system, query.value)
                query = replace(query, system=system, value=value)
            matching = [person for person in await self._fetch_candidates(query) if rules.matches(person, query)]
            found = matching if query.id is not None else await self.merges.lead(matching)
            found = [person for person in found if only_person_id in (None, person.id)]
            criteria = tuple(field.name for field in fields(query) if getattr(query, field.name) is not None)
            event = PersonSearched(
                by=criteria, found=len(found), motive=motive.purpose, file_reference=motive.file_reference
            )
            rows: list[Row] = []
            for person_id in [person.id for person in found] or [NIL]:
                rows += self._journal.rows(event, person_id=person_id, actor=actor, origin=origin)
            await self._db.write(rows)
            if not found:
                await lookup.record_miss(journalled=True)
        return found

    async def _find_leading(self, system: str | None, value: str) -> list[Person]:
        """Return the persons who have an identifier, or to whom an entry leads that has it (see `MergeRelation`)."""
        return await self.merges.lead(await store.find_persons_by_identifier(self._db, system, value))

    async def _fetch_candidates(self, query: PersonQuery) -> list[Person]:
        """Return all persons who meet the leading criterion of a query."""
        if query.id is not None:
            return list((await self.persons([query.id])).values())
        if query.value is not None:
            return await store.find_persons_by_identifier(self._db, query.system, query.value)
        if query.family is not None and query.birth_date is not None:
            key = rules.normalize_name(query.family)
            return await store.find_persons_by_name(self._db, key, query.birth_date, MAX_HOMONYMS) if key else []
        raise bad_request(
            "Patient",
            N_("There is not enough information to find one person."),
            N_("Search by _id, by identifier, or by family and birthdate together."),
            code="required",
        )

    async def read_person(
        self, person_id: UUID, *, actor: Actor, origin: str = "", only_person_id: UUID | None = None
    ) -> Person | None:
        """Return a person by id to an external requester, and journal it.

        None when there is no such person, or the actor may see only another one (`only_person_id`). Raises: what
        `Lookups.motive` raises.
        """
        motive, person = self.lookups.motive(), await self.person(person_id)
        allowed = person is not None and only_person_id in (None, person.id)
        filed_under = person.id if person else NIL
        event = PersonRead(allowed=allowed, motive=motive.purpose, file_reference=motive.file_reference)
        await self._journal.append(event, person_id=filed_under, actor=actor, origin=origin)
        return person if allowed else None

    async def register_person(self, person: Person, *, actor: Actor = SYSTEM, origin: str = "") -> Person:
        """Register one person; return the entry as stored. Raises: Problem 400, 409 as `register_persons`."""
        return (await self.register_persons([person], actor=actor, origin=origin))[0]

    async def register_persons(
        self, persons: Sequence[Person], *, actor: Actor = SYSTEM, origin: str = "", at: datetime | None = None
    ) -> list[Person]:
        """Register persons in one transaction, all or none; return the entries as stored.

        `at`: only for history that is loaded later.
        Raises: Problem 400 for an entry with a fault, 409 when an identifier or id is already registered.
        """
        rows: list[Row] = []
        stored = []
        for index, given in enumerate(persons):
            person, findings = self._validator.accept_person(given, f"persons[{index}].")
            stored.append(person)
            rows += tables.person_rows(person)
            event = PersonRegistered(findings=findings)
            rows += self._journal.rows(event, person_id=person.id, actor=actor, origin=origin, at=at)
        await self._write(rows)
        return stored

    async def update_person(self, person: Person, *, actor: Actor, origin: str = "") -> Person:
        """Replace the entry of a person; return it as stored.

        Raises: Problem 404 when there is no such person, 400 and 409 as `register_persons`.
        """
        person, findings = self._validator.accept_person(person, "")
        async with self._db.transaction() as conn:
            before = await store.lock_person(conn, person.id)
            if before is None:
                raise _unknown_person()
            names = [field.name for field in fields(person)]
            changed = tuple(name for name in names if getattr(before, name) != getattr(person, name))
            if changed:
                with refuse_duplicates():
                    await store.update_person(conn, person)
                event = PersonUpdated(fields=changed, findings=findings)
                await insert(conn, self._journal.rows(event, person_id=person.id, actor=actor, origin=origin))
        return person

    async def mark_deceased(self, person_id: UUID, at: datetime, *, actor: Actor, origin: str = "") -> None:
        """Record the death of a person; `at` has a time zone. Repeating it changes nothing.

        Raises: Problem 400 when `at` is in the future, 404 when there is no such person.
        """
        if at > clock.now():
            raise refuse_value("deceased_at", rules.FUTURE)
        async with self._db.transaction() as conn:
            person = await store.lock_person(conn, person_id)
            if person is None:
                raise _unknown_person()
            if person.deceased_at != at:
                await store.update_person(conn, replace(person, deceased_at=at))
                event = PersonDeceased(at=at)
                await insert(conn, self._journal.rows(event, person_id=person_id, actor=actor, origin=origin))

    # Practitioners

    async def record_look(self, event: ProfessionalsRead, *, actor: Actor, origin: str = "") -> None:
        """Journal that entries of professionals or organisations were shown, with the motive."""
        motive = self.lookups.motive()
        event = msgspec.structs.replace(event, motive=motive.purpose, file_reference=motive.file_reference)
        await self._journal.append(event, actor=actor, origin=origin)

    async def practitioner(self, practitioner_id: UUID) -> Practitioner | None:
        """Return a practitioner by id, with all roles, or None; the entry may be `cache.MAX_AGE_SECONDS` old."""
        return (await self.practitioners([practitioner_id])).get(practitioner_id)

    async def practitioners(self, ids: Iterable[UUID]) -> dict[UUID, Practitioner]:
        """Return practitioners by id, in at most one query; those that do not exist are missing."""
        return await self._practitioners.get(list(ids))

    async def find_practitioner(self, system: str | None, value: str) -> Practitioner | None:
        """Return the practitioner with an identifier (`system` None: of any system); None when none or several."""
        return _only_one(await self.find_practitioners(system, value))

    async def find_practitioners(self, system: str | None, value: str) -> list[Practitioner]:
        """Return all practitioners with an identifier; without `system` there may be several."""
        identifier = self._validator.search_identifier(system, value)
        return await store.find_practitioners_by_identifier(self._db, *identifier)

    async def search_practitioners(
        self, text: str = "", profession: str | None = None, cursor: str | None = None, limit: int = 20
    ) -> Page[Practitioner]:
        """Return a page of practitioners by prefixes of their names, sorted by name.

        The words may be in any order; accents and case do not matter.
        Raises: Problem 400 for a text that is too long, or a cursor that is not valid.
        """
        words = search_words(text)
        if words is None or limit == 0 or (profession and profession not in self.catalogue.professions):
            return Page([])
        found = await store.search_practitioners(self._db, words, profession, decode_page_key(cursor), limit + 1)
        return page_of(found, limit)

    async def search_roles(
        self,
        *,
        role_id: UUID | None = None,
        practitioner_id: UUID | None = None,
        organization_id: UUID | None = None,
        speciality: str | None = None,
        cursor: str | None = None,
        limit: int = 50,
    ) -> Page[tuple[Practitioner, Role]]:
        """Return a page of roles that meet all given conditions, each with its practitioner, sorted by id."""
        if limit == 0 or (speciality and speciality not in self.catalogue.specialities):
            return Page([])
        found = await store.search_roles(
            self._db,
            id_=role_id,
            practitioner_id=practitioner_id,
            organization_id=organization_id,
            speciality=speciality,
            after=decode_uuid_cursor(cursor or None),
            limit=limit + 1,
        )
        holders = await self.practitioners(practitioner for practitioner, _ in found)
        pairs = [(holders[practitioner], role) for practitioner, role in found[:limit]]
        return Page(pairs, encode_cursor(pairs[-1][1].id) if len(found) > limit else None)

    async def register_practitioner(
        self, practitioner: Practitioner, *, actor: Actor = SYSTEM, origin: str = ""
    ) -> Practitioner:
        """Register one practitioner with their roles; return the entry as stored."""
        return (await self.register_practitioners([practitioner], actor=actor, origin=origin))[0]

    async def register_practitioners(
        self, practitioners: Sequence[Practitioner], *, actor: Actor = SYSTEM, origin: str = ""
    ) -> list[Practitioner]:
        """Register practitioners with their roles, all or none; return the entries as stored.

        Raises: Problem 400 and 409 as `register_persons`, 400 also for a role at an unknown organisation.
        """
        employers = {role.organization_id for practitioner in practitioners for role in practitioner.roles}
        require_employers(practitioners, await self.organizations(employers))
        rows: list[Row] = []
        stored = []
        for index, given in enumerate(practitioners):
            practitioner, findings = self._validator.accept_practitioner(given, f"practitioners[{index}].")
            stored.append(practitioner)
            rows += tables.practitioner_rows(practitioner)
            event: Event = PractitionerRegistered(
                practitioner_id=practitioner.id, profession=practitioner.profession, findings=findings
            )
            rows += self._journal.rows(event, actor=actor, origin=origin)
        await self._write(rows)
        return stored

    # Organisations

    async def organization(self, organization_id: UUID) -> Organization | None:
        """Return an organisation by id, or None; the entry may be `cache.MAX_AGE_SECONDS` old."""
        return (await self.organizations([organization_id])).get(organization_id)

    async def organizations(self, ids: Iterable[UUID]) -> dict[UUID, Organization]:
        """Return organisations by id, in at most one query; those that do not exist are missing."""
        return await self._organizations.get(list(ids))

    async def find_organization(self, system: str | None, value: str) -> Organization | None:
        """Return the organisation with an identifier (`system` None: of any system); None when none or several."""
        return _only_one(await self.find_organizations(system, value))

    async def find_organizations(self, system: str | None, value: str) -> list[Organization]:
        """Return all organisations with an identifier; without `system` there may be several."""
        identifier = self._validator.search_identifier(system, value)
        return await store.find_organizations_by_identifier(self._db, *identifier)

    async def roles_of(self, practitioner_id: UUID, on: date) -> list[Role]:
        """Return the roles of a practitioner that are in force on a day; never cached."""
        return await store.fetch_roles(self._db, practitioner_id, on)

    async def search_organizations(
        self, text: str = "", kind: str | None = None, cursor: str | None = None, limit: int = 20
    ) -> Page[Organization]:
        """Return a page of organisations by prefixes of the words of their names, sorted by name.

        Raises: Problem 400 as `search_practitioners`.
        """
        words = search_words(text)
        if words is None or limit == 0 or (kind and kind not in self.catalogue.organization_kinds):
            return Page([])
        found = await store.search_organizations(self._db, words, kind, decode_page_key(cursor), limit + 1)
        return page_of(found, limit)

    async def professions_at(self, organization_ids: Iterable[UUID], on: date) -> dict[UUID, list[str]]:
        """Return the professions that work at organisations on a day; those where nobody works are missing."""
        return await store.fetch_professions(self._db, list(organization_ids), on)

    async def count_professionals(self, organization_id: UUID, on: date) -> int:
        """Return the number of practitioners who have a role at an organisation on a day."""
        return await store.count_professionals(self._db, organization_id, on)

    async def register_organization(
        self, organization: Organization, *, actor: Actor = SYSTEM, origin: str = ""
    ) -> Organization:
        """Register one organisation; return the entry as stored."""
        return (await self.register_organizations([organization], actor=actor, origin=origin))[0]

    async def register_organizations(
        self, organizations: Sequence[Organization], *, actor: Actor = SYSTEM, origin: str = ""
    ) -> list[Organization]:
        """Register organisations, all or none; return the entries as stored. Raises: as `register_persons`."""
        rows: list[Row] = []
        stored = []
        for index, given in enumerate(organizations):
            organization, findings = self._validator.accept_organization(given, f"organizations[{index}].")
            stored.append(organization)
            rows += tables.organization_rows(organization)
            event: Event = OrganizationRegistered(
                organization_id=organization.id, kind=organization.kind, findings=findings
            )
            rows += self._journal.rows(event, actor=actor, origin=origin)
        await self._write(rows)
        return stored

    async def _write(self, rows: Sequence[Row]) -> None:
        with refuse_duplicates():
            await self._db.write(rows)


def _unknown_person() -> Problem:
    remedy = N_("Check the identifier.")
    return Problem(404, "not-found", N_("This person does not exist."), remedy=remedy)


def _only_one(found: list[Holder]) -> Holder | None:
    return found[0] if len(found) == 1 else None

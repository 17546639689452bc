"""The use cases of the directory: find who is who, and keep it."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import fields, replace
from datetime import UTC, date, datetime
from typing import TypeVar
from uuid import UUID

import asyncpg

from esante.core.journal import SYSTEM, Actor, Event, Journal
from esante.core.storage import NIL, Database, DataLoader, Row, insert
from esante.core.web import N_, Page, Problem, decode_cursor, encode_cursor
from esante.identity.directory import rules, store
from esante.identity.directory.cache import Recent
from esante.identity.directory.model import (
    Fault,
    Identifier,
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
    Role,
)
from esante.identity.directory.reference_data import catalogue

T = TypeVar("T", Practitioner, Organization)
H = TypeVar("H", Person, Practitioner, Organization)
CHECKS = ("strict", "warn")
HOMONYMS = 200
"""How many persons of one name and birth date are looked at: more than any country has, yet a bound."""


class Directory:
    """Persons, professionals and organisations.

    `matricule_check`: "strict" refuses matricules with a wrong date or check digit, "warn" takes them and
    notes the fault in the journal (the CNS hands out test numbers that fail). Every refusal is a Problem.
    Raises ValueError for another word.
    """

    def __init__(
        self,
        db: Database,
        journal: Journal,
        matricule_check: str = "warn",
    ) -> None:
        self._db, self._journal = db, journal
        if matricule_check not in CHECKS:
            raise ValueError(f"matricule_check is one of {', '.join(CHECKS)}, not {matricule_check!r}")
        self._strict = matricule_check == "strict"
        self.catalogue = catalogue()
        self._persons: DataLoader[UUID, Person] = DataLoader(db, self.persons)
        self._practitioners = Recent(lambda ids: store.practitioners(db, ids))
        self._organizations = Recent(lambda ids: store.organizations(db, ids))

    # Persons

    async def person(self, person_id: UUID) -> Person | None:
        """A person by id."""
        return await self._persons.load(person_id)

    async def persons(self, ids: Iterable[UUID]) -> dict[UUID, Person]:
        """Persons by id, in one query; those that do not exist are missing."""
        return {person.id: person for person in await store.persons(self._db, list(ids))}

    async def find_person(self, system: str | None, value: str) -> Person | None:
        """The person with an identifier (`system` None: of any system), or None; None also if two have it."""
        return _only(await store.persons_with(self._db, *self._sought(system, value)))

    async def search_persons(
        self, query: PersonQuery, *, actor: Actor, origin: str = "", only: UUID | None = None
    ) -> list[Person]:
        """The persons who match a query exactly; each finding is journalled, and so is finding nobody.

        `only`: the one person whom the actor may see (a patient: herself). Problem 400 when the query does
        not hold enough (see `PersonQuery`).
        """
        if query.value is not None:
            system, value = self._sought(query.system, query.value)
            query = replace(query, system=system, value=value)
        found = [
            person
            for person in await self._candidates(query)
            if rules.matches(person, query) and only in (None, person.id)
        ]
        traits = tuple(field.name for field in fields(query) if getattr(query, field.name) is not None)
        told = PersonSearched(by=traits, found=len(found))
        holders = [person.id for person in found] or [NIL]
        rows: list[Row] = []
        for holder in holders:
            rows += self._journal.rows(told, person_id=holder, actor=actor, origin=origin)
        await self._db.write(rows)
        return found

    async def _candidates(self, query: PersonQuery) -> list[Person]:
        if query.id is not None:
            return list((await self.persons([query.id])).values())
        if query.value is not None:
            return await store.persons_with(self._db, query.system, query.value)
        if query.family is not None and query.birth_date is not None:
            key = rules.normalised(query.family)
            return await store.persons_named(self._db, key, query.birth_date, HOMONYMS) if key else []
        raise Problem(
            400,
            "required",
            N_("This does not say enough to find one person."),
            place="Patient",
            remedy=N_("Search by _id, by identifier, or by family and birthdate together."),
        )

    async def read_person(
        self, person_id: UUID, *, actor: Actor, origin: str = "", only: UUID | None = None
    ) -> Person | None:
        """A person by id for someone outside, journalled; None if there is none or the actor may not see it."""
        person = await self.person(person_id)
        allowed = person is not None and only in (None, person.id)
        holder = person.id if person else NIL
        await self._journal.append(PersonRead(allowed=allowed), person_id=holder, actor=actor, origin=origin)
        return person if allowed else None

    async def register_person(self, person: Person, *, actor: Actor = SYSTEM, origin: str = "") -> Person:
        """Take in one person; returns it as stored."""
        return (await self.register_persons([person], actor=actor, origin=origin))[0]

    async def register_persons(
        self, persons: Sequence[Person], *, actor: Actor = SYSTEM, origin: str = "", at: datetime | None = None
    ) -> list[Person]:
        """Take in persons, all or none, in one transaction; returns them as stored.

        `at`: only for history that is loaded later. Problem 400 for an entry that is wrong, 409 when an
        identifier or id is already there.
        """
        rows: list[Row] = []
        stored = []
        for place, given in enumerate(persons):
            person, findings = self._checked_person(given, f"persons[{place}].")
            stored.append(person)
            rows += store.person_rows(person)
            told = PersonRegistered(findings=findings)
            rows += self._journal.rows(told, person_id=person.id, actor=actor, origin=origin, at=at)
        await self._write(rows)
        return stored

    async def update_person(self, person: Person, *, actor: Actor, origin: str = "") -> Person:
        """Replace what is known of a person; Problem 404 when there is none, 400 and 409 as in registering."""
        person, findings = self._checked_person(person, "")
        async with self._db.transaction() as conn:
            before = await store.locked_person(conn, person.id)
            if before is None:
                raise _unknown()
            names = [field.name for field in fields(person)]
            changed = tuple(name for name in names if getattr(before, name) != getattr(person, name))
            if changed:
                with _taken_identifier():
                    await store.update_person(conn, person)
                told = PersonUpdated(fields=changed, findings=findings)
                await insert(conn, self._journal.rows(told, person_id=person.id, actor=actor, origin=origin))
        return person

    async def mark_deceased(self, person_id: UUID, at: datetime, *, actor: Actor, origin: str = "") -> None:
        """Note a person's death; `at` is aware and not in the future. Telling the same again changes nothing."""
        if at > datetime.now(UTC):
            raise _refused("deceased_at", rules.FUTURE)
        async with self._db.transaction() as conn:
            person = await store.locked_person(conn, person_id)
            if person is None:
                raise _unknown()
            if person.deceased_at != at:
                await store.update_person(conn, replace(person, deceased_at=at))
                told = PersonDeceased(at=at)
                await insert(conn, self._journal.rows(told, person_id=person_id, actor=actor, origin=origin))

    def _checked_person(self, person: Person, place: str) -> tuple[Person, tuple[str, ...]]:
        person = self._canonical(person)
        return person, self._passed(place, rules.person_faults(person, datetime.now(UTC).date(), self.catalogue))

    # Practitioners

    async def practitioner(self, practitioner_id: UUID) -> Practitioner | None:
        """A practitioner by id, with all roles; what is known may be `recent.SECONDS` old."""
        return (await self.practitioners([practitioner_id])).get(practitioner_id)

    async def practitioners(self, ids: Iterable[UUID]) -> dict[UUID, Practitioner]:
        """Practitioners by id, in at most one query; those that do not exist are missing."""
        return await self._practitioners.get(list(ids))

    async def find_practitioner(self, system: str | None, value: str) -> Practitioner | None:
        """The practitioner with an identifier (`system` None: of any system), or None."""
        return _only(await self.practitioners_with(system, value))

    async def practitioners_with(self, system: str | None, value: str) -> list[Practitioner]:
        """All practitioners with an identifier; without `system` two systems may know the same value."""
        return await store.practitioners_with(self._db, *self._sought(system, value))

    async def search_practitioners(
        self, text: str = "", profession: str | None = None, cursor: str | None = None, limit: int = 20
    ) -> Page[Practitioner]:
        """Practitioners by the beginnings of their names (any order, accents and case aside), sorted by name."""
        words = _words(text)
        if words is None or limit == 0 or (profession and profession not in self.catalogue.professions):
            return Page([])
        found = await store.search_practitioners(self._db, words, profession, _place(cursor), limit + 1)
        return _page(found, limit)

    async def roles(
        self,
        *,
        role_id: UUID | None = None,
        practitioner_id: UUID | None = None,
        organization_id: UUID | None = None,
        speciality: str | None = None,
        cursor: str | None = None,
        limit: int = 50,
    ) -> Page[tuple[Practitioner, Role]]:
        """Roles that fulfil every given condition, each with who has it, sorted by id."""
        if limit == 0 or (speciality and speciality not in self.catalogue.specialities):
            return Page([])
        found = await store.search_roles(
            self._db,
            id_=role_id,
            practitioner_id=practitioner_id,
            organization_id=organization_id,
            speciality=speciality,
            after=_uuid(str(decode_cursor(cursor, str)[0])) if cursor else None,
            limit=limit + 1,
        )
        holders = await self.practitioners(practitioner for practitioner, _ in found)
        pairs = [(holders[practitioner], role) for practitioner, role in found[:limit]]
        return Page(pairs, encode_cursor(str(pairs[-1][1].id)) if len(found) > limit else None)

    async def register_practitioner(
        self, practitioner: Practitioner, *, actor: Actor = SYSTEM, origin: str = ""
    ) -> Practitioner:
        """Take in one practitioner with his or her roles; returns it as stored."""
        return (await self.register_practitioners([practitioner], actor=actor, origin=origin))[0]

    async def register_practitioners(
        self, practitioners: Sequence[Practitioner], *, actor: Actor = SYSTEM, origin: str = ""
    ) -> list[Practitioner]:
        """Take in practitioners with their roles, all or none; Problem 400 and 409 as for persons."""
        await self._check_employers(practitioners)
        rows: list[Row] = []
        stored = []
        for place, given in enumerate(practitioners):
            practitioner = self._canonical(given)
            faults = rules.practitioner_faults(practitioner, self.catalogue)
            findings = self._passed(f"practitioners[{place}].", faults)
            stored.append(practitioner)
            rows += store.practitioner_rows(practitioner)
            told: Event = PractitionerRegistered(
                practitioner_id=practitioner.id, profession=practitioner.profession, findings=findings
            )
            rows += self._journal.rows(told, actor=actor, origin=origin)
        await self._write(rows)
        return stored

    async def _check_employers(self, practitioners: Sequence[Practitioner]) -> None:
        wanted = {role.organization_id for practitioner in practitioners for role in practitioner.roles}
        if wanted - set(await self.organizations(wanted)):
            raise Problem(
                400,
                "not-found",
                N_("A role names an organisation that is not in the directory."),
                place="practitioners.roles.organization_id",
                remedy=N_("Register the organisation first."),
            )

    # Organisations

    async def organization(self, organization_id: UUID) -> Organization | None:
        """An organisation by id; what is known may be `recent.SECONDS` old."""
        return (await self.organizations([organization_id])).get(organization_id)

    async def organizations(self, ids: Iterable[UUID]) -> dict[UUID, Organization]:
        """Organisations by id, in at most one query; those that do not exist are missing."""
        return await self._organizations.get(list(ids))

    async def find_organization(self, system: str | None, value: str) -> Organization | None:
        """The organisation with an identifier (`system` None: of any system), or None."""
        return _only(await self.organizations_with(system, value))

    async def organizations_with(self, system: str | None, value: str) -> list[Organization]:
        """All organisations with an identifier; without `system` two systems may know the same value."""
        return await store.organizations_with(self._db, *self._sought(system, value))

    async def organizations_of(self, practitioner_id: UUID, on: date) -> list[Organization]:
        """Where a practitioner has a role on a day, as the database knows it now; sorted by name."""
        return await store.organizations_of(self._db, practitioner_id, on)

    async def search_organizations(
        self, text: str = "", kind: str | None = None, cursor: str | None = None, limit: int = 20
    ) -> Page[Organization]:
        """Organisations by the beginnings of the words of their names, sorted by name."""
        words = _words(text)
        if words is None or limit == 0 or (kind and kind not in self.catalogue.organization_kinds):
            return Page([])
        found = await store.search_organizations(self._db, words, kind, _place(cursor), limit + 1)
        return _page(found, limit)

    async def register_organization(
        self, organization: Organization, *, actor: Actor = SYSTEM, origin: str = ""
    ) -> Organization:
        """Take in one organisation; returns it as stored."""
        return (await self.register_organizations([organization], actor=actor, origin=origin))[0]

    async def register_organizations(
        self, organizations: Sequence[Organization], *, actor: Actor = SYSTEM, origin: str = ""
    ) -> list[Organization]:
        """Take in organisations, all or none; Problem 400 and 409 as for persons."""
        rows: list[Row] = []
        stored = []
        for place, given in enumerate(organizations):
            organization = self._canonical(given)
            faults = rules.organization_faults(organization, self.catalogue)
            findings = self._passed(f"organizations[{place}].", faults)
            stored.append(organization)
            rows += store.organization_rows(organization)
            told: Event = OrganizationRegistered(
                organization_id=organization.id, kind=organization.kind, findings=findings
            )
            rows += self._journal.rows(told, actor=actor, origin=origin)
        await self._write(rows)
        return stored

    # What all three share

    def _canonical(self, holder: H) -> H:
        identifiers = (rules.canonical(identifier, self.catalogue.systems) for identifier in holder.identifiers)
        return replace(holder, identifiers=tuple(sorted(set(identifiers), key=_order)))

    def _passed(self, place: str, faults: Sequence[rules.Found]) -> tuple[str, ...]:
        """The codes of the faults that may pass; Problem 400 for the first that may not."""
        for field, fault in faults:
            if fault.hard or self._strict:
                raise _refused(place + field, fault)
        return tuple(fault.code for _, fault in faults)

    def _sought(self, system: str | None, value: str) -> tuple[str | None, str]:
        """An identifier as it is searched (`system` "": of none); Problem 400 when nobody could have it."""
        identifier = rules.canonical(Identifier(system or "", value), self.catalogue.systems)
        if system:
            faults = rules.identifier_faults(identifier, self.catalogue.systems)
        else:
            faults = rules.text_faults(identifier.value, rules.MAX_IDENTIFIER)
        self._passed("", [("identifier", fault) for fault in faults])
        return (None if system is None else identifier.system), identifier.value

    async def _write(self, rows: Sequence[Row]) -> None:
        with _taken_identifier():
            await self._db.write(rows)


@contextmanager
def _taken_identifier() -> Iterator[None]:
    try:
        yield
    except asyncpg.UniqueViolationError as error:
        raise Problem(
            409,
            "duplicate",
            N_("This identifier is already in the directory."),
            place="identifiers",
            remedy=N_("Search by the identifier and use the entry that is there."),
        ) from error


def _refused(place: str, fault: Fault) -> Problem:
    remedy = N_("Please correct the value and send it again.")
    return Problem(400, "value", fault.message, place=place, remedy=remedy)


def _unknown() -> Problem:
    remedy = N_("Please check the identifier.")
    return Problem(404, "not-found", N_("There is no such person."), remedy=remedy)


def _order(identifier: Identifier) -> tuple[str, str]:
    return identifier.system, identifier.value


def _only(found: list[H]) -> H | None:
    return found[0] if len(found) == 1 else None


def _words(text: str) -> list[str] | None:
    """The words of a search, [] for none; None when there is text but nothing in it to search by."""
    if len(text) > rules.MAX_NAME:
        raise Problem(
            400, "too-long", N_("This is too long to search by."), remedy=N_("Please search by a part of the name.")
        )
    words = rules.normalised(text).split()
    return words if words or not text.strip() else None


def _place(cursor: str | None) -> store.Place | None:
    if cursor is None:
        return None
    key, id_ = map(str, decode_cursor(cursor, str, str))
    if key != rules.normalised(key):
        raise _no_page()
    return key, _uuid(id_)


def _uuid(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError as error:
        raise _no_page() from error


def _no_page() -> Problem:
    remedy = N_("Please start from the first page.")
    return Problem(400, "invalid", N_("This page of the list does not exist."), remedy=remedy)


def _page(found: list[tuple[str, T]], limit: int) -> Page[T]:
    items = [item for _, item in found[:limit]]
    more = len(found) > limit
    return Page(items, encode_cursor(found[limit - 1][0], str(items[-1].id)) if more else None)

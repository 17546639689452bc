"""The use cases of the directory on a real database."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

import pytest

from esante.core.journal import Actor
from esante.core.storage import uuid7
from esante.core.web import Problem
from esante.identity.directory import (
    Directory,
    Identifier,
    PersonDeceased,
    PersonQuery,
    PersonRead,
    PersonRegistered,
    PersonSearched,
    PersonUpdated,
)
from tests.support.directory_entries import (
    EHEALTH_ID,
    MATRICULE,
    MRN,
    PROVIDER_CODE,
    a_person,
    a_practitioner,
    a_role,
    an_organization,
)

NURSE = Actor(kind="practitioner", id=UUID(int=7), name="Nurse")


async def events_of(journal, person_id, type_):
    """Return the events of one type about a person, oldest first."""
    entries = await journal.entries_of(person_id, [type_])
    return [entry.event for entry in reversed(entries)]


async def count_empty_searches(db):
    """Return the number of journalled searches that found nobody."""
    return await db.fetchval(
        "SELECT count(*) FROM journal_entry WHERE person_id = $1 AND type = 'directory.person_searched'", UUID(int=0)
    )


async def test_registered_person_is_found_by_id_and_every_identifier(directory, journal):
    person = a_person()
    await directory.register_person(person, actor=NURSE)
    assert await directory.person(person.id) == replace(person, identifiers=tuple(sorted_(person.identifiers)))
    for identifier in person.identifiers:
        assert (await directory.find_person(identifier.system, identifier.value)).id == person.id
        assert (await directory.find_person(None, f" {identifier.value} ")).id == person.id
        assert await directory.find_person("", identifier.value) is None
        assert await directory.find_person("urn:another:system", identifier.value) is None
    assert await events_of(journal, person.id, PersonRegistered) == [PersonRegistered()]


def sorted_(identifiers):
    return sorted(identifiers, key=lambda identifier: (identifier.system, identifier.value))


async def test_unknown_ids_are_missing_from_persons(directory):
    people = [a_person() for _ in range(300)]
    await directory.register_persons(people)
    found = await directory.persons([*(person.id for person in people), uuid7()])
    assert set(found) == {person.id for person in people}
    assert await directory.person(uuid7()) is None
    assert await directory.persons([]) == {}


async def test_invalid_person_prevents_registration_of_all(directory):
    good, bad = a_person(), a_person(sex="f")
    with pytest.raises(Problem) as refusal:
        await directory.register_persons([good, bad])
    assert (refusal.value.status, refusal.value.place) == (400, "persons[1].sex")
    assert await directory.person(good.id) is None


async def test_duplicate_identifier_is_conflict(directory, journal):
    first = a_person()
    await directory.register_person(first)
    second = a_person(identifiers=(first.identifiers[0],))
    with pytest.raises(Problem) as refusal:
        await directory.register_person(second)
    assert refusal.value.status == 409
    assert await directory.person(second.id) is None
    assert await events_of(journal, second.id, PersonRegistered) == []


async def test_ambiguous_value_without_system_finds_nobody(directory):
    value = "SHARED-1"
    first, second = (a_person(identifiers=(Identifier(system, value),)) for system in (MRN, "urn:x:other"))
    await directory.register_persons([first, second])
    assert await directory.find_person(None, value) is None
    assert (await directory.find_person("urn:x:other", value)).id == second.id


async def test_wrong_check_digit_is_journalled_or_refused_when_strict(directory, strict, journal):
    person = a_person(identifiers=(Identifier(MATRICULE, "1900123456712"),))
    with pytest.raises(Problem) as refusal:
        await strict.register_person(person)
    assert (refusal.value.status, refusal.value.place) == (400, "persons[0].identifiers[0]")
    await directory.register_person(person)
    assert await events_of(journal, person.id, PersonRegistered) == [
        PersonRegistered(findings=("date", "luhn", "verhoeff"))
    ]
    assert (await directory.find_person(MATRICULE, "1900123456712")).id == person.id
    with pytest.raises(Problem):
        await strict.find_person(MATRICULE, "1900123456712")


def test_unknown_matricule_check_is_refused(db, journal):
    with pytest.raises(ValueError, match="strict, warn"):
        Directory(db, journal, "Strict")


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"family": " "}, "family"),
        ({"family": "x" * 201}, "family"),
        ({"family": "a\0b"}, "family"),
        ({"given": ("a", "\ud800")}, "given[1]"),
        ({"birth_date": date(9999, 1, 1)}, "birth_date"),
        ({"languages": ("English",)}, "languages"),
        ({"identifiers": (Identifier(MATRICULE, "123"),)}, "identifiers[0]"),
        ({"deceased_at": datetime(9999, 1, 1, tzinfo=UTC)}, "deceased_at"),
    ],
)
async def test_invalid_person_is_refused_with_its_place(directory, changes, place):
    with pytest.raises(Problem) as refusal:
        await directory.register_person(replace(a_person(), **changes))
    assert (refusal.value.status, refusal.value.place) == (400, f"persons[0].{place}")
    assert refusal.value.remedy


async def test_search_is_exact_and_journalled_for_each_person(directory, journal, db):
    person = a_person(family="Schneider-Löw", given=("Zoé", "Marie"), birth_date=date(1971, 2, 3))
    await directory.register_person(person)

    async def search(only=None, **query):
        found = await directory.search_persons(
            PersonQuery(**query), actor=NURSE, origin="192.0.2.1", only_person_id=only
        )
        return [each.id for each in found]

    traits = {"family": "schneider low", "birth_date": date(1971, 2, 3)}
    assert await search(**traits) == [person.id]
    assert await search(**traits, given="ZOE", sex="female") == [person.id]
    assert await search(id=person.id) == [person.id]
    assert await search(system=MRN, value=person.identifiers[1].value) == [person.id]
    events = await events_of(journal, person.id, PersonSearched)
    assert [event.by for event in events] == [
        ("family", "birth_date"),
        ("family", "given", "birth_date", "sex"),
        ("id",),
        ("system", "value"),
    ]
    assert {event.found for event in events} == {1}

    before = await count_empty_searches(db)
    assert await search(family="Schneider", birth_date=date(1971, 2, 3)) == []
    assert await search(**traits, given="Marie") == []
    assert await search(**traits, only=uuid7()) == []
    assert await search(family="%", birth_date=date(1971, 2, 3)) == []
    assert await count_empty_searches(db) == before + 4
    assert len(await events_of(journal, person.id, PersonSearched)) == 4


@pytest.mark.parametrize(
    "query", [{}, {"family": "Muster"}, {"birth_date": date(1980, 4, 9)}, {"given": "Anne", "sex": "female"}]
)
async def test_search_with_too_few_criteria_is_refused(directory, query):
    with pytest.raises(Problem) as refusal:
        await directory.search_persons(PersonQuery(**query), actor=NURSE)
    assert (refusal.value.status, refusal.value.code) == (400, "required")


async def test_allowed_and_refused_reads_are_journalled(directory, journal):
    person = a_person()
    await directory.register_person(person)
    assert (await directory.read_person(person.id, actor=NURSE)).id == person.id
    assert await directory.read_person(person.id, actor=NURSE, only_person_id=uuid7()) is None
    assert await directory.read_person(uuid7(), actor=NURSE) is None
    assert [event.allowed for event in await events_of(journal, person.id, PersonRead)] == [True, False]


async def test_update_journals_changed_fields(directory, journal):
    person = await directory.register_person(a_person())
    changed = replace(person, family="Neu", identifiers=(*person.identifiers, Identifier("urn:x:foreign", "F 1")))
    assert await directory.update_person(changed, actor=NURSE) == await directory.person(person.id)
    assert (await directory.find_person("urn:x:foreign", "F1")).family == "Neu"
    assert await events_of(journal, person.id, PersonUpdated) == [PersonUpdated(fields=("identifiers", "family"))]
    await directory.update_person(changed, actor=NURSE)
    assert len(await events_of(journal, person.id, PersonUpdated)) == 1
    await directory.update_person(replace(person, identifiers=()), actor=NURSE)
    assert await directory.find_person("urn:x:foreign", "F1") is None


async def test_update_with_identifier_of_other_person_is_conflict(directory, journal):
    first, second = await directory.register_persons([a_person(), a_person()])
    with pytest.raises(Problem) as refusal:
        await directory.update_person(replace(second, family="X", identifiers=first.identifiers), actor=NURSE)
    assert refusal.value.status == 409
    assert await directory.person(second.id) == second
    assert await events_of(journal, second.id, PersonUpdated) == []


async def test_update_and_death_of_unknown_person_are_not_found(directory):
    for act in (
        directory.update_person(a_person(), actor=NURSE),
        directory.mark_deceased(uuid7(), datetime(2024, 1, 1, tzinfo=UTC), actor=NURSE),
    ):
        with pytest.raises(Problem) as refusal:
            await act
        assert refusal.value.status == 404


async def test_repeated_death_is_journalled_once(directory, journal):
    person = await directory.register_person(a_person())
    at = datetime(2024, 5, 6, 7, 8, tzinfo=UTC)
    for _ in range(2):
        await directory.mark_deceased(person.id, at, actor=NURSE)
    assert (await directory.person(person.id)).deceased_at == at
    assert await events_of(journal, person.id, PersonDeceased) == [PersonDeceased(at=at)]
    with pytest.raises(Problem):
        await directory.mark_deceased(person.id, datetime.now(UTC) + timedelta(days=1), actor=NURSE)


async def test_practitioner_has_roles_and_workplaces_of_a_day(directory):
    clinic, practice = an_organization(name="Klinik"), an_organization(name="Praxis", kind="practice")
    await directory.register_organizations([clinic, practice])
    roles = (
        a_role(clinic, since=date(2020, 1, 1), until=date(2024, 1, 1)),
        a_role(practice, since=date(2023, 6, 1), specialities=()),
    )
    doctor = a_practitioner(roles=roles)
    await directory.register_practitioner(doctor)
    assert await directory.practitioner(doctor.id) == doctor
    assert await directory.find_practitioner(EHEALTH_ID, doctor.identifiers[0].value) == doctor

    async def workplaces(on):
        names = {clinic.id: "Klinik", practice.id: "Praxis"}
        return [names[role.organization_id] for role in await directory.roles_of(doctor.id, on)]

    assert await workplaces(date(2019, 12, 31)) == []
    assert await workplaces(date(2020, 1, 1)) == ["Klinik"]
    assert await workplaces(date(2023, 12, 31)) == ["Klinik", "Praxis"]
    assert await workplaces(date(2024, 1, 1)) == ["Praxis"]
    assert set(await directory.organizations([clinic.id, practice.id, uuid7()])) == {clinic.id, practice.id}
    code = clinic.identifiers[0].value
    assert await directory.find_organization(PROVIDER_CODE, f"{code[:6]}-{code[6:]}") == clinic


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"profession": "wizard"}, "profession"),
        ({"specialities": ("alchemy",)}, "specialities"),
        ({"identifiers": (Identifier(EHEALTH_ID, "12345"),)}, "identifiers[0]"),
        ({"title": "x\n"}, "title"),
    ],
)
async def test_invalid_practitioner_is_refused_with_its_place(directory, changes, place):
    with pytest.raises(Problem) as refusal:
        await directory.register_practitioner(a_practitioner(**changes))
    assert (refusal.value.status, refusal.value.place) == (400, f"practitioners[0].{place}")


async def test_role_with_wrong_period_or_unknown_organization_is_refused(directory):
    organization = await directory.register_organization(an_organization())
    ends = a_practitioner(roles=(a_role(organization, since=date(2024, 1, 2), until=date(2024, 1, 1)),))
    with pytest.raises(Problem) as refusal:
        await directory.register_practitioner(ends)
    assert refusal.value.place == "practitioners[0].roles[0].until"
    with pytest.raises(Problem) as refusal:
        await directory.register_practitioner(a_practitioner(an_organization()))
    assert refusal.value.code == "not-found"


async def test_practitioners_are_found_by_name_prefixes_in_pages(directory):
    names = ["Aach", "Aachen", "Ähnlich", "Aachén-Zahn", "Baach"]
    await directory.register_practitioners(
        [a_practitioner(family=name, given=("Xaver",), profession="midwife", specialities=()) for name in names]
    )

    async def search(text, **more):
        return [found.family for found in (await directory.search_practitioners(text, **more)).items]

    assert await search("aach", profession="midwife") == ["Aach", "Aachen", "Aachén-Zahn"]
    assert await search("xav AACH") == ["Aach", "Aachen", "Aachén-Zahn"]
    assert await search("zahn xaver") == ["Aachén-Zahn"]
    assert await search("aehnlich") == []
    assert await search("ahn") == ["Ähnlich"]
    assert await search("aach", profession="doctor") == []
    assert await search("aach", profession="\0") == []
    assert await search("%") == []
    assert await search("' OR 1=1 --") == []
    assert await search("aach", limit=0) == []
    assert await search("", profession="midwife") == ["Aach", "Aachen", "Aachén-Zahn", "Ähnlich", "Baach"]

    pages, cursor = [], None
    while True:
        page = await directory.search_practitioners("", profession="midwife", cursor=cursor, limit=2)
        pages.append([found.family for found in page.items])
        if not (cursor := page.next):
            break
    assert pages == [["Aach", "Aachen"], ["Aachén-Zahn", "Ähnlich"], ["Baach"]]


async def test_pages_keep_practitioners_of_same_name(directory):
    twins = [a_practitioner(family="Zwilling", profession="dietitian", specialities=()) for _ in range(5)]
    await directory.register_practitioners(twins)
    found_ids, cursor = [], None
    for _ in range(5):
        page = await directory.search_practitioners("zwill", cursor=cursor, limit=1)
        found_ids += [found.id for found in page.items]
        cursor = page.next
    assert sorted(found_ids) == sorted(twin.id for twin in twins)
    assert cursor is None


async def test_organizations_are_found_by_word_prefixes_and_kind(directory):
    await directory.register_organizations(
        [
            an_organization(name="Labo Rouge <i>Sud</i>", kind="laboratory"),
            an_organization(name="Pharmacie Rouge", kind="pharmacy"),
        ]
    )

    async def search(*query):
        return [found.name for found in (await directory.search_organizations(*query)).items]

    assert await search("rouge") == ["Labo Rouge <i>Sud</i>", "Pharmacie Rouge"]
    assert await search("ROUGE lab") == ["Labo Rouge <i>Sud</i>"]
    assert await search("rouge", "pharmacy") == ["Pharmacie Rouge"]
    assert await search("ouge") == []


@pytest.mark.parametrize("cursor", ["", "x", "eyJ9", "WyJhIiwiYiJd", "WyJcdTAwMDAiLCIwMTkzIl0", "WzFd", "é" * 40])
async def test_invalid_cursor_is_refused(directory, cursor):
    for search in (directory.search_practitioners, directory.search_organizations):
        with pytest.raises(Problem) as refusal:
            await search("a", cursor=cursor)
        assert refusal.value.status == 400


async def test_overlong_search_text_is_refused(directory):
    for search in (directory.search_practitioners, directory.search_organizations):
        with pytest.raises(Problem) as refusal:
            await search("a" * 10_000)
        assert refusal.value.code == "too-long"

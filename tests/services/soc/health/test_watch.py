"""The consumer: alerts of real entries, once, to the right member, with the care context in words."""

from datetime import timedelta

import pytest

from esante.core.web import LANGUAGES
from esante.identity.access import EmergencyDeclared, requester_of
from esante.identity.directory import Address
from esante.services.soc.alerts.model import AlertFilter, Level
from esante.services.soc.health.words import explain
from tests.support.directory_entries import a_person, a_practitioner, an_organization
from tests.support.soc_health import HealthWorld


@pytest.fixture
async def world(db, journal):
    """A world of its own over this module's database."""
    return HealthWorld(db, journal)


async def professional(world, organization, **changes):
    """A professional at an organisation, as a requester."""
    practitioner = await world.directory.register_practitioner(a_practitioner(organization, **changes))
    return requester_of(practitioner, organization)


async def test_record_opened_without_care_alerts_the_member_and_nobody_else(world):
    tenant, contact = await world.member("Hôpital A")
    _, other = await world.member("Hôpital B")
    hospital = await world.directory.organization(tenant.organization_id)
    nurse = await professional(world, hospital, family="Neugier", given=("Ida",))
    person = await world.directory.register_person(a_person(family="Eigen", given=("Paul",)))
    await world.read(nurse, person, world.start)
    await world.follow(days=2)
    assert await world.found(contact) == []  # later care may still explain it
    await world.follow(days=4)
    (alert,) = await world.found(contact)
    assert (alert.rule, alert.tenant_id, alert.person_id) == (
        "health.no_care_context",
        tenant.tenant_id,
        person.id,
    )
    assert alert.subject == nurse.name and alert.level is Level.MEDIUM
    assert await world.found(other) == []


async def test_access_for_an_organisation_that_is_no_member_belongs_to_the_agency(world):
    _, contact = await world.member("Hôpital C")
    outside = await world.directory.register_organization(an_organization(name="Cabinet X"))
    doctor = await professional(world, outside, family="Aussen", given=("Jo",))
    person = await world.directory.register_person(a_person(family="Fremd", given=("Lea",)))
    await world.read(doctor, person, world.start)
    await world.follow(days=5)
    mine = [one for one in await world.found() if one.person_id == person.id]
    assert [one.tenant_id for one in mine] == [(await world.tenants.agency()).tenant_id]
    assert person.id not in [one.person_id for one in await world.found(contact)]


async def test_whole_answers_of_a_member_hold_nothing_of_another(world):
    members = [await world.member(name) for name in ("Hôpital Nord", "Hôpital Süd")]
    traces, answers = [], []
    for number, (tenant, _) in enumerate(members):
        hospital = await world.directory.organization(tenant.organization_id)
        user = await professional(world, hospital, family=f"Spuer{number}", given=("Ed",))
        person = await world.directory.register_person(a_person(family=f"Geheim{number}", given=("Al",)))
        await world.read(user, person, world.start + timedelta(minutes=number))
        traces.append([str(one) for one in (tenant.tenant_id, hospital.id, user.id, person.id)] + [user.name])
    await world.follow(days=5)
    for _, contact in members:
        page = await world.alerts.page(contact, AlertFilter())
        answers.append(repr([page, *[await world.alerts.alert(contact, one.alert_id) for one in page.items]]))
    for number, answer in enumerate(answers):
        assert traces[number][-1] in answer
        assert not [trace for trace in traces[1 - number] if trace in answer or f"UUID('{trace}')" in answer]


@pytest.mark.parametrize("care", ["deposit before", "deposit after", "stay", "deposit of the house"])
async def test_care_before_or_after_explains_an_access(world, care):
    hospital = await world.directory.register_organization(an_organization(name="Klinik"))
    doctor = await professional(world, hospital, family="Heilig", given=("Max",))
    colleague = await professional(world, hospital, family="Kollegin", given=("Eva",))
    person = await world.directory.register_person(a_person(family="Krank", given=("Kim",)))
    at = world.start + timedelta(days=2)
    if care == "stay":
        await world.admit(hospital, person, at - timedelta(hours=3))
    author = colleague if care == "deposit of the house" else doctor
    offset = timedelta(days=1) if care == "deposit after" else timedelta(days=-1)
    events = [(at, lambda: world.read(doctor, person, at))]
    if care != "stay":
        events.append((at + offset, lambda: world.deposit(author, person, at + offset)))
    for _, write in sorted(events, key=lambda one: one[0]):
        await write()
    await world.follow(days=8)
    assert person.id not in [one.person_id for one in await world.found(rule="no_care")]


async def test_relative_is_questioned_even_during_a_stay_and_a_namesake_is_not(world):
    tenant, contact = await world.member("Hôpital D")
    hospital = await world.directory.organization(tenant.organization_id)
    home = Address("7, rue de la Paix", "L-4040", "Esch")
    await world.directory.register_person(a_person(family="Zwick", given=("Nora",), address=home))
    son = await world.directory.register_person(a_person(family="Zwick", given=("Tim",), address=home))
    twin = await world.directory.register_person(
        a_person(family="Zwick", given=("Leo",), address=Address("9, Hauptstraße", "L-9000", "Ettelbruck"))
    )
    nurse = await professional(world, hospital, family="Zwick", given=("Nora",), profession="nurse")
    for person in (son, twin):
        await world.admit(hospital, person, world.start)
        await world.read(nurse, person, world.start + timedelta(hours=2))
    await world.follow(days=6)
    found = [one for one in await world.found(contact) if one.rule == "health.family"]
    assert [one.person_id for one in found] == [son.id]


async def test_explanation_says_why_in_four_languages(world):
    tenant, contact = await world.member("Hôpital E")
    hospital = await world.directory.organization(tenant.organization_id)
    doctor = await professional(world, hospital, family="Wunder", given=("Rolf",))
    person = await world.directory.register_person(a_person(family="Still", given=("Anna",)))
    await world.deposit(doctor, person, world.start)
    await world.write(
        EmergencyDeclared(justification="reason", grant_kind="emergency"),
        world.start + timedelta(days=1),
        (await world.directory.register_person(a_person(family="Notfall", given=("Otto",)))).id,
        doctor.actor,
    )
    stranger = await world.directory.register_person(a_person(family="Ander", given=("Ute",)))
    await world.read(doctor, stranger, world.start + timedelta(days=1))
    await world.follow(days=6)
    (alert,) = [one for one in await world.found(contact) if one.person_id == stranger.id]
    texts = {language: explain(alert.why, alert.values, language) for language in LANGUAGES}
    assert all(doctor.name in lines[0] and "Hôpital E" in lines[0] for lines in texts.values())
    assert len({lines[0] for lines in texts.values()}) == len(texts)
    assert not any("%(" in line for lines in texts.values() for line in lines)


async def test_facts_of_a_deleted_record_are_deleted(world):
    hospital = await world.directory.register_organization(an_organization(name="Klinik F"))
    doctor = await professional(world, hospital, family="Lösch", given=("Uli",))
    person = await world.directory.register_person(a_person(family="Weg", given=("Mia",)))
    await world.deposit(doctor, person, world.start)
    await world.read(doctor, person, world.start)
    await world.follow(days=1)
    tables = ("soc_visit", "soc_care_contact")
    count = "SELECT (SELECT count(*) FROM soc_visit WHERE person_id = $1) + (SELECT count(*) FROM soc_care_contact WHERE person_id = $1)"
    assert await world.db.fetchval(count, person.id) >= len(tables)

    class Planned:
        person_id = person.id

    async with world.db.transaction() as conn:
        outcome = await world.watch.delete_some(conn, Planned())
    assert outcome.finished and await world.db.fetchval(count, person.id) == 0


async def test_old_facts_are_deleted_and_newer_ones_kept(world):
    hospital = await world.directory.register_organization(an_organization(name="Klinik G"))
    doctor = await professional(world, hospital, family="Alt", given=("Rudi",))
    person = await world.directory.register_person(a_person(family="Neu", given=("Rosi",)))
    await world.read(doctor, person, world.start)
    await world.follow(days=1)
    await world.db.fetch("UPDATE soc_visit SET day = day - 400 WHERE person_id = $1", person.id)
    before = await world.db.fetchval("SELECT count(*) FROM soc_visit")
    await world.watch.tidy()
    assert await world.db.fetchval("SELECT count(*) FROM soc_visit") == before - 1

"""Entering, correcting and reading doses through the record."""

import asyncio
from datetime import timedelta

import pytest

from esante.core.storage import uuid7
from esante.core.time_zone import today
from esante.core.web import Problem
from esante.identity.access import requester_of
from esante.services.record import ClinicalCreated
from esante.services.vaccination.card.model import DoseStatus
from esante.services.vaccination.card.service import UnansweredWarnings
from tests.support.vaccination import BOOSTRIX, copied, given, refused


async def person_with_doctor(world, **traits):
    """A person, and a doctor with lasting access to their record."""
    person = await world.person(**traits)
    doctor = await world.practitioner("Faber")
    await world.into_circle(person, doctor)
    return person, requester_of(doctor)


async def test_dose_given_is_read_by_the_patient_and_journalled(world, cards):
    person, doctor = await person_with_doctor(world)
    (key,) = await cards.enter(doctor, person.id, [given(site="LA", route="IM", serial="S1", gtin="09521234500049")])
    (matched,) = (await cards.load(requester_of(person), person.id)).card.doses
    dose = matched.shown
    assert (dose.id, dose.product, dose.lot, dose.site, dose.route) == (key, BOOSTRIX, "AB12", "LA", "IM")
    assert dose.antigens == ("diphtheria", "tetanus", "pertussis", "polio")
    assert dose.given_here and dose.day == today() and dose.performer == doctor.name and dose.serial == "S1"
    ((entry, event),) = await world.events(person, ClinicalCreated)
    assert entry.actor.id == doctor.id and event.resources == (f"Immunization/{key.hex}",)
    assert event.categories == ("vaccination_history",)


async def test_dose_sent_twice_is_one_dose(world, cards):
    person, doctor = await person_with_doctor(world)
    entry = given()
    first = await cards.enter(doctor, person.id, [entry])
    assert await cards.enter(doctor, person.id, [entry]) == first
    assert len((await cards.load(doctor, person.id)).card.doses) == 1


async def test_one_dose_of_two_sites_at_once_is_kept_twice_and_shown_once(world, cards):
    person, doctor = await person_with_doctor(world)
    nurse = await world.practitioner("Schmit", await world.organization("care_network", "Soins"), "nurse")
    await world.into_circle(person, nurse)
    both = requester_of(nurse, await world.organization("care_network", "Soins 2"), "nurse")
    await asyncio.gather(
        cards.enter(doctor, person.id, [given()], reason="entered by both"),
        cards.enter(both, person.id, [given()], reason="entered by both"),
    )
    (matched,) = (await cards.load(requester_of(person), person.id)).card.doses
    assert len(matched.others) == 1


async def test_warning_asks_for_a_reason_which_stays_with_the_dose(world, cards):
    person, doctor = await person_with_doctor(world)
    entry = given(expires_on=today() - timedelta(days=1))
    with pytest.raises(UnansweredWarnings) as raised:
        await cards.enter(doctor, person.id, [entry])
    assert [warning.rule for warning in raised.value.warnings] == ["expired"]
    assert not (await cards.load(doctor, person.id)).card.doses
    await cards.enter(doctor, person.id, [entry], reason="The manufacturer extended the shelf life.")
    (matched,) = (await cards.load(doctor, person.id)).card.doses
    ((rule, reason),) = [(one.rule, one.reason) for one in matched.shown.overrides]
    assert (rule, reason) == ("expired", "The manufacturer extended the shelf life.")


async def test_copied_doses_are_entered_together_or_not_at_all(world, cards):
    person, doctor = await person_with_doctor(world)
    with pytest.raises(Problem) as raised:
        await cards.enter(doctor, person.id, [copied(), copied("1979-01-01")])
    assert raised.value.place == "doses[1].occurred"
    assert not (await cards.load(doctor, person.id)).card.doses
    await cards.enter(
        doctor, person.id, [copied(), copied("2005"), copied("2007-11", product="", antigens=("tetanus",))]
    )
    doses = (await cards.load(doctor, person.id)).card.given
    assert [dose.occurred for dose in doses] == ["2015-03-02", "2007-11", "2005"]
    assert all(not dose.given_here and dose.origin == "record" and dose.confirmed for dose in doses)


async def test_correction_keeps_the_version_before(world, cards):
    person, doctor = await person_with_doctor(world)
    entry = given()
    (key,) = await cards.enter(doctor, person.id, [entry])
    await cards.correct(doctor, person.id, key, "1", given(lot="CD34"), "misread")
    dose = await cards.find(doctor, person.id, key)
    assert (dose.lot, dose.version) == ("CD34", "2")
    history = await world.record.clinical.read_history(doctor, person.id, types=["Immunization"], key=key, limit=10)
    assert [b"AB12" in version.body for version in history] == [False, True]
    assert b"misread" in history[0].body
    with pytest.raises(Problem) as raised:
        await cards.correct(doctor, person.id, key, "1", given(lot="EF56"), "from an old page")
    assert raised.value.status == 412


async def test_dose_of_another_author_is_not_corrected(world, cards):
    person, doctor = await person_with_doctor(world)
    (key,) = await cards.enter(doctor, person.id, [given()])
    other = await world.practitioner("Other")
    await world.into_circle(person, other)
    with pytest.raises(Problem) as raised:
        await cards.withdraw(requester_of(other), person.id, key, "1", "not mine")
    assert raised.value.status == 403


async def test_dose_entered_in_error_leaves_the_card(world, cards):
    person, doctor = await person_with_doctor(world)
    (key,) = await cards.enter(doctor, person.id, [given()])
    await cards.withdraw(doctor, person.id, key, "1", "wrong patient")
    card = (await cards.load(doctor, person.id)).card
    assert not card.doses and [dose.id for dose in card.errors] == [key]


async def test_refusal_is_no_dose(world, cards):
    person, doctor = await person_with_doctor(world)
    await cards.enter(doctor, person.id, [refused()])
    card = (await cards.load(requester_of(person), person.id)).card
    assert not card.doses
    ((status, reason),) = [(one.status, one.reason) for one in card.refusals]
    assert (status, reason) == (DoseStatus.NOT_GIVEN, "PATOBJ")


async def test_contraindication_warns_until_it_ends(world, cards):
    person, doctor = await person_with_doctor(world)
    await cards.add_contraindication(doctor, person.id, uuid7(), "pregnancy", today() - timedelta(days=30))
    live = given(product="priorix")
    with pytest.raises(UnansweredWarnings) as raised:
        await cards.enter(doctor, person.id, [live])
    assert [(one.rule, one.details) for one in raised.value.warnings] == [("contraindication", {"kind": "pregnancy"})]
    (one,) = (await cards.load(doctor, person.id)).card.contraindications
    await cards.end_contraindication(doctor, person.id, one.id, one.version, today())
    await cards.enter(doctor, person.id, [live])


async def test_adverse_event_belongs_to_its_dose(world, cards):
    person, doctor = await person_with_doctor(world)
    (key,) = await cards.enter(doctor, person.id, [given()])
    await cards.report_adverse_event(doctor, person.id, uuid7(), key, today(), "Fever of 39.5 °C", serious=True)
    ((dose_id, text, serious),) = [
        (one.dose_id, one.text, one.serious)
        for one in (await cards.load(requester_of(person), person.id)).card.adverse_events
    ]
    assert (dose_id, text, serious) == (key, "Fever of 39.5 °C", True)


async def test_serial_number_of_a_used_pack_warns(world, cards, histories):
    from tests.support.vaccination import renew

    person, doctor = await person_with_doctor(world)
    other, _ = await person_with_doctor(world)
    pack = {"gtin": "09521234500049", "serial": "ONCE"}
    await cards.enter(doctor, person.id, [given(**pack)])
    await renew(world, histories)
    with pytest.raises(UnansweredWarnings) as raised:
        await cards.enter(doctor, other.id, [given(**pack)])
    assert [one.rule for one in raised.value.warnings] == ["pack-used"]


async def test_patient_enters_nothing_as_given(world, cards):
    person = await world.person()
    with pytest.raises(Problem) as raised:
        await cards.enter(requester_of(person), person.id, [given()])
    assert raised.value.status == 403


async def test_doctor_without_access_gives_a_dose_and_sees_only_their_own(world, cards):
    person, doctor = await person_with_doctor(world)
    await cards.enter(doctor, person.id, [given()])
    stranger = requester_of(await world.practitioner("Stranger"))
    await cards.enter(stranger, person.id, [given(product="comirnaty")])
    loaded = await cards.load(stranger, person.id)
    assert not loaded.has_access
    assert [dose.product for dose in loaded.card.given] == ["comirnaty"]

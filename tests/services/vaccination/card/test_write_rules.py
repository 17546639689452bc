"""Doses that software writes over the FHIR API: refused where they cannot be, else kept with warnings; pharmacists."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import orjson
import pytest

from esante.core.storage import uuid7
from esante.core.time_zone import today
from esante.core.web import Problem
from esante.identity.access import policy_set, requester_of
from esante.identity.access.audit.replay import Replay
from esante.services.record import ClinicalCreated
from esante.services.vaccination.card.immunization import (
    ATC,
    CVX,
    GTIN,
    PRODUCT_SYSTEM,
    SERIAL_EXTENSION,
    SNOMED,
    named_antigens,
)
from esante.services.vaccination.card.model import DoseStatus
from esante.services.vaccination.products.catalogue import catalogue
from tests.services.vaccination.card.test_service import person_with_doctor
from tests.support.clinical_requests import post_bundle
from tests.support.clinical_resources import bundle_entry
from tests.support.record import BASE
from tests.support.vaccination import copied, given, refused

COVID19, BOOSTRIX = "213", "130"
TOMORROW = (today() + timedelta(days=1)).isoformat()


def immunization(person, cvx=BOOSTRIX, **elements) -> dict:
    """An Immunization of software: a dose that its author gave today."""
    resource = {
        "resourceType": "Immunization",
        "status": "completed",
        "vaccineCode": {"coding": [{"system": CVX, "code": cvx}]},
        "patient": {"reference": f"Patient/{person.id}"},
        "occurrenceDateTime": today().isoformat(),
        "primarySource": True,
        "lotNumber": "API1",
    }
    return {name: value for name, value in (resource | elements).items() if value is not None}


@pytest.fixture
def software(world, cards):
    """The use cases of software that writes clinical resources."""
    return world.record.clinical_writer(f"{BASE}/fhir")


async def create(software, requester, resource):
    return (await software.create(requester, "Immunization", orjson.dumps(resource))).version


async def refusal(awaitable) -> tuple[int, str, str]:
    with pytest.raises(Problem) as raised:
        await awaitable
    return raised.value.status, raised.value.place, raised.value.title


IMPOSSIBLE = [
    ({"occurrenceDateTime": TOMORROW}, "occurrenceDateTime", "future"),
    ({"occurrenceDateTime": f"{today().year + 1}"}, "occurrenceDateTime", "future"),
    ({"occurrenceDateTime": "9999-12-31T23:59:60Z"}, "occurrenceDateTime", "future"),
    ({"occurrenceDateTime": "1980-05-16"}, "occurrenceDateTime", "before the patient was born"),
    ({"occurrenceDateTime": "1979"}, "occurrenceDateTime", "before the patient was born"),
    ({"occurrenceDateTime": "0001-01-01T00:00:00+14:00"}, "occurrenceDateTime", "before the patient was born"),
    ({"lotNumber": "L" * 81}, "lotNumber", "too long"),
    ({"lotNumber": "AB\u202e12"}, "lotNumber", "too long"),
    ({"extension": [{"url": SERIAL_EXTENSION, "valueString": "S" * 81}]}, "extension", "too long"),
    ({"status": "not-done", "occurrenceDateTime": TOMORROW}, "occurrenceDateTime", "future"),
]


@pytest.mark.parametrize(("changes", "element", "words"), IMPOSSIBLE)
async def test_impossible_dose_of_software_is_refused_with_its_place(world, software, changes, element, words):
    person, doctor = await person_with_doctor(world)
    status, place, title = await refusal(create(software, doctor, immunization(person, **changes)))
    assert (status, place) == (422, f"Immunization.{element}") and words in title
    assert await world.events(person, ClinicalCreated) == []


async def test_dose_after_death_is_refused_and_one_before_is_kept(world, software):
    person, doctor = await person_with_doctor(world)
    died = datetime.now(UTC) - timedelta(days=2)
    await world.directory.mark_deceased(person.id, died, actor=doctor.actor)
    status, place, title = await refusal(create(software, doctor, immunization(person)))
    assert (status, place) == (422, "Immunization.occurrenceDateTime") and "after the patient died" in title
    before = (died - timedelta(days=9)).date().isoformat()
    assert await create(software, doctor, immunization(person, occurrenceDateTime=before))


POSSIBLE = [
    {"occurrenceDateTime": datetime.now(UTC).isoformat(timespec="seconds")},
    {"occurrenceDateTime": f"{today()}T00:00:00+14:00"},
    {"occurrenceDateTime": str(today().year)},
    {"occurrenceDateTime": None, "occurrenceString": "as a child"},
    {"expirationDate": "2001-01-01"},
    {"vaccineCode": {"text": "Vaccin inconnu"}, "lotNumber": None},
    {"vaccineCode": {"coding": [{"system": "urn:other", "code": "x"}]}},
]


@pytest.mark.parametrize("changes", POSSIBLE)
async def test_unusual_dose_of_software_is_kept(world, software, cards, changes):
    person, doctor = await person_with_doctor(world)
    await create(software, doctor, immunization(person, **changes))
    assert len((await cards.load(doctor, person.id)).card.doses) == 1


async def test_refusal_in_a_transaction_names_the_entry_and_nothing_is_kept(world, cards):
    person, doctor = await person_with_doctor(world)
    entries = [immunization(person), immunization(person, occurrenceDateTime=TOMORROW)]
    async with world.client(doctor) as client:
        answer = await post_bundle(client, *(bundle_entry("POST", "Immunization", one) for one in entries))
    (issue,) = answer.json()["issue"]
    assert answer.status_code == 422
    assert issue["expression"] == ["Bundle.entry[1].resource.occurrenceDateTime"]
    assert not (await cards.load(doctor, person.id)).card.doses


async def test_update_to_what_cannot_be_is_refused_and_withdrawal_is_not(world, software):
    person, doctor = await person_with_doctor(world)
    version = await create(software, doctor, immunization(person))
    key, changed = (person.id, version.id), orjson.loads(version.body) | {"occurrenceDateTime": TOMORROW}
    status, place, _ = await refusal(software.update(doctor, "Immunization", key, orjson.dumps(changed)))
    assert (status, place) == (422, "Immunization.occurrenceDateTime")
    patch = [{"op": "replace", "path": "/occurrenceDateTime", "value": TOMORROW}]
    status, place, _ = await refusal(software.patch(doctor, "Immunization", key, orjson.dumps(patch)))
    assert (status, place) == (422, "Immunization.occurrenceDateTime")
    wrong = orjson.dumps(changed | {"status": "entered-in-error"})
    assert (await software.update(doctor, "Immunization", key, wrong)).version.version == 2


async def test_who_may_not_write_learns_nothing_of_the_birth_date(world, software):
    person, _ = await person_with_doctor(world)
    worker = requester_of(await world.practitioner("Assistant", profession="care_assistant"))
    answers = {
        await refusal(create(software, worker, immunization(person, occurrenceDateTime=day)))
        for day in ("1970-01-01", "2020-01-01", TOMORROW)
    }
    assert [status for status, _, _ in answers] == [403]


async def test_dose_of_software_has_the_warnings_of_the_form(world, software, cards):
    person, doctor = await person_with_doctor(world)
    await create(software, doctor, immunization(person, lotNumber=None, expirationDate="2020-01-01"))
    card = (await cards.load(doctor, person.id)).card
    found = await cards.warnings_of(person, card, card.doses[0].shown)
    assert {one.rule for one in found} >= {"lot-missing", "expired"}


async def test_answered_warning_is_not_found_again(world, cards):
    person, doctor = await person_with_doctor(world)
    await cards.enter(doctor, person.id, [given(expires_on=today() - timedelta(days=1))], reason="Shelf life extended")
    card = (await cards.load(doctor, person.id)).card
    assert await cards.warnings_of(person, card, card.doses[0].shown) == []


async def test_profession_of_a_midwife_counts_for_software_too(world, software):
    person, _ = await person_with_doctor(world)
    therapist = requester_of(await world.practitioner("Kiné", profession="physiotherapist"))
    status, place, title = await refusal(create(software, therapist, immunization(person)))
    assert status == 403 and "does not give this vaccine" in title and place == "Immunization.vaccineCode"


# Pharmacists (law of 16 December 2021)


async def pharmacist_of(world):
    pharmacy = await world.organization("pharmacy", "Pharmacie du Cygne")
    return requester_of(await world.practitioner("Cygne", pharmacy, "pharmacist"), pharmacy, "pharmacist")


async def test_pharmacist_enters_corrects_and_withdraws_a_covid_dose(world, cards):
    person, doctor = await person_with_doctor(world)
    pharmacist = await pharmacist_of(world)
    entry = given(product="comirnaty", lot="PH1")
    (key,) = await cards.enter(pharmacist, person.id, [entry])
    (dose,) = (await cards.load(doctor, person.id)).card.given
    assert (dose.id, dose.lot, dose.performer) == (key, "PH1", pharmacist.name)
    ((_, event),) = await world.events(person, ClinicalCreated)
    assert event.rule == "write.exception"
    corrected = given(product="comirnaty", lot="PH2", key=entry.key)
    await cards.correct(pharmacist, person.id, key, dose.version, corrected, "wrong lot")
    (dose,) = (await cards.load(doctor, person.id)).card.given
    assert dose.lot == "PH2"
    await cards.withdraw(pharmacist, person.id, key, dose.version, "not given after all")
    card = (await cards.load(doctor, person.id)).card
    assert not card.doses and card.errors[0].status is DoseStatus.ENTERED_IN_ERROR


@pytest.mark.parametrize(
    "entry",
    [
        given(product="vaxigrip"),
        given(product="", name="Comirnaty", antigens=("covid19", "influenza")),
        copied(product="comirnaty", occurred="2022-02-02"),
        refused(),
    ],
)
async def test_pharmacist_enters_no_other_dose(world, cards, entry):
    person, doctor = await person_with_doctor(world)
    pharmacist = await pharmacist_of(world)
    status, place, _ = await refusal(cards.enter(pharmacist, person.id, [entry]))
    assert (status, place) == (403, "product")
    assert not (await cards.load(doctor, person.id)).card.doses


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({}, 201),
        ({"primarySource": False}, 403),
        ({"primarySource": None}, 403),
        ({"vaccineCode": {"coding": [{"system": CVX, "code": BOOSTRIX}]}}, 403),
        ({"vaccineCode": {"coding": [{"system": CVX, "code": COVID19}, {"system": CVX, "code": BOOSTRIX}]}}, 403),
        ({"vaccineCode": {"coding": [{"system": CVX, "code": COVID19}, {"system": CVX, "code": "99999"}]}}, 403),
        ({"vaccineCode": {"text": "COVID-19"}}, 403),
        ({"occurrenceDateTime": "2021-12-17"}, 403),
    ],
)
async def test_software_of_a_pharmacist_writes_covid_doses_of_their_own_only(world, software, changes, status):
    person, _ = await person_with_doctor(world)
    pharmacist = await pharmacist_of(world)
    resource = immunization(person, COVID19, **changes)
    if status == 201:
        assert await create(software, pharmacist, resource)
    else:
        assert (await refusal(create(software, pharmacist, resource)))[0] == status


@pytest.mark.parametrize(
    ("resource", "antigens"),
    [
        ({"vaccineCode": {"coding": [{"system": CVX, "code": COVID19}]}}, {"covid19"}),
        ({"vaccineCode": {"coding": [{"system": ATC, "code": "J07BB02"}]}}, {"influenza"}),
        ({"vaccineCode": {"coding": [{"system": PRODUCT_SYSTEM, "code": "comirnaty"}]}}, {"covid19"}),
        ({"vaccineCode": {"coding": [{"system": PRODUCT_SYSTEM, "code": "none"}]}}, {"unknown"}),
        ({"vaccineCode": {"coding": [{"system": GTIN, "code": "00000000000000"}]}}, {"unknown"}),
        ({"protocolApplied": [{"targetDisease": [{"text": "COVID-19"}]}]}, {"covid19"}),
        (
            {
                "vaccineCode": {"coding": [{"system": CVX, "code": COVID19}]},
                "protocolApplied": [
                    {"targetDisease": [{"coding": [{"system": SNOMED, "code": "76902006"}], "text": "COVID-19"}]}
                ],
            },
            {"covid19", "tetanus"},
        ),
        ({"vaccineCode": {"text": "Comirnaty"}}, set()),
    ],
)
def test_everything_that_a_dose_names_is_found(resource, antigens):
    assert named_antigens(resource, catalogue()) == antigens


async def test_dose_sent_with_a_key_that_software_knows_stays_one(world, cards, software):
    person, doctor = await person_with_doctor(world)
    entry = given(key=uuid7())
    await cards.enter(doctor, person.id, [entry])
    twice = immunization(person, identifier=[{"system": "urn:ietf:rfc:3986", "value": f"urn:uuid:{entry.key}"}])
    await create(software, doctor, twice)
    assert len((await cards.load(doctor, person.id)).card.doses) == 1


async def test_dose_by_an_exception_is_replayed_and_refused_by_rules_without_it(world, cards):
    person, _ = await person_with_doctor(world)
    await cards.enter(await pharmacist_of(world), person.id, [given(product="comirnaty")])
    await world.journal.sealer.seal_all()
    report = await Replay(world.db, world.journal, policy_set()).run()
    assert report.replayed and not report.differences
    without = replace(policy_set(), matrix=replace(policy_set().matrix, exceptions=()), _rules={}, _days={})
    changed = await Replay(world.db, world.journal, without).run()
    assert {rules[:2] for rules in changed.differences} == {("write.exception", "write.category")}

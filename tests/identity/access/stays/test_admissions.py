"""Admissions without proof of presence: the rate of an organisation, alarms, reviews and proofs."""

from dataclasses import replace

import pytest

from esante.core.storage import NIL
from esante.identity.access import (
    AdmissionsUnusual,
    Granted,
    RequestRejected,
    StayProved,
    StayRefusalChanged,
    StayReported,
    StayReviewed,
    requester_of,
)
from esante.identity.access.regulation.terms import AdmissionLimits
from tests.identity.access.conftest import a_practitioner, an_organization, terms
from tests.support.access_policy import changed_policy
from tests.support.consent import access_events, problem_of, read_verdict

FEW = AdmissionLimits(per_hour=4, per_hour_and_professional=2, per_day=5, per_day_and_professional=2, alarm_share=0.5)


@pytest.fixture
async def clinic(house):
    """The software of a hospital that has reported nothing yet."""
    found = an_organization("Clinique du Sud", "hospital")
    await house.directory.register_organizations([found])
    return requester_of(found)


async def waiting_reviews(house):
    page = await house.access.emergencies.list_reviews(house.operator, "stay", limit=1_000)
    return {review.grant_id: review for review, _ in page.items}


async def test_admissions_of_the_whole_country_by_one_key_stop_at_the_rate(house, clinic):
    patients = [await house.open_patient() for _ in range(60)]
    given, refused = 0, []
    for patient in patients:
        try:
            await house.access.stays.admit(clinic, patient.id)
            given += 1
        except Exception as problem:
            refused.append(problem)
    assert given == terms().admissions.per_hour
    assert {problem.status for problem in refused} == {429}
    assert int(refused[0].headers["Retry-After"]) > 0
    assert len(await house.access.grants.list_persons(clinic, limit=1_000)) == given


async def test_rate_grows_with_the_professionals_of_the_organization(house, clinic):
    with changed_policy(admissions=FEW):
        for _ in range(4):
            await house.access.stays.admit(clinic, (await house.open_patient()).id)
        late = await house.open_patient()
        assert (await problem_of(house.access.stays.admit(clinic, late.id))).status == 429
        await house.directory.register_practitioners([a_practitioner("Neu", "doctor", clinic.id)])
        await house.access.stays.admit(clinic, late.id)


async def test_day_has_a_limit_of_its_own(house, clinic):
    with changed_policy(admissions=replace(FEW, per_hour=100)):
        for _ in range(5):
            await house.access.stays.admit(clinic, (await house.open_patient()).id)
        problem = await problem_of(house.access.stays.admit(clinic, (await house.open_patient()).id))
        assert problem.status == 429


async def test_repeated_report_of_a_stay_is_not_counted(house, clinic):
    patient = await house.open_patient()
    with changed_policy(admissions=FEW):
        for _ in range(10):
            await house.access.stays.admit(clinic, patient.id)


async def test_unknown_persons_are_counted_like_known_ones(house, clinic):
    with changed_policy(admissions=FEW):
        for _ in range(4):
            assert (await problem_of(house.access.stays.admit(clinic, None))).status == 422
        assert (await problem_of(house.access.stays.admit(clinic, None))).status == 429
        known = await house.open_patient()
        assert (await problem_of(house.access.stays.admit(clinic, known.id))).status == 429


async def test_unusual_rate_raises_one_alarm_for_operators(house, journal, clinic):
    with changed_policy(admissions=replace(FEW, per_day=100)):
        for _ in range(4):
            await house.access.stays.admit(clinic, (await house.open_patient()).id)
        await problem_of(house.access.stays.admit(clinic, (await house.open_patient()).id))
    alarms = [
        one for one in await house.access.emergencies.list_alarms(house.operator) if one.organization_id == clinic.id
    ]
    assert [(one.admissions, one.most, one.hours) for one in alarms] == [(2, 4, 1)]
    entries = await journal.entries_of(NIL, [AdmissionsUnusual, RequestRejected], limit=50)
    mine = [entry.event for entry in entries if entry.actor.id == clinic.id]
    assert [type(event) for event in mine] == [RequestRejected, AdmissionsUnusual]
    await house.access.emergencies.mark_alarm_seen(house.operator, alarms[0].alarm_id)
    left = await house.access.emergencies.list_alarms(house.operator)
    assert clinic.id not in {one.organization_id for one in left}
    assert (await problem_of(house.access.emergencies.list_alarms(house.doctor))).status == 403


async def test_admission_without_proof_waits_for_review_and_not_justified_refuses_it(house, journal, clinic):
    patient = await house.open_patient()
    stay, _ = await house.access.stays.admit(clinic, patient.id)
    review = (await waiting_reviews(house))[stay.id]
    assert (review.practitioner, review.person_id, review.kind) == (clinic.name, patient.id, "stay")
    await house.access.emergencies.review(house.operator, stay.id, "unjustified", "")
    assert not (await read_verdict(house, patient, clinic)).allowed
    (event,) = await access_events(journal, patient.id, StayReviewed)
    assert (event.organization, event.verdict) == (clinic.name, "unjustified")
    (change,) = await access_events(journal, patient.id, StayRefusalChanged)
    assert (change.refused, change.cause) == (True, "review")
    await house.access.stays.mark_entered_in_error(clinic, patient.id, stay.id)
    await house.access.stays.admit(clinic, patient.id)
    assert (await read_verdict(house, patient, clinic)).rule == "stay.refused"


async def test_review_as_justified_proves_the_stay(house, journal, clinic):
    patient = await house.open_patient()
    stay, _ = await house.access.stays.admit(clinic, patient.id)
    await house.access.emergencies.review(house.operator, stay.id, "justified", "")
    (event,) = await access_events(journal, patient.id, StayProved)
    assert (event.grant_id, event.cause) == (stay.id, "review")
    assert (await house.access.consent(patient.id)).grants[0].proved
    done = (await house.access.emergencies.list_reviews(house.operator, "stay", done=True)).items
    assert stay.id in {review.grant_id for review, _ in done}


async def test_code_entered_at_the_hospital_proves_the_stay_and_needs_no_review(house, journal, fresh):
    patient, doctor = await house.open_patient(), fresh(house.doctor)
    stay, _ = await house.access.stays.admit(house.software, patient.id)
    assert stay.id in await waiting_reviews(house)
    await house.access.codes.redeem(doctor, await house.access.codes.issue(patient))
    assert stay.id not in await waiting_reviews(house)
    (event,) = await access_events(journal, patient.id, StayProved)
    assert (event.grant_id, event.cause) == (stay.id, "code")


async def test_admission_after_a_code_entered_at_the_hospital_is_proved(house):
    proved, elsewhere = await house.open_patient(), await house.open_patient()
    await house.access.codes.redeem(house.doctor, await house.access.codes.issue(proved))
    await house.access.codes.redeem(house.other_doctor, await house.access.codes.issue(elsewhere))
    with_proof, _ = await house.access.stays.admit(house.software, proved.id)
    without, _ = await house.access.stays.admit(house.software, elsewhere.id)
    waiting = await waiting_reviews(house)
    assert with_proof.id not in waiting and without.id in waiting


async def test_unproved_stay_gives_nothing_where_the_policy_says_so(house, journal, clinic):
    patient = await house.open_patient()
    with changed_policy(unproved_stays_read=False):
        stay, new = await house.access.stays.admit(clinic, patient.id)
        assert new
        assert (await read_verdict(house, patient, clinic)).rule == "stay.unproved"
        assert await house.access.grants.list_persons(clinic, limit=1_000) == []
        assert await house.access.grants.count_persons(clinic) == 0
        (entry,) = await access_events(journal, patient.id, StayReported)
        assert (entry.grant_id, entry.cause) == (stay.id, "unproved")
        assert await access_events(journal, patient.id, Granted) == []
        await house.access.grants.allow_stays(patient, clinic.id)
        assert (await read_verdict(house, patient, clinic)).allowed
        assert await house.access.grants.list_persons(clinic, limit=1_000) == [patient.id]
        assert [event.grant_id for event in await access_events(journal, patient.id, Granted)] == [stay.id]
    assert stay.id not in await waiting_reviews(house)

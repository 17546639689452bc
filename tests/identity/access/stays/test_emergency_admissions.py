"""Emergency admissions, renewals, and stays that meet: what each context gives, by requests of the use cases."""

from datetime import UTC, date, datetime, timedelta

import pytest

from esante.identity.access import Granted, StayRenewed, StayStatus
from tests.identity.access.conftest import a_practitioner
from tests.support.access_policy import changed_context
from tests.support.consent import access_events, problem_of, read_verdict

EMERGENCY = "EMER"


async def move_back(db, patient, time):
    """Let time pass: the grants of a patient began so much earlier."""
    await db.fetchval(
        "UPDATE access_grant SET since = since - $2::interval, until = until - $2::interval WHERE person_id = $1",
        patient.id,
        time,
    )


async def contexts_of(house, patient):
    return sorted(grant.context for grant in (await house.access.consent(patient.id)).grants)


async def test_emergency_admission_gives_24_hours_and_15_days_from_registration(house, journal):
    patient = await house.open_patient()
    long_before = datetime.now(UTC) - timedelta(days=30)
    stay, new = await house.access.stays.admit(house.software, patient.id, long_before, EMERGENCY)
    assert new and stay.encounter == EMERGENCY
    verdict = await read_verdict(house, patient, house.doctor)
    assert (verdict.rule, verdict.context) == ("grant.institution_stay", "hospital_emergency")
    (grant,) = (await house.access.consent(patient.id)).grants
    assert grant.until - grant.since in {timedelta(days=16, hours=n) for n in (-1, 0, 1)}
    (granted,) = await access_events(journal, patient.id, Granted)
    assert (granted.context, granted.until) == ("hospital_emergency", grant.until)


async def test_stays_of_both_classes_meet_and_each_ends_at_its_ceiling(house, db):
    patient = await house.open_patient()
    emergency, _ = await house.access.stays.admit(house.software, patient.id, encounter=EMERGENCY)
    inpatient, new = await house.access.stays.admit(house.software, patient.id)
    assert new and inpatient.id != emergency.id
    assert await house.access.stays.admit(house.software, patient.id, encounter=EMERGENCY) == (emergency, False)
    await move_back(db, patient, timedelta(days=17))
    assert await contexts_of(house, patient) == ["institution"]
    assert (await read_verdict(house, patient, house.doctor)).context == "institution"
    await move_back(db, patient, timedelta(days=29))
    assert (await read_verdict(house, patient, house.doctor)).rule == "no-grant"


async def test_discharge_never_extends_access_beyond_the_ceiling(house):
    patient = await house.open_patient()
    stay, _ = await house.access.stays.admit(house.software, patient.id, encounter=EMERGENCY)
    (before,) = (await house.access.consent(patient.id)).grants
    finished = await house.access.stays.finish(house.software, patient.id, stay.id, datetime.now(UTC))
    assert finished.status is StayStatus.FINISHED
    (after,) = (await house.access.consent(patient.id)).grants
    assert after.until == before.until


async def test_stay_is_renewed_once_while_it_goes_on(house, db, journal):
    patient = await house.open_patient()
    stay, _ = await house.access.stays.admit(house.software, patient.id)
    (before,) = (await house.access.consent(patient.id)).grants
    await house.access.stays.renew(house.software, patient.id, stay.id)
    (after,) = (await house.access.consent(patient.id)).grants
    assert after.until - before.until in {timedelta(days=30, hours=n) for n in (-1, 0, 1)}
    (renewed,) = await access_events(journal, patient.id, StayRenewed)
    assert (renewed.grant_id, renewed.until) == (stay.id, after.until)
    assert (await problem_of(house.access.stays.renew(house.software, patient.id, stay.id))).status == 409
    await move_back(db, patient, timedelta(days=76))
    assert not (await read_verdict(house, patient, house.doctor)).allowed


async def test_hospital_that_renews_for_ever_gets_75_days(house, db):
    patient = await house.open_patient()
    stay, _ = await house.access.stays.admit(house.software, patient.id)
    readable = 0
    for _ in range(20):
        try:
            await house.access.stays.renew(house.software, patient.id, stay.id)
        except Exception as problem:
            assert problem.status == 409
        readable += (await read_verdict(house, patient, house.doctor)).allowed
        await move_back(db, patient, timedelta(days=5))
    assert readable * 5 == 75


async def test_stay_that_is_over_is_renewed_by_the_patient_only(house):
    patient, other = await house.open_patient(), await house.open_patient()
    stay, _ = await house.access.stays.admit(house.software, patient.id)
    await house.access.stays.finish(house.software, patient.id, stay.id, datetime.now(UTC))
    assert (await problem_of(house.access.stays.renew(house.software, patient.id, stay.id))).status == 409
    assert (await problem_of(house.access.stays.agree(other, stay.id))).status == 404
    assert (await problem_of(house.access.stays.agree(house.doctor, stay.id))).status == 403
    await house.access.stays.agree(patient, stay.id)
    assert (await problem_of(house.access.stays.agree(patient, stay.id))).status == 409
    (grant,) = (await house.access.consent(patient.id)).grants
    assert grant.until - grant.since > timedelta(days=74)


async def test_emergency_is_not_renewed(house):
    patient = await house.open_patient()
    stay, _ = await house.access.stays.admit(house.software, patient.id, encounter=EMERGENCY)
    for act in (
        house.access.stays.renew(house.software, patient.id, stay.id),
        house.access.stays.agree(patient, stay.id),
    ):
        assert (await problem_of(act)).status == 409


async def test_others_renew_nothing(house, second_hospital):
    patient = await house.open_patient()
    stay, _ = await house.access.stays.admit(house.software, patient.id)
    for requester, status in ((house.doctor, 403), (house.pharmacist, 403), (second_hospital, 404)):
        assert (await problem_of(house.access.stays.renew(requester, patient.id, stay.id))).status == status


async def test_renewal_of_a_refused_stay_is_not_told_as_access(house, journal):
    patient = await house.open_patient()
    stay, _ = await house.access.stays.admit(house.software, patient.id)
    await house.access.grants.revoke(patient, stay.id)
    await house.access.stays.renew(house.software, patient.id, stay.id)
    assert await access_events(journal, patient.id, StayRenewed) == []
    assert (await read_verdict(house, patient, house.doctor)).rule == "stay.refused"


async def test_professional_registers_an_emergency_at_their_hospital(house, fresh):
    patient = await house.open_patient()
    identifier, born = await house.identifier(patient), date(1970, 5, 17)
    stay = await house.access.stays.register_emergency(house.doctor, identifier, born)
    assert (stay.encounter, stay.organization_id) == (EMERGENCY, house.hospital.id)
    assert (await read_verdict(house, patient, house.software)).context == "hospital_emergency"
    pending = await house.access.emergencies.list_reviews(house.operator, "stay", limit=1)
    assert pending.items[0][0].grant_id == stay.id
    again = await house.access.stays.register_emergency(house.doctor, identifier, born)
    assert again == stay


@pytest.mark.parametrize("born", [date(1970, 5, 18), date(1900, 1, 1)])
async def test_emergency_of_a_person_who_is_not_found_is_refused_like_a_closed_record(house, born):
    patient, closed = await house.open_patient(), await house.patient()
    wrong = await problem_of(
        house.access.stays.register_emergency(house.doctor, await house.identifier(patient), born)
    )
    shut = await problem_of(
        house.access.stays.register_emergency(house.doctor, await house.identifier(closed), date(1970, 5, 17))
    )
    assert (
        (wrong.status, wrong.title) == (shut.status, shut.title) == (422, "There is no open record for this patient.")
    )
    assert not (await read_verdict(house, patient, house.doctor)).allowed


async def test_emergency_outside_a_hospital_is_refused(house):
    patient = await house.open_patient()
    identifier = await house.identifier(patient)
    for requester in (house.pharmacist, house.other_doctor, patient):
        problem = await problem_of(house.access.stays.register_emergency(requester, identifier, date(1970, 5, 17)))
        assert problem.status == 403


async def test_context_that_is_not_offered_admits_nobody(house):
    patient = await house.open_patient()
    with changed_context("hospital_emergency", allowed=False):
        problem = await problem_of(house.access.stays.admit(house.software, patient.id, encounter=EMERGENCY))
        assert problem.status == 403
    with changed_context("circle", allowed=False):
        assert (await problem_of(house.access.grants.add_to_circle(patient, house.doctor.id))).status == 403
    with changed_context("own_practice", allowed=False):
        assert (await problem_of(house.access.codes.issue(patient))).status == 403
        assert (await problem_of(house.access.codes.redeem(house.doctor, "34679ACD"))).status == 403
    with changed_context("vital_interests", allowed=False):
        identifier = await house.identifier(patient)
        problem = await problem_of(
            house.access.emergencies.declare(house.doctor, identifier, date(1970, 5, 17), "Unconscious after a fall")
        )
        assert problem.status == 403
    assert (await house.access.consent(patient.id)).grants == ()


async def test_practice_turned_off_ends_what_it_gave_and_its_place_in_lists(house):
    patient, doctor = await house.open_patient(), house.other_doctor
    await house.access.grants.add_to_circle(patient, doctor.id)

    async def listed():
        persons = await house.access.grants.list_persons(doctor, limit=1_000)
        page = await house.access.grants.list_patients(doctor, limit=1_000)
        return patient.id in persons, patient.id in {one.person.id for one in page.items}

    assert await listed() == (True, True)
    with changed_context("circle", allowed=False):
        assert await listed() == (False, False)
        assert not (await read_verdict(house, patient, doctor)).allowed
    assert await listed() == (True, True)


async def test_assistant_obtains_no_access(house, directory):
    from dataclasses import replace

    from esante.identity.access import Delegate

    assistant = a_practitioner("Ada", "admin", house.hospital.id)
    await directory.register_practitioners([assistant])
    acting = replace(house.doctor, delegate=Delegate(assistant.id, assistant.name))
    patient = await house.open_patient()
    code, identifier = await house.access.codes.issue(patient), await house.identifier(patient)
    for act in (
        house.access.codes.redeem(acting, code),
        house.access.emergencies.declare(acting, identifier, date(1970, 5, 17), "Unconscious after a fall"),
        house.access.stays.register_emergency(acting, identifier, date(1970, 5, 17)),
    ):
        assert (await problem_of(act)).status == 403
    assert (await house.access.consent(patient.id)).grants == ()

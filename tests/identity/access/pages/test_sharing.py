"""Pages of patients about sharing: presence codes, circle, blocks, the state of the record."""

import re
from dataclasses import replace

import pytest
from lxml import html

from esante.core.storage import uuid7
from esante.identity.directory import Address
from tests.identity.access.conftest import a_practitioner, an_organization
from tests.support.portal_browser import form_values, page_text

HOSTILE_TEXT = "<script>alert(1)</script>\"'{{7*7}}%(actor)s"


async def test_code_gives_access_until_it_is_revoked(browse, house, fresh):
    patient = await house.open_patient()
    user = await browse(patient)
    page = await user.get("/sharing")
    assert form_values(page, "/sharing/code")["hours"] == "24"
    response = await user.submit(page, "/sharing/code", 200, hours="168")
    assert response.headers["cache-control"] == "no-store"
    shown = html.fromstring(response.text)
    code = shown.xpath("//*[contains(@class, 'code-card')]//*[contains(concat(' ', @class, ' '), ' code ')]")[0].text
    assert re.fullmatch(r"\w{4}-\w{4}", code)
    (qr,) = shown.xpath("//*[contains(@class, 'qr')]//*[local-name() = 'svg']")
    version_1_with_its_quiet_zone = 21 + 2 * 4
    assert qr.get("viewbox") == f"0 0 {version_1_with_its_quiet_zone} {version_1_with_its_quiet_zone}"
    assert qr.get("width") is None

    doctor = await browse(house.doctor)
    entered = await doctor.submit(await doctor.get("/patients"), "/patients/code", code=code.lower())
    assert entered.headers["location"] == f"/patients/{patient.id}"
    listed = await doctor.get(f"/patients?q={patient.name.split()[-1]}")
    assert patient.name in page_text(listed) and "Presence code" in page_text(listed)
    assert f"/patients/{patient.id}" in listed.xpath("//table//a/@href")

    sharing = await user.get("/sharing")
    assert house.doctor.name in page_text(sharing)
    await user.submit(sharing, "/sharing/revoke")
    assert "Nobody" in page_text(await user.get("/sharing"))
    assert patient.name not in page_text(await doctor.get("/patients"))


@pytest.mark.parametrize("hours", ["", "0", "-1", "8761", "99999", "1e3", "٢٤", "24; DROP", "x" * 1_000])
async def test_code_with_an_invalid_duration_is_rejected(browse, house, hours):
    patient = await house.open_patient()
    user = await browse(patient)
    await user.submit(await user.get("/sharing"), "/sharing/code", 400, hours=hours)


async def test_practitioner_found_by_name_is_added_to_the_circle(browse, house):
    patient = await house.open_patient()
    user = await browse(patient)
    found = await user.get("/sharing/people?for=circle&q=Weber")
    assert house.doctor.name in page_text(found) and "Doctor" in page_text(found)
    assert "including restricted ones" in page_text(found)
    await user.submit(found, "/sharing/circle")
    sharing = await user.get("/sharing")
    assert "Circle" in page_text(sharing) and "until you remove access" in page_text(sharing)
    assert "No results" in page_text(await user.get("/sharing/people?for=circle&q=Zzyzx"))
    await user.get("/sharing/people?for=theft", 404)


async def test_found_professional_is_shown_with_speciality_practice_and_town(browse, house):
    places = [replace(an_organization(f"Cabinet {town}", "practice"), address=Address(city=town)) for town in "AB"]
    await house.directory.register_organizations(places)
    for place in places:
        doctor = a_practitioner("Kohnen", "doctor", place.id)
        await house.directory.register_practitioners([replace(doctor, specialities=("cardiology",))])
    page = await (await browse(await house.open_patient())).get("/sharing/people?for=circle&q=Kohnen")
    lines = [entry.xpath(".//p[contains(@class, 'small')]")[0].text for entry in page.xpath("//main//li")]
    assert sorted(lines) == [f"Doctor · Cardiology · Cabinet {town}, {town}" for town in "AB"]


async def test_page_of_who_turned_off_sharing_explains_and_offers_to_turn_it_on(browse, house):
    patient = await house.open_patient()
    await house.access.restrictions.set_sharing(patient, False)
    user = await browse(patient)
    page = await user.get("/sharing")
    code = page.get_element_by_id("code")
    assert "Turn on sharing first" in code.text_content()
    await user.submit(page, "/sharing/start")
    assert "/sharing/code" in [form.get("action") for form in (await user.get("/sharing")).forms]


async def test_organization_is_blocked_and_unblocked(browse, house):
    patient = await house.open_patient()
    user = await browse(patient)
    found = await user.get("/sharing/people?for=block&q=Hôpital")
    assert "without knowing about your allergies" in page_text(found)
    await user.submit(found, "/sharing/block", 400)  # the risk is not confirmed
    assert (await house.access.consent(patient.id)).blocked == frozenset()
    await user.submit(found, "/sharing/block", risk="block")
    sharing = await user.get("/sharing")
    assert house.hospital.name in page_text(sharing)
    assert (await house.access.consent(patient.id)).blocked == {house.hospital.id}
    await user.submit(sharing, "/sharing/unblock")
    assert (await house.access.consent(patient.id)).blocked == frozenset()


async def test_record_is_closed_reopened_and_opted_out(browse, house):
    patient = await house.open_patient()
    user = await browse(patient)
    page = await user.get("/sharing")
    for act, state, sharing in (
        ("close", "closed", True),
        ("reopen", "open", True),
        ("stop", "open", False),
        ("start", "open", True),
    ):
        fields = {"risk": "sharing"} if act == "stop" else {}
        await user.submit(page, f"/sharing/{act}", **fields)
        consent = await house.access.consent(patient.id)
        assert (consent.state, consent.sharing) == (state, sharing)
        page = await user.get("/sharing")


async def test_only_an_announced_record_can_be_objected_to(browse, house):
    patient = await house.patient()
    user = await browse(patient)
    assert not (await user.get("/sharing")).xpath("//main//form")
    await house.access.lifecycle.announce([patient.id])
    page = await user.get("/sharing")
    assert "will open automatically" in page_text(page)
    await user.submit(page, "/sharing/object")
    assert (await house.access.consent(patient.id)).state == "objected"


@pytest.mark.parametrize(
    ("act", "fields", "status"),
    [
        ("explode", {}, 404),
        ("revoke", {"grant": "x"}, 400),
        ("revoke", {}, 400),
        ("revoke", {"grant": str(uuid7())}, 404),
        ("circle", {"subject": str(uuid7())}, 404),
        ("circle", {"subject": HOSTILE_TEXT}, 400),
        ("block", {"subject": str(uuid7()), "kind": "planet", "risk": "block"}, 404),
        ("stop", {}, 400),
        ("oppose", {"subject": str(uuid7()), "kind": "organization"}, 400),
        ("oppose", {"subject": str(uuid7()), "kind": "organization", "risk": "deposit", "care_from": "x"}, 400),
        ("lift", {"opposition": str(uuid7())}, 404),
        ("reopen", {}, 303),
    ],
)
async def test_unexpected_form_is_answered_without_effect(browse, house, act, fields, status):
    patient = await house.open_patient()
    user = await browse(patient)
    page = await user.get("/sharing")
    token = form_values(page, "/sharing/code")["_csrf"]
    response = await user.http.post(f"/sharing/{act}", data={"_csrf": token} | fields)
    assert response.status_code == status
    assert HOSTILE_TEXT not in response.text
    assert (await house.access.consent(patient.id)).grants == ()


async def test_hospital_without_access_is_listed_until_it_is_allowed_again(browse, house):
    patient = await house.open_patient()
    await house.access.stays.admit(house.software, patient.id)
    user = await browse(patient)
    await user.submit(await user.get("/sharing"), "/sharing/revoke")
    page = await user.get("/sharing")
    assert "Hospitals without access" in page_text(page) and "Nobody" in page_text(page)
    await user.submit(page, "/sharing/allow-stays")
    page = await user.get("/sharing")
    assert "Hospitals without access" not in page_text(page) and "Stay at an institution" in page_text(page)


async def test_page_tells_what_a_grant_gives_and_not_that_it_was_given(browse, house):
    patient = await house.open_patient()
    await house.access.grants.add_to_circle(patient, house.doctor.id)
    await house.access.stays.admit(house.software, patient.id)
    user = await browse(patient)

    async def section_text(section):
        found = (await user.get("/sharing")).xpath(f"//*[@id = '{section}']")
        return " ".join(found[0].text_content().split()) if found else ""

    assert house.doctor.name in await section_text("access") and "Stay at an institution" in await section_text(
        "access"
    )
    assert await section_text("paused") == ""
    await house.access.restrictions.set_sharing(patient, sharing=False)
    assert "Nobody" in await section_text("access")
    assert (await section_text("paused")).count("Paused: you opted out of sharing") == 2
    await house.access.restrictions.set_sharing(patient, sharing=True)
    await house.access.restrictions.block(patient, "practitioner", house.doctor.id)
    assert house.doctor.name not in await section_text("access")
    assert house.doctor.name in await section_text("paused") and "Blocked" in await section_text("paused")
    await house.access.restrictions.unblock(patient, house.doctor.id)
    await house.access.restrictions.block(patient, "organization", house.hospital.id)
    assert f"but not while working for {house.hospital.name}" in await section_text("access")


async def test_unproved_stay_is_confirmed_by_the_patient(browse, house):
    patient = await house.open_patient()
    await house.access.stays.admit(house.software, patient.id)
    user = await browse(patient)
    page = await user.get("/sharing")
    assert "I am a patient there" in page_text(page)
    await user.submit(page, "/sharing/allow-stays")
    assert "I am a patient there" not in page_text(await user.get("/sharing"))
    assert (await house.access.consent(patient.id)).grants[0].proved


async def test_opposition_is_set_with_its_risk_told_and_lifted(browse, house, journal):
    patient = await house.open_patient()
    user = await browse(patient)
    found = await user.get("/sharing/people?for=oppose&q=Hôpital")
    assert "missing from your record" in page_text(found)
    day = "2026-03-02"
    await user.submit(found, "/sharing/oppose", risk="deposit", care_from=day, care_until=day)
    page = await user.get("/sharing")
    assert house.hospital.name in page_text(page)
    [opposition] = (await house.access.consent(patient.id)).oppositions
    assert (opposition.depositor_id, str(opposition.care_until)) == (house.hospital.id, day)
    history = page_text(await user.get("/log?kind=sharing"))
    assert "You oppose that documents about your care" in history
    assert "You were told before: What is found and done" in history
    await user.submit(page, "/sharing/lift")
    assert (await house.access.consent(patient.id)).oppositions == ()

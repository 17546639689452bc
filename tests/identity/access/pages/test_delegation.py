"""The pages of administrative staff, and the emergency admission of professionals."""

from datetime import UTC, datetime

import pytest
from lxml import html

from esante.core.journal import SYSTEM
from esante.core.storage import NIL, uuid7
from esante.identity.access import SignedIn, requester_of
from tests.identity.access.conftest import a_practitioner
from tests.support.consent import read_verdict
from tests.support.portal_browser import form_values, page_text

TODAY = datetime.now(UTC).date()


@pytest.fixture
async def staff(directory, house):
    """A doctor and an assistant of the hospital, with a delegation."""
    doctor = a_practitioner("Wagner", "doctor", house.hospital.id)
    assistant = a_practitioner("Ada", "admin", house.hospital.id)
    await directory.register_practitioners([doctor, assistant])
    await directory.delegations.add(assistant, doctor, house.hospital.id, TODAY, actor=SYSTEM)
    return doctor, assistant


async def test_assistant_chooses_for_whom_to_act(browse, house, staff, journal):
    doctor, assistant = staff
    browser = await browse(requester_of(assistant, house.hospital))
    page = await browser.get("/acting")
    assert doctor.name in page_text(page)
    answer = await browser.http.post("/acting", data=form_values(page, "/acting"))
    assert answer.status_code == 303
    (entry,) = await journal.entries_of(NIL, [SignedIn], limit=1)
    assert (entry.actor.id, entry.actor.delegate_id, entry.event.method) == (doctor.id, assistant.id, "delegation")
    assert f"You now act for {doctor.name}" in page_text(await browser.get("/acting"))


async def test_nobody_acts_without_a_delegation(browse, house, staff):
    doctor, _ = staff
    other = await browse(house.doctor)
    page = await other.get("/acting")
    assert doctor.name not in page_text(page)
    token = form_values(page, "/signout")["_csrf"] if page.xpath("//form[@action = '/signout']") else ""
    data = {"_csrf": token, "professional": str(doctor.id), "organization": str(house.hospital.id)}
    assert (await other.http.post("/acting", data=data)).status_code == 404
    assert (await other.http.post("/acting", data=data | {"professional": "x"})).status_code in (400, 404)


async def test_patient_has_no_page_of_acting(browse, house):
    patient = await browse(await house.open_patient())
    assert (await patient.http.get("/acting")).status_code == 404


async def test_emergency_admission_opens_the_record(browse, house, fresh):
    patient = await house.open_patient()
    browser = await browse(house.doctor)
    page = await browser.get("/emergency/admission")
    fields = {"identifier": await house.identifier(patient), "birth_date": "1970-05-17"}
    data = form_values(page, "/emergency/admission") | fields
    wrong = await browser.http.post("/emergency/admission", data=data | {"birth_date": "1970-05-18"})
    assert wrong.status_code == 422
    shown = html.fromstring(wrong.text)
    assert shown.xpath("//input[@name = 'identifier' and @aria-invalid = 'true']")
    assert "There is no open record" in page_text(shown)
    day = await browser.http.post("/emergency/admission", data=data | {"birth_date": "17.5.1970"})
    assert day.status_code == 400
    answer = await browser.http.post("/emergency/admission", data=data)
    assert (answer.status_code, answer.headers["location"]) == (303, f"/patients/{patient.id}")
    assert (await read_verdict(house, patient, house.doctor)).context == "hospital_emergency"


async def test_emergency_admission_is_offered_at_hospitals_only(browse, house):
    doctor, outside = await browse(house.doctor), await browse(house.pharmacist)
    assert "/emergency/admission" in (await doctor.http.get("/emergency")).text
    assert "/emergency/admission" not in (await outside.http.get("/emergency")).text
    assert (await outside.http.get("/emergency/admission")).status_code == 404
    assert (await outside.http.get(f"/emergency/{uuid7()}")).status_code == 404

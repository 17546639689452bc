"""The pages of operators: registering, letters, staff, recoveries; and the choice of a workplace."""

import re
from dataclasses import replace

import pypdfium2
import pytest

from esante.core.storage import NIL, uuid7
from esante.core.time_zone import today
from esante.identity.access import Requester, SignedIn, requester_of
from esante.identity.access.authn.requesters import principal_of, requester_from_principal
from esante.identity.directory import Motive, PersonRegistered, Role
from esante.identity.signin import OperatorChanged
from tests.identity.access.conftest import a_practitioner
from tests.support.portal_browser import form_values, page_text

CODE = re.compile(r"(?:[2-9A-HJ-NP-Z]{4}-){3}[2-9A-HJ-NP-Z]{4}")
PLACE = "/operator/accounts"


async def operator_browser(signin, house):
    browser = await signin.browser(house.operator)
    return browser


async def state_motive(signin, browser, requester, person_id):
    """State the motive for a person's file in the session of a browser."""
    value = browser.http.cookies.get("__Host-esante_session")
    from esante.core import clock
    from esante.identity.access.authn import motive_store
    from esante.identity.access.smart.protocol import hash_secret

    motive = Motive("HOPERAT", "Letter 1")
    await motive_store.save_motive(signin.access._db, hash_secret(value), f"person:{person_id}", motive, clock.now())


async def letter_of(signin, browser, house, kind, holder_id):
    if kind == "patient":
        await state_motive(signin, browser, house.operator, holder_id)
    page = await browser.get(f"{PLACE}/{kind}/{holder_id}")
    data = form_values(page, f"{PLACE}/{kind}/{holder_id}/letter")
    answer = await browser.http.post(f"{PLACE}/{kind}/{holder_id}/letter", data=data)
    assert answer.status_code == 200 and answer.headers["cache-control"] == "no-store"
    assert answer.headers["content-type"] == "application/pdf"
    return pypdfium2.PdfDocument(answer.content)[0].get_textpage().get_text_bounded()


@pytest.mark.parametrize(
    ("language", "words"), [("fr", "code d’activation"), ("de", "Aktivierungscode"), ("pt", "code d’activation")]
)
async def test_letter_is_in_the_language_of_its_reader_and_has_a_code_that_works(signin, house, language, words):
    patient = await house.patient(languages=(language,))
    text = await letter_of(signin, await operator_browser(signin, house), house, "patient", patient.id)
    assert words in text and patient.name in text and "https://esante.example/activate" in text
    browser = await signin.browser()
    await signin.enrol(browser, CODE.search(text)[0], await signin.number(house, patient))


async def test_page_of_a_person_asks_for_the_motive_first(signin, house):
    patient = await house.patient()
    browser = await operator_browser(signin, house)
    answer = await browser.http.get(f"{PLACE}/patient/{patient.id}")
    assert answer.status_code == 303 and answer.headers["location"].startswith("/motive?")


FORM = {
    "given": "Léa Marie",
    "family": "Neumann",
    "birth_date": "1975-05-25",
    "sex": "female",
    "matricule": "1975052512347",
    "line": "2, rue du Test",
    "postal_code": "L-1234",
    "city": "Luxembourg",
    "language": "lb",
}


async def test_person_is_registered_once_and_faults_keep_what_was_entered(signin, house, journal):
    browser = await operator_browser(signin, house)
    page = await browser.get(f"{PLACE}/register")
    for fault in ({"birth_date": "25.5.1975"}, {"birth_date": "2999-01-01"}, {"family": ""}, {"matricule": "1"}):
        answer = await browser.submit(page, f"{PLACE}/register", 400, **FORM | fault)
        assert "2, rue du Test" in answer.text
    answer = await browser.submit(page, f"{PLACE}/register", **FORM)
    person_id = answer.headers["location"].rpartition("/")[2]
    (entry,) = await journal.entries_of(person_id, [PersonRegistered])
    assert entry.actor.id == house.operator.id
    await browser.submit(page, f"{PLACE}/register", 409, **FORM)


async def test_colleague_is_invited_and_ended_and_nobody_ends_themselves(signin, house, journal):
    browser = await operator_browser(signin, house)
    answer = await browser.submit(await browser.get(f"{PLACE}/staff"), f"{PLACE}/staff", 200, name="Paul Klein")
    code = CODE.search(answer.text)[0]
    colleague = await signin.browser()
    await signin.enrol(colleague, code, "")
    assert "Paul Klein" in page_text(await browser.get(f"{PLACE}/staff?q=klein"))
    assert "No results" in page_text(await browser.get(f"{PLACE}/staff?q=nobody"))
    (invited,) = await journal.entries_of(NIL, [OperatorChanged], limit=1)
    own = f"{PLACE}/staff/{house.operator.id}/end"
    token = form_values(await browser.get(f"{PLACE}/staff"), f"{PLACE}/staff")["_csrf"]
    assert (await browser.http.post(own, data={"_csrf": token})).status_code == 409
    other = f"{PLACE}/staff/{invited.event.operator_id}/end"
    assert (await browser.http.post(other, data={"_csrf": token})).status_code == 303
    assert (await browser.http.post(other, data={"_csrf": token})).status_code == 404
    assert (await colleague.http.get("/account")).status_code == 303


async def test_recovery_is_asked_listed_and_confirmed_by_another(signin, house):
    patient, _, _ = await signin.enrolled(house)
    first = await operator_browser(signin, house)
    await state_motive(signin, first, house.operator, patient.id)
    page = await first.get(f"{PLACE}/patient/{patient.id}")
    url = f"{PLACE}/patient/{patient.id}/recovery"
    await first.submit(page, url, 400, reason="short")
    await first.submit(page, url, reason="Identity card shown")
    page = await first.get(f"{PLACE}/recoveries")
    assert "waits for another operator" in page_text(page)
    another = Requester(kind="operator", id=uuid7(), name="Paul Klein")
    second = await signin.browser(another)
    page = await second.get(f"{PLACE}/recoveries?q=card")
    (confirm,) = [one for one in page.xpath("//form/@action") if one.endswith("/confirm")]
    answer = await second.submit(page, confirm, 200)
    assert answer.headers["content-type"] == "application/pdf"
    assert "No recoveries" in page_text(await second.get(f"{PLACE}/recoveries"))
    assert patient.name in page_text(await second.get(f"{PLACE}/recoveries?state=confirmed"))
    assert (await second.http.get(f"{PLACE}/recoveries?state=x")).status_code == 404
    assert (await second.http.get(f"{PLACE}/recoveries?cursor=x")).status_code == 400


@pytest.fixture
async def doctor_of_two(directory, house):
    """A doctor with roles at the hospital and the pharmacy."""
    found = a_practitioner("Zwou", "doctor", house.hospital.id)
    role = Role(id=uuid7(), organization_id=house.pharmacy.id, profession="pharmacist", since=today())
    found = replace(found, roles=(*found.roles, role))
    await directory.register_practitioners([found])
    return found


async def test_professional_of_two_workplaces_chooses_one_and_keeps_the_sign_in(signin, house, journal, doctor_of_two):
    text = await letter_of(signin, await operator_browser(signin, house), house, "practitioner", doctor_of_two.id)
    browser = await signin.browser()
    number = next(one.value for one in doctor_of_two.identifiers)
    device = await signin.enrol(browser, CODE.search(text)[0], number)
    answer = await signin.sign_in(await signin.browser(), device, to="/patients")
    assert answer.headers["location"] == "/workplace?next=%2Fpatients"
    page = await browser.get("/workplace?next=/patients")
    assert house.hospital.name in page_text(page) and house.pharmacy.name in page_text(page)
    token = form_values(page, "/workplace")["_csrf"]
    data = {"_csrf": token, "next": "/patients", "place": f"{house.pharmacy.id} pharmacist"}
    answer = await browser.http.post("/workplace", data=data)
    assert (answer.status_code, answer.headers["location"]) == (303, "/patients")
    sessions = await signin.access.sessions.list_of(str(doctor_of_two.id))
    found = [requester_from_principal(one.principal) for one in sessions]
    assert {(one.organization_id, one.profession) for one in found} >= {(house.pharmacy.id, "pharmacist")}
    assert {one.authentication.method for one in found} == {"passkey"}
    (entry,) = await journal.entries_of(NIL, [SignedIn], limit=1)
    assert (entry.event.method, entry.event.assurance) == ("workplace", "substantial")


async def test_workplace_of_another_is_not_found(signin, house, doctor_of_two):
    browser = await signin.browser(requester_of(doctor_of_two, house.hospital))
    token = form_values(await browser.get("/workplace"), "/workplace")["_csrf"]
    for place in ("", "x", f"{house.hospital.id} pharmacist", f"{uuid7()} doctor"):
        assert (await browser.http.post("/workplace", data={"_csrf": token, "place": place})).status_code == 404


async def test_session_of_a_delegate_is_their_own(signin, house, doctor_of_two):
    from esante.identity.access.authn.requesters import delegate_requester
    from tests.support.authentications import with_passkey

    assistant = a_practitioner("Ada", "admin", house.hospital.id)
    acting = delegate_requester(assistant, doctor_of_two, house.hospital)
    await signin.access.sessions.create(principal_of(with_passkey(acting)))
    sessions = await signin.access.sessions.list_of(str(assistant.id))
    assert len(sessions) == 1 and signin.holder(acting).id == assistant.id

"""The pages about a patient from abroad: the error at its field, what each outcome says, what others do not see."""

import pytest

from esante.identity.access import Access, requester_of
from esante.services.exchange.country_b.model import PRESCRIPTION
from esante.services.exchange.pages.abroad_pages import PLACE, AbroadPages
from esante.services.exchange.terminology import sample_catalogue
from tests.support.directory_entries import a_practitioner
from tests.support.encounters import PATIENT, recorded
from tests.support.portal_browser import page_text
from tests.support.prescriptions import failure, prescription, prescription_list, retrieved, unique_id
from tests.support.signed_in_pages import BASE, application_of, browsers_of

HOSTILE = "<script>alert(1)</script>\"'{{7*7}}%(agency)s"


@pytest.fixture
async def browse(db, journal, world):
    """`await browse(requester)` returns a browser in which the requester is signed in."""
    access = Access(db, journal, world.encounters._directory, base_url=BASE)
    pages = AbroadPages(world.encounters, world.points, access, sample_catalogue)
    async with browsers_of(application_of(access, pages.routes())) as visit:
        yield visit


async def search(browser, value=PATIENT):
    """Search for a patient; return the page of the encounter."""
    page = await browser.get(f"{PLACE}/search?country=PT")
    found = await browser.submit(page, f"{PLACE}/search", **{"field-0": value})
    return found.headers["location"]


async def treat(browser):
    """Find the patient and confirm the treatment; return the address of the encounter."""
    url = await search(browser)
    page = await browser.get(url)
    await browser.submit(page, f"{url}/confirm", identity="confirmed", purpose="TREATMENT")
    return url


async def open_prescription(browser, process):
    """List the prescriptions and open the first; return the addresses of the encounter and of the document."""
    process.answer("ITI-38", prescription_list())
    process.answer("ITI-39", retrieved(prescription(medicine=HOSTILE), unique_id()))
    url = await treat(browser)
    await browser.submit(await browser.get(url), f"{url}/list", **{"class": PRESCRIPTION})
    page = await browser.get(url)
    (address,) = {one.get("action") for one in page.forms if "/documents/" in (one.get("action") or "")}
    found = await browser.submit(page, address)
    assert found.headers["location"] == address
    return url, address


async def test_wrong_value_is_shown_at_its_field_with_what_was_typed(browse, world):
    browser = await browse(world.doctor)
    page = await browser.get(f"{PLACE}/search?country=PT")
    response = await browser.submit(page, f"{PLACE}/search", 400, **{"field-0": HOSTILE})
    assert "This value cannot be used." in response.text
    assert "&lt;script&gt;" in response.text and "<script>alert" not in response.text
    assert 'aria-invalid="true"' in response.text


@pytest.mark.parametrize(
    ("name", "title"),
    [
        ("ERROR_PI_NO_MATCH", "No patient was found"),
        ("ERROR_PI_MULTIPLE_MATCHES", "More than one person fits"),
        ("AdditionalDemographicsRequested", "The country needs more details"),
        ("WARNING_PI_NO_CONSENT", "The country does not give access"),
        ("InternalError", "The search did not work"),
    ],
)
async def test_each_outcome_of_a_search_says_what_to_do(browse, world, process, shared_data, name, title):
    process.answer("ITI-55", recorded(shared_data, "PRPA_IN201306UV02_4.xml").replace("ERROR_PI_NO_MATCH", name))
    browser = await browse(world.doctor)
    text = page_text(await browser.get(await search(browser)))
    assert title in text and "Search again" in text and name in text


async def test_text_of_the_country_is_escaped(browse, world, process, shared_data):
    body = recorded(shared_data, "PRPA_IN201306UV02_4.xml")
    escaped = HOSTILE.replace("&", "&amp;").replace("<", "&lt;")
    process.answer("ITI-55", body.replace("Patient Identification Error", escaped))
    browser = await browse(world.doctor)
    response = await browser.http.get(await search(browser))
    assert "<script>alert" not in response.text and "&lt;script&gt;" in response.text


async def test_identity_must_be_confirmed(browse, world):
    browser = await browse(world.doctor)
    url = await search(browser)
    response = await browser.submit(await browser.get(url), f"{url}/confirm", 400, purpose="TREATMENT", identity="")
    assert "Confirm that you checked the identity." in response.text


async def test_pharmacist_dispenses_and_a_lost_answer_says_what_to_do(browse, world, process):
    browser = await browse(world.pharmacist)
    url, address = await open_prescription(browser, process)
    page = await browser.get(address)
    assert HOSTILE in page_text(page)
    response = await browser.submit(page, f"{address}/dispense", 400, quantity="0", product="A")
    assert "Write the number of packages, such as 1." in response.text
    process.fail("cut", "ITI-41")
    await browser.submit(page, f"{address}/dispense", quantity="2", product="Amoxicilline")
    page = await browser.get(url)
    text = page_text(page)
    assert "It is not known whether the dispensation arrived" in text and "Do not dispense a second time." in text
    assert not [one for one in page.forms if one.get("action") == f"{url}/list"]
    process.fail("")
    await browser.submit(page, f"{url}/again")
    text = page_text(await browser.get(url))
    assert "Received by the country" in text and "sent 2 times" in text
    assert len(process.taken()) == 1
    process.answer("ITI-38", prescription_list(state="closed", reason="Dispensed today"))
    await browser.submit(await browser.get(url), f"{url}/list", **{"class": PRESCRIPTION})
    text = page_text(await browser.get(url))
    assert "Cannot be dispensed" in text and "Dispensed today" in text


async def test_refusal_after_a_lost_answer_warns_before_another_dispensation(browse, world, process):
    browser = await browse(world.pharmacist)
    url, address = await open_prescription(browser, process)
    process.fail("cut", "ITI-41")
    await browser.submit(await browser.get(address), f"{address}/dispense", quantity="1", product="A")
    process.fail("")
    process.answer("ITI-41", failure("4106"))
    await browser.submit(await browser.get(url), f"{url}/again")
    process.forget("ITI-41")
    assert "may have been counted" in page_text(await browser.get(url))


async def test_doctor_sees_a_prescription_without_the_form(browse, world, process):
    browser = await browse(world.doctor)
    _, address = await open_prescription(browser, process)
    page = await browser.get(address)
    assert not [one for one in page.forms if one.get("action") == f"{address}/dispense"]


async def test_original_is_a_file_that_no_browser_runs(browse, world, process):
    browser = await browse(world.doctor)
    _, address = await open_prescription(browser, process)
    response = await browser.http.get(f"{address}/file")
    assert response.content == prescription(medicine=HOSTILE).encode()
    assert response.headers["content-disposition"].startswith("attachment")
    assert "sandbox" in response.headers["content-security-policy"]


async def test_others_see_neither_encounter_nor_document(browse, world, process):
    browser = await browse(world.doctor)
    url, address = await open_prescription(browser, process)
    other = await browse(world.pharmacist)
    for one in (url, address, f"{address}/file"):
        assert (await other.http.get(one)).status_code == 404
    assert PATIENT not in page_text(await other.get(PLACE))


async def test_profession_that_cannot_ask_is_told_so(browse, world):
    osteopath = await world.encounters._directory.register_practitioner(a_practitioner(profession="osteopath"))
    browser = await browse(requester_of(osteopath))
    text = page_text(await browser.get(PLACE))
    assert "Your profession cannot ask other countries for documents." in text
    page = await browser.get(f"{PLACE}/search?country=PT")
    response = await browser.submit(page, f"{PLACE}/search", 403, **{"field-0": PATIENT})
    assert response.status_code == 403


async def test_list_of_encounters_is_searched_and_empties(browse, world):
    browser = await browse(world.doctor)
    assert "No encounter yet" in page_text(await browser.get(PLACE))
    url = await search(browser)
    assert "TEST-ONLY" in page_text(await browser.get(f"{PLACE}?q=test-only"))
    assert "Nothing found" in page_text(await browser.get(f"{PLACE}?q=zz"))
    await browser.submit(await browser.get(url), f"{url}/end")
    assert "TEST-ONLY" not in page_text(await browser.get(PLACE))
    assert "This encounter has ended" in page_text(await browser.get(url))

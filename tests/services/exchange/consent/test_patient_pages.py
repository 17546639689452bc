"""The pages of a patient about care abroad, in browsers without JavaScript."""

import pytest

from esante.identity.access import Confidentiality, requester_of
from esante.services.exchange.consent import CountryConsents
from esante.services.exchange.consent.preview import SummaryPreview
from esante.services.exchange.pages.patient_pages import PLACE, PatientPages
from esante.services.exchange.terminology import sample_catalogue
from tests.support.country_a import COUNTRY, open_country_a
from tests.support.exchange_abroad import number_of, patient, summary
from tests.support.portal_browser import form_values, page_text
from tests.support.signed_in_pages import application_of, browsers_of


@pytest.fixture(scope="module")
async def opened(world, tmp_path_factory):
    """A professional of another country, and the contact points of this one."""
    async with open_country_a(world, tmp_path_factory.mktemp("ncp")) as opened:
        yield opened


@pytest.fixture
async def visit(world, opened):
    """Return what opens a browser in which a patient is signed in."""
    preview = SummaryPreview(world.record, world.access, sample_catalogue)
    pages = PatientPages(opened[1], CountryConsents(world.access), preview, world.access, world.journal)
    async with browsers_of(application_of(world.access, pages.routes())) as visit:
        yield visit


async def test_patient_allows_a_country_and_takes_it_back(world, opened, visit):
    person = await patient(world, consents="")
    browser = await visit(requester_of(person), "fr")
    page = await browser.get(PLACE)
    assert "Portugal" in page_text(page) and "Non autorisé" in page_text(page)
    await browser.submit(page, f"{PLACE}/allow")
    assert (await opened[0].discover(number_of(person))).patients
    page = await browser.get(PLACE)
    assert "Non autorisé" not in page_text(page) and "Ne plus autoriser" in page_text(page)
    await browser.submit(page, f"{PLACE}/withdraw")
    assert not (await opened[0].discover(number_of(person))).patients
    text = page_text(await browser.get(f"{PLACE}/requests"))
    assert "Dr Anne Test vous a recherché(e)." in text and "Rien d’envoyé" in text


async def test_country_is_found_by_its_name_in_the_language_of_the_page(world, visit):
    browser = await visit(requester_of(await patient(world, consents="")), "de")
    assert "Portugal" in page_text(await browser.get(f"{PLACE}?q=portu"))
    assert "Portugal" not in page_text(await browser.get(f"{PLACE}?q=Spanien"))


async def test_unknown_country_is_absent(world, visit):
    browser = await visit(requester_of(await patient(world, consents="")))
    page = await browser.get(PLACE)
    await browser.submit(page, f"{PLACE}/allow", 404, country="ZZ")
    token = form_values(page, f"{PLACE}/allow")["_csrf"]
    answer = await browser.http.post(f"{PLACE}/withdraw", data={"_csrf": token, "country": "ZZ"})
    assert answer.status_code == 404


async def test_patient_sees_the_summary_that_would_be_sent_and_no_hidden_one(world, visit):
    person = await patient(world, consents="")
    await summary(world, person, title="Shown summary", text="shown words")
    hidden = await summary(world, person, title="Hidden summary", text="hidden words", date="2026-01-01T10:00:00Z")
    await world.record.set_confidentiality(requester_of(person), person.id, hidden, Confidentiality.HIDDEN)
    text = page_text(await (await visit(requester_of(person))).get(f"{PLACE}/summary?country={COUNTRY}"))
    assert "shown words" in text and "hidden words" not in text


async def test_patient_without_summary_is_told_so(world, visit):
    browser = await visit(requester_of(await patient(world)))
    assert "There is no patient summary that a doctor there would see" in page_text(
        await browser.get(f"{PLACE}/summary")
    )


async def test_requests_are_those_of_the_patient_only(world, opened, visit):
    person, other = await patient(world, consents=COUNTRY), await patient(world, consents=COUNTRY)
    await summary(world, person)
    [coded, _] = (await opened[0].list_documents(number_of(person).cx, "60591-5")).documents
    await opened[0].retrieve(number_of(person).cx, coded.unique_id)
    browser = await visit(requester_of(person))
    text = page_text(await browser.get(f"{PLACE}/requests"))
    assert "Dr Anne Test opened a document: Patient summary." in text
    assert "Hospital of Test (PT)" in text
    assert "No results" in page_text(await browser.get(f"{PLACE}/requests?q=nurse"))
    assert "Nobody abroad has asked" in page_text(await (await visit(requester_of(other))).get(f"{PLACE}/requests"))


async def test_doctor_has_no_such_page(world, visit):
    browser = await visit(world.people["doctor"])
    for path in ("", "/summary", "/requests"):
        await browser.get(PLACE + path, 404)

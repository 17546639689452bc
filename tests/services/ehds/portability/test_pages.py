"""The pages of portability and of the opt-out in a browser without JavaScript."""

import io
from zipfile import ZipFile

import pytest
from lxml import html

from esante.identity.access import Access, requester_of
from esante.services.ehds.formats.service import Formats
from esante.services.ehds.opt_out.service import PrimaryOptOut
from esante.services.ehds.pages.opt_out_pages import OptOutPages
from esante.services.ehds.pages.portability_pages import PortabilityPages
from esante.services.ehds.portability.package import Packages
from esante.services.ehds.portability.service import Transfers
from tests.support.record import BASE, letter, open_world
from tests.support.record_pages import load_page, main_text, send_form
from tests.support.signed_in_pages import application_of, browsers_of


@pytest.fixture(scope="module")
async def world(db, journal, objects):
    """A world over this module's database."""
    async with open_world(db, journal, objects) as world:
        yield world


@pytest.fixture
async def visit(world):
    """A function that opens a browser of a requester, or of nobody."""
    access: Access = world.access
    packages = Packages(world.record.extracts, Formats(world.db, world.record, world.directory, f"{BASE}/fhir"))
    extracts = world.record.extracts
    transfers = Transfers(world.db, world.journal, world.directory, access, extracts, packages, BASE)
    pages = [
        *PortabilityPages(transfers, access).routes(),
        *OptOutPages(PrimaryOptOut(world.journal, access), access).routes(),
    ]
    async with browsers_of(application_of(access, pages)) as visit:

        async def visited(requester=None):
            http = (await visit(requester)).http
            http.headers["Sec-Fetch-Site"] = "same-origin"
            return http

        yield visited


async def test_patient_prepares_a_copy_and_its_recipient_fetches_it(world, visit):
    person = await world.person()
    await world.record.deposit(world.people["hospital"], person.id, *letter("For Trier"))
    patient, nobody = await visit(requester_of(person)), await visit(None)
    form = await load_page(patient, "/portability")
    assert "You have not sent a copy yet" in main_text(form)
    part = await send_form(patient, form, "/portability", 400, label="Dr Weber", part="part", days="7")
    assert "Choose what is sent." in part.text
    made = await send_form(patient, form, "/portability", 200, label="Dr Weber", part="all", days="7")
    page = html.fromstring(made.text)
    [address] = page.xpath("//textarea[@name='address']/text()")
    [pin] = page.xpath("//p[@class='code']/text()")
    path = address.strip().removeprefix(BASE)
    wrong = await send_form(nobody, await load_page(nobody, path), path, 404, recipient="Dr Weber", pin="1")
    assert "do not open anything" in wrong.text
    sent = await send_form(nobody, await load_page(nobody, path), path, 200, recipient="Dr Weber", pin=pin)
    assert sent.headers["content-type"] == "application/zip" and sent.headers["referrer-policy"] == "no-referrer"
    archive = ZipFile(io.BytesIO(sent.content))
    assert any(b"For Trier" in archive.read(name) for name in archive.namelist())
    again = await send_form(nobody, await load_page(nobody, path), path, 404, recipient="Dr Weber", pin=pin)
    assert "do not open anything" in again.text
    shown = main_text(await load_page(patient, "/portability"))
    assert "Received by Dr Weber" in shown


async def test_patient_opts_out_after_reading_the_risk_and_sees_what_counted_when(world, visit):
    person = await world.person()
    client = await visit(requester_of(person))
    page = await load_page(client, "/opt-out")
    unread = await send_form(client, page, "/opt-out", 422, act="out")
    assert "Confirm first" in unread.text
    await send_form(client, page, "/opt-out", act="out", risk="yes")
    assert "Turned off" in main_text(await load_page(client, "/opt-out?saved=out"))
    await send_form(client, page, "/opt-out", act="in")
    shown = main_text(await load_page(client, "/opt-out?on=2020-01-01"))
    assert "You turned it on again." in shown and "No professional could read your record" in shown
    assert "This is not a valid date." in main_text(await load_page(client, "/opt-out?on=x"))

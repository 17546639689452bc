"""The pages of patients in several languages, on phone and desktop: translated, accessible, without console errors."""

from pathlib import Path
from zipfile import ZipFile

import pytest
from playwright.async_api import Browser

from tests.support.demo_server import DemoServer
from tests.support.page_checks import browser_errors, emulate_color_scheme, find_page_faults, untranslated_texts
from tests.support.page_tour import (
    ANOTHER,
    LANGUAGES,
    PATIENT,
    authorization_url,
    deposit_every_format,
    document_titles,
    find_patient_id,
    find_tour_faults,
    issue_code,
)
from tests.support.visitors import PHONE, Visitor, download_file, open_visitor

pytestmark = [pytest.mark.browser, pytest.mark.tour]


async def test_pages_of_patient_are_translated_fit_and_are_accessible(demo: DemoServer, browser: Browser) -> None:
    person = await find_patient_id(demo)
    documents = await deposit_every_format(demo, person)
    steps = [
        *("/", "/record", "/record?view=type", "/record?q=xyzzy", "/record?withdrawn=yes", "/record/note", "/sharing"),
        *("/sharing/people?for=circle", "/sharing/people?for=circle&q=Dr", "/sharing/people?for=block&q=Hôpital"),
        *("/sharing/people?for=oppose&q=Hôpital", "/record/statements", "/log?kind=sharing"),
        *("/record/retention", "/record/retention?show=all", "/record/retention?show=life", "/record/requests"),
        *("/record/retention?q=xyzzy", "/record/requests?q=xyzzy"),
        *("/care-abroad", "/care-abroad?q=xyzzy", "/care-abroad/summary", "/care-abroad/requests"),
        *(
            "/account",
            "/log",
            "/log?kind=refused",
            "/log/proof",
            check_proof,
            check_damaged_proof,
            "/notices",
            "/takeout",
            "/nothing-here",
        ),
        authorization_url("patient/*.cruds patient/Observation.rs?category=laboratory openid fhirUser offline_access"),
        authorization_url("patient/Patient.rs", nothing="yes"),
        authorization_url("", client_id="nobody"),
        authorize_app,
        "/demo/app",
        issue_widest_code,
        *(f"/record/{key}" for key in documents.values()),
    ]
    await prepare_proof(demo, browser)
    assert await find_tour_faults(demo, browser, PATIENT, steps, await document_titles(demo, person)) == []


async def prepare_proof(demo: DemoServer, browser: Browser) -> None:
    """Ask for the proof of the access history, and wait until it is ready."""
    async with open_visitor(browser, demo.base, "en") as visitor:
        await visitor.sign_in(PATIENT)
        await visitor.open("/log/proof")
        await visitor.button("Prepare again").or_(visitor.button("Prepare the proof")).click()
        await visitor.reload_until("/log/proof", visitor.link("Download the proof"))


async def check_proof(visitor: Visitor) -> None:
    """Check the proof in the browser, which shows what it found."""
    await visitor.open("/log/proof")
    await visitor.button("Check the proof").click()
    await visitor.page.get_by_text(visitor.translate("Your access history is complete and unaltered.")).wait_for()


async def check_damaged_proof(visitor: Visitor) -> None:
    """Check a file that is no proof."""
    file = {"name": "proof.json", "mimeType": "application/json", "buffer": b"{"}
    await visitor.page.locator("[data-check-file]").set_input_files(file)
    await visitor.page.get_by_text(visitor.translate("This file is not a proof, or it is damaged.")).wait_for()


async def authorize_app(visitor: Visitor) -> None:
    """Authorize an app and open the list of apps."""
    await visitor.open("/demo/app")
    await visitor.button("Connect to esante").click()
    await visitor.button("Allow selected access").click()
    await visitor.page.locator("#scopes").wait_for()
    await visitor.open("/apps")


async def issue_widest_code(visitor: Visitor) -> None:
    await issue_code(visitor)
    await visitor.page.locator(".code").evaluate("code => code.textContent = 'WWWW-WWWW'")


async def test_personal_export_is_prepared_downloaded_and_deleted(
    demo: DemoServer, browser: Browser, tmp_path: Path
) -> None:
    found: list[str] = []
    for language in LANGUAGES:
        english = untranslated_texts(language)
        async with open_visitor(browser, demo.base, language, viewport=PHONE) as visitor:
            await emulate_color_scheme(visitor)
            await visitor.sign_in(ANOTHER)
            await visitor.open("/record")
            await visitor.link("Download my data").click()
            await visitor.button("Prepare my data").wait_for()
            found += await find_page_faults(visitor, "before", english)
            # Hold the state in between for the check.
            await visitor.page.route("**/takeout?shown=*", lambda route: route.fulfill(status=204))
            await visitor.button("Prepare my data").click()
            await visitor.page.locator("progress").wait_for()
            found += await find_page_faults(visitor, "between", english)
            await visitor.page.unroute("**/takeout?shown=*")
            ready = visitor.link("Download everything")
            await ready.wait_for()
            found += await find_page_faults(visitor, "ready", english)
            file = await download_file(visitor, ready, tmp_path)
            with ZipFile(file) as archive:
                assert archive.testzip() is None
                names = archive.namelist()
            folder = visitor.translate("documents")
            assert len([name for name in names if name.startswith(f"{folder}/")]) > 3, names
            assert f"{visitor.translate('data')}/Observation.ndjson" in names
            await visitor.button("Delete this file").click()
            await visitor.button("Prepare my data").wait_for()
            found += [f"{language}: {message}" for message in browser_errors(visitor)]
    assert found == []

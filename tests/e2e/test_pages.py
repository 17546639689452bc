"""Every page of the portal in four languages, on phone and desktop: translated, accessible, without console errors."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode
from zipfile import ZipFile

import pytest
from playwright.async_api import Browser

from esante.core.web import translator
from esante.demo.demo_clients import LOOPBACK_REDIRECT_URI, SAMPLE_APP_ID
from tests.support.demo_server import DemoServer
from tests.support.page_checks import AXE, browser_errors, emulate_color_scheme, find_page_faults, untranslated_texts
from tests.support.processes import run_esante
from tests.support.submissions import CONSULTATION, build_cda, build_document_reference, build_pdf, build_png
from tests.support.visitors import PHONE, Visitor, download_file, open_visitor

pytestmark = pytest.mark.browser

PATIENT, DOCTOR, OTHER, HOSPITAL = "Anna Musterfra", "Dr Paul Exempel", "Dr Tom Notfall", "Hôpital Fictif du Kirchberg"
OPERATOR, ANOTHER = "Olivia Opérateur", "João Exemplo"
LONG = "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft" * 2
LANGUAGES = ("fr", "de", "en", "lb")

Step = Callable[[Visitor], Awaitable[None]]


@dataclass
class PageTour:
    """The pages and steps of each person (None: not signed in), and texts that are data and need no translation."""

    pages: dict[str | None, list[str | Step]]
    data: set[str]


@pytest.fixture(scope="module")
async def page_tour(demo: DemoServer, browser: Browser) -> PageTour:
    """The pages of every role in the demo, with documents of every format and an emergency to review."""
    if not AXE.is_file():
        pytest.skip("axe-core is not installed: make install")
    person = await find_patient_id(demo)
    subject = {"reference": f"Patient/{person}"}
    async with demo.http(HOSPITAL) as http:
        for media_type, content in (
            ("application/pdf", build_pdf("Une page")),
            ("application/hl7-cda+xml", build_cda("<paragraph>Une phrase.</paragraph>", code=CONSULTATION)),
            ("image/png", build_png()),
            ("text/plain", f"Ein Absatz.\n\n{LONG}\n".encode()),
        ):
            reference = build_document_reference(
                subject, content, title=LONG, type_=CONSULTATION, media_type=media_type
            )
            answer = await http.post("/fhir/DocumentReference", json=reference)
            assert answer.status_code == 201, answer.text
    documents = await fetch_documents(demo, person)
    kinds = {found["content"][0]["attachment"]["contentType"]: found["id"][32:] for found in documents}
    assert len(kinds) == 5
    async with open_visitor(browser, demo.base, "en") as doctor:
        await doctor.sign_in(OTHER)
        await declare_emergency(doctor, demo.person("Camille Modèle"), "1988-09-03")
    own = ["/", "/record", "/record?view=type", "/record?q=xyzzy", "/record?withdrawn=yes", "/record/note", "/sharing"]
    own += ["/sharing/people?for=circle", "/sharing/people?for=circle&q=Dr", "/sharing/people?for=block&q=Hôpital"]
    own += ["/log", "/log?kind=refused", "/notices", "/takeout", "/nothing-here"]
    own += [authorization_url("patient/*.cruds patient/Observation.rs?category=laboratory openid fhirUser offline_access"),
            authorization_url("patient/Patient.rs", nothing="yes"), authorization_url("", client_id="nobody"), authorize_app, "/demo/app"]  # fmt: skip
    home = f"/patients/{person}"
    care = ["/", "/patients", "/patients?q=xyzzy", home, f"{home}?view=type", f"{home}/deposit", "/emergency"]
    care += [f"{home}/apps", authorization_url("patient/*.rs"), authorization_url("patient/*.rs", q="xyzzy"), "/apps"]
    care += [authorization_url("patient/*.rs user/*.rs online_access", patient=person)]
    return PageTour(
        {
            None: ["/signin", "/signin?q=Anna", "/signin?q=xyzzy", *release_bulletin(demo)],
            PATIENT: [*own, issue_widest_code, *(f"/record/{key}" for key in kinds.values())],
            DOCTOR: [
                *care,
                enter_wrong_code,
                deposit_broken_document,
                *(f"{home}/documents/{key}" for key in kinds.values()),
            ],
            OPERATOR: [
                "/",
                "/operator/reviews",
                "/operator/reviews?done=1",
                open_review,
                "/operator/journal",
                "/operator/bulletin",
            ],
            HOSPITAL: ["/"],
        },
        data={found["content"][0]["attachment"]["title"] for found in documents},
    )


def release_bulletin(demo: DemoServer) -> list[str]:
    """Release the oldest month of the bulletin, which is the quickest to build; return the public pages."""
    now = datetime.now(UTC)
    place = now.year * 12 + now.month - 1 - 35
    month = f"{place // 12}-{place % 12 + 1:02}"
    for act, by in (("build", "anna"), ("preview", "ben")):
        preview = run_esante("bulletin", act, month, "--by", by, "--data", demo.data).stdout
    for line in preview.splitlines():
        if line.endswith("TO BE ACKNOWLEDGED"):
            code, subject = line[:14].strip(), line[15:59].strip()
            run_esante(
                "bulletin", "acknowledge", month, code, subject, "--by", "ben", "--note", "seen", "--data", demo.data
            )
    run_esante("bulletin", "release", month, "--by", "ben", "--data", demo.data)
    number = f"/bulletin/{month}/documents_deposited"
    pages = [
        "",
        f"/{month}",
        "/query",
        "/query?indicator=documents_deposited&breakdown=origin",
        "/calendar",
        "/changes",
    ]
    return [*(f"/bulletin{page}" for page in pages), "/bulletin/dictionary", "/bulletin/objectives", number]


async def find_patient_id(demo: DemoServer) -> str:
    """Return the id of the patient."""
    identifier = "|".join(demo.person(PATIENT)["identifiers"][0].values())
    async with demo.http(PATIENT) as http:
        found = (await http.get("/fhir/Patient", params={"identifier": identifier})).json()
    return str(found["entry"][0]["resource"]["id"])


async def fetch_documents(demo: DemoServer, person: str) -> list[dict[str, Any]]:
    """Return the first 200 documents of a person."""
    async with demo.http(PATIENT) as http:
        page = (await http.get(f"/fhir/DocumentReference?patient={person}&status=current&_count=200")).json()
    return [entry["resource"] for entry in page["entry"]]


async def declare_emergency(doctor: Visitor, person: dict[str, Any], born: str) -> None:
    await doctor.open("/emergency")
    await doctor.page.locator("[name=identifier]").fill(person["identifiers"][0]["value"])
    await doctor.page.locator("[name=birth_date]").fill(born)
    await doctor.page.locator("[name=reason]").fill("Schwerer Asthmaanfall, nicht ansprechbar")
    await doctor.page.locator("[name=confirmed]").check()
    await doctor.button("Open the record now").click()
    await doctor.page.locator(".banner.danger").wait_for()


def authorization_url(scope: str, **changes: str) -> str:
    """Return the address of an authorization request for these scopes."""
    parameters = {
        "response_type": "code",
        "client_id": SAMPLE_APP_ID,
        "redirect_uri": LOOPBACK_REDIRECT_URI,
        "scope": scope,
        "state": "x",
        "aud": "BASE/fhir",
        "code_challenge": "A" * 43,
        "code_challenge_method": "S256",
    }
    return f"/oauth/authorize?{urlencode(parameters | changes)}"


async def authorize_app(visitor: Visitor) -> None:
    """Authorize an app and open the list of apps."""
    await visitor.open("/demo/app")
    await visitor.button("Connect to esante").click()
    await visitor.button("Allow what is chosen").click()
    await visitor.page.locator("#scopes").wait_for()
    await visitor.open("/apps")


async def issue_code(visitor: Visitor) -> None:
    await visitor.open("/sharing")
    await visitor.button("Make a code").click()
    await visitor.page.locator(".code").wait_for()


async def issue_widest_code(visitor: Visitor) -> None:
    await issue_code(visitor)
    await visitor.page.locator(".code").evaluate("code => code.textContent = 'WWWW-WWWW'")


async def enter_wrong_code(doctor: Visitor) -> None:
    await doctor.open("/patients")
    await doctor.page.locator("[name=code]").fill("nonsense")
    await doctor.button("Open the record").click()
    await doctor.page.locator(".error").wait_for()


async def deposit_broken_document(doctor: Visitor) -> None:
    await doctor.open("/patients")
    await doctor.link(PATIENT, translated=False).click()
    await doctor.link("Add a document").click()
    file = {"name": "empty.pdf", "mimeType": "application/pdf", "buffer": b"%PDF-1.7 broken"}
    await doctor.page.locator("[name=file]").set_input_files(file)  # type: ignore[arg-type]
    await doctor.button("Check and add").click()
    await doctor.page.locator(".callout.danger").wait_for()


async def open_review(operator: Visitor) -> None:
    await operator.open("/operator/reviews")
    await operator.page.locator("main li.entry a").first.click()
    await operator.page.wait_for_url("**/operator/reviews/*")


async def visit_pages(visitor: Visitor, page_tour: PageTour, check_page: Callable[[str], Awaitable[None]]) -> None:
    """Visit and check every page of every person."""
    for name, steps in page_tour.pages.items():
        if name is not None:
            await visitor.sign_in(name)
        for step in steps:
            if isinstance(step, str):
                await visitor.open(step.replace("BASE", quote(visitor.base, safe="")))
            else:
                await step(visitor)
            await visitor.page.evaluate("document.querySelectorAll('main details').forEach(one => one.open = true)")
            await check_page(f"{name}: {step if isinstance(step, str) else step.__name__}")


async def test_every_page_is_translated_fits_phone_and_desktop_and_is_accessible(
    demo: DemoServer, browser: Browser, page_tour: PageTour
) -> None:
    found = await asyncio.gather(*(check_pages(demo, browser, page_tour, language) for language in LANGUAGES))
    assert [fault for faults in found for fault in faults] == []


async def check_pages(demo: DemoServer, browser: Browser, page_tour: PageTour, language: str) -> list[str]:
    """Return the faults of all pages in one language."""
    english = untranslated_texts(language) - page_tour.data
    found: list[str] = []
    async with open_visitor(browser, demo.base, language) as visitor:

        async def check_page(place: str) -> None:
            found.extend(await find_page_faults(visitor, place, english))

        await emulate_color_scheme(visitor)
        await visit_pages(visitor, page_tour, check_page)
        found += browser_errors(visitor)
    return [f"{language}: {fault}" for fault in found]


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
            await visitor.link("Take my data along").click()
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
            await visitor.button("Delete here").click()
            await visitor.button("Prepare my data").wait_for()
            found += [f"{language}: {message}" for message in browser_errors(visitor)]
    assert found == []


async def test_main_functions_work_without_javascript(demo: DemoServer, browser: Browser) -> None:
    context = await browser.new_context(locale="fr", java_script_enabled=False)
    visitor = Visitor(demo.base, await context.new_page(), "fr")
    await visitor.sign_in(ANOTHER)
    await issue_code(visitor)
    code = await visitor.page.locator(".code").inner_text()
    await visitor.page.locator("details.menu").last.locator("summary").click()
    await visitor.button("Sign out").click()
    await visitor.page.wait_for_url("**/signin")
    await visitor.sign_in(OTHER)
    await visitor.open("/patients")
    await visitor.page.locator("[name=code]").fill(code)
    await visitor.button("Open the record").click()
    await visitor.page.locator(".banner").wait_for()
    assert ANOTHER in await visitor.text()
    await visitor.page.locator("details.menu").last.locator("summary").click()
    await visitor.button("Sign out").click()
    await visitor.page.wait_for_url("**/signin")
    await visitor.sign_in(ANOTHER)
    await visitor.open("/takeout")
    await visitor.button("Prepare my data").click()
    ready = visitor.link("Download everything")
    while not await ready.count():
        await visitor.link("See how far it is").click()
    await visitor.button("Delete here").click()
    await visitor.button("Prepare my data").wait_for()
    await context.close()


async def test_language_chosen_in_the_page_is_kept(demo: DemoServer, browser: Browser) -> None:
    async with open_visitor(browser, demo.base, "fr") as visitor:
        await visitor.sign_in(PATIENT)
        await visitor.open("/sharing")
        await visitor.page.locator("details.menu").first.locator("summary").click()
        await visitor.page.get_by_role("link", name="Lëtzebuergesch").click()
        await visitor.page.wait_for_url("**/sharing")
        assert await visitor.page.locator("html").get_attribute("lang") == "lb"
        assert translator("lb").gettext("Give your doctor a code") in await visitor.text()
        await visitor.open("/log")
        assert await visitor.page.locator("html").get_attribute("lang") == "lb"
        assert visitor.console_errors == []

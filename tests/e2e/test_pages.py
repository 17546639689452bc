"""Every page of the portal: four languages, a phone and a desk, no untranslated text, no barrier, no console error."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode
from zipfile import ZipFile

import pytest
from babel.messages.pofile import read_po
from playwright.async_api import Browser, Page

from esante.core import web
from esante.core.web import translator
from esante.demo.demo_clients import LOOPBACK_REDIRECT_URI, SAMPLE_APP_ID
from tests.e2e.browsers import DESK, PHONE, Visitor, saved, visiting
from tests.e2e.demos import Demo
from tests.e2e.papers import CONSULTATION, cda, pdf, png, published
from tests.e2e.processes import esante

pytestmark = pytest.mark.browser

PATIENT, DOCTOR, OTHER, HOSPITAL = "Anna Musterfra", "Dr Paul Exempel", "Dr Tom Notfall", "Hôpital Fictif du Kirchberg"
OPERATOR, ANOTHER = "Olivia Opérateur", "João Exemplo"
LONG = "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft" * 2
AXE = Path(__file__).resolve().parents[2] / "node_modules" / "axe-core" / "axe.min.js"
LANGUAGES = ("fr", "de", "en", "lb")
AXE_RUNS: dict[str, tuple[Any, dict[str, int]]] = {"lb": ("light", PHONE), "fr": ("dark", DESK)}
"""In which language axe-core looks at every page, in which colours and at which width."""

Step = Callable[[Visitor], Awaitable[None]]


@dataclass
class Sights:
    """What there is to see: the pages of each person (None: nobody), and texts that are data, not ours."""

    pages: dict[str | None, list[str | Step]]
    data: set[str]


@pytest.fixture(scope="module")
async def sights(demo: Demo, browser: Browser) -> Sights:
    """The pages of every role over the demo, with documents of every kind and an emergency to review."""
    if not AXE.is_file():
        pytest.skip("axe-core is not installed: make install")
    person = await patient_of(demo)
    subject = {"reference": f"Patient/{person}"}
    async with demo.http(HOSPITAL) as http:
        for media_type, content in (
            ("application/pdf", pdf("Une page")),
            ("application/hl7-cda+xml", cda("<paragraph>Une phrase.</paragraph>", code=CONSULTATION)),
            ("image/png", png()),
            ("text/plain", f"Ein Absatz.\n\n{LONG}\n".encode()),
        ):
            reference = published(subject, content, title=LONG, type_=CONSULTATION, media_type=media_type)
            answer = await http.post("/fhir/DocumentReference", json=reference)
            assert answer.status_code == 201, answer.text
    documents = await documents_of(demo, person)
    kinds = {found["content"][0]["attachment"]["contentType"]: found["id"][32:] for found in documents}
    assert len(kinds) == 5
    async with visiting(browser, demo.base, "en") as tom:
        await tom.sign_in(OTHER)
        await declares_an_emergency(tom, demo.person("Camille Modèle"), "1988-09-03")
    own = ["/", "/record", "/record?view=type", "/record?q=xyzzy", "/record?withdrawn=yes", "/record/note", "/sharing"]
    own += ["/sharing/people?for=circle", "/sharing/people?for=circle&q=Dr", "/sharing/people?for=block&q=Hôpital"]
    own += ["/log", "/log?kind=refused", "/notices", "/takeout", "/nothing-here"]
    own += [wish("patient/*.cruds patient/Observation.rs?category=laboratory openid fhirUser offline_access"),
            wish("patient/Patient.rs", nothing="yes"), wish("", client_id="nobody"), lets_an_app, "/demo/app"]  # fmt: skip
    home = f"/patients/{person}"
    care = ["/", "/patients", "/patients?q=xyzzy", home, f"{home}?view=type", f"{home}/deposit", "/emergency"]
    care += [f"{home}/apps", wish("patient/*.rs"), wish("patient/*.rs", q="xyzzy"), "/apps"]
    care += [wish("patient/*.rs user/*.rs online_access", patient=person)]
    return Sights(
        {
            None: ["/signin", "/signin?q=Anna", "/signin?q=xyzzy", *released(demo)],
            PATIENT: [*own, makes_the_widest_code, *(f"/record/{key}" for key in kinds.values())],
            DOCTOR: [*care, mistypes_a_code, deposits_nothing, *(f"{home}/documents/{key}" for key in kinds.values())],
            OPERATOR: [
                "/",
                "/operator/reviews",
                "/operator/reviews?done=1",
                opens_a_review,
                "/operator/journal",
                "/operator/bulletin",
            ],
            HOSPITAL: ["/"],
        },
        data={found["content"][0]["attachment"]["title"] for found in documents},
    )


def released(demo: Demo) -> list[str]:
    """The public pages of the bulletin, after two people have released its oldest month (the quickest to count)."""
    now = datetime.now(UTC)
    place = now.year * 12 + now.month - 1 - 35
    month = f"{place // 12}-{place % 12 + 1:02}"
    for act, by in (("build", "anna"), ("preview", "ben")):
        shown = esante("bulletin", act, month, "--by", by, "--data", demo.data).stdout
    for line in shown.splitlines():
        if line.endswith("TO BE ACKNOWLEDGED"):
            code, subject = line[:14].strip(), line[15:59].strip()
            esante(
                "bulletin", "acknowledge", month, code, subject, "--by", "ben", "--note", "seen", "--data", demo.data
            )
    esante("bulletin", "release", month, "--by", "ben", "--data", demo.data)
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


async def patient_of(demo: Demo) -> str:
    """The patient's key."""
    identifier = "|".join(demo.person(PATIENT)["identifiers"][0].values())
    async with demo.http(PATIENT) as http:
        found = (await http.get("/fhir/Patient", params={"identifier": identifier})).json()
    return str(found["entry"][0]["resource"]["id"])


async def documents_of(demo: Demo, person: str) -> list[dict[str, Any]]:
    """The first 200 documents of a person."""
    async with demo.http(PATIENT) as http:
        page = (await http.get(f"/fhir/DocumentReference?patient={person}&status=current&_count=200")).json()
    return [entry["resource"] for entry in page["entry"]]


async def declares_an_emergency(doctor: Visitor, person: dict[str, Any], born: str) -> None:
    await doctor.goes_to("/emergency")
    await doctor.page.locator("[name=identifier]").fill(person["identifiers"][0]["value"])
    await doctor.page.locator("[name=birth_date]").fill(born)
    await doctor.page.locator("[name=reason]").fill("Schwerer Asthmaanfall, nicht ansprechbar")
    await doctor.page.locator("[name=confirmed]").check()
    await doctor.button("Open the record now").click()
    await doctor.page.locator(".banner.danger").wait_for()


def wish(scope: str, **changes: str) -> str:
    """Where an app sends the browser for these scopes."""
    wanted = {
        "response_type": "code",
        "client_id": SAMPLE_APP_ID,
        "redirect_uri": LOOPBACK_REDIRECT_URI,
        "scope": scope,
        "state": "x",
        "aud": "BASE/fhir",
        "code_challenge": "A" * 43,
        "code_challenge_method": "S256",
    }
    return f"/oauth/authorize?{urlencode(wanted | changes)}"


async def lets_an_app(she: Visitor) -> None:
    """The list of apps with one in it."""
    await she.goes_to("/demo/app")
    await she.button("Connect to esante").click()
    await she.button("Allow what is chosen").click()
    await she.page.locator("#scopes").wait_for()
    await she.goes_to("/apps")


async def makes_a_code(she: Visitor) -> None:
    await she.goes_to("/sharing")
    await she.button("Make a code").click()
    await she.page.locator(".code").wait_for()


async def makes_the_widest_code(she: Visitor) -> None:
    await makes_a_code(she)
    await she.page.locator(".code").evaluate("code => code.textContent = 'WWWW-WWWW'")


async def mistypes_a_code(doctor: Visitor) -> None:
    await doctor.goes_to("/patients")
    await doctor.page.locator("[name=code]").fill("nonsense")
    await doctor.button("Open the record").click()
    await doctor.page.locator(".error").wait_for()


async def deposits_nothing(doctor: Visitor) -> None:
    await doctor.goes_to("/patients")
    await doctor.link(PATIENT, translated=False).click()
    await doctor.link("Add a document").click()
    file = {"name": "empty.pdf", "mimeType": "application/pdf", "buffer": b"%PDF-1.7 broken"}
    await doctor.page.locator("[name=file]").set_input_files(file)  # type: ignore[arg-type]
    await doctor.button("Check and add").click()
    await doctor.page.locator(".callout.danger").wait_for()


async def opens_a_review(operator: Visitor) -> None:
    await operator.goes_to("/operator/reviews")
    await operator.page.locator("main li.entry a").first.click()
    await operator.page.wait_for_url("**/operator/reviews/*")


async def tour(visitor: Visitor, sights: Sights, look: Callable[[str], Awaitable[None]]) -> None:
    """Visit every page of every person and look at it."""
    for name, steps in sights.pages.items():
        if name is not None:
            await visitor.sign_in(name)
        for step in steps:
            if isinstance(step, str):
                await visitor.goes_to(step.replace("BASE", quote(visitor.base, safe="")))
            else:
                await step(visitor)
            await visitor.page.evaluate("document.querySelectorAll('main details').forEach(one => one.open = true)")
            await look(f"{name}: {step if isinstance(step, str) else step.__name__}")


async def test_every_page_speaks_four_languages_fits_phone_and_desk_and_is_free_of_barriers(
    demo: Demo, browser: Browser, sights: Sights
) -> None:
    found = await asyncio.gather(*(looked_at(demo, browser, sights, language) for language in LANGUAGES))
    assert [fault for faults in found for fault in faults] == []


NEXT_FRAME = "() => new Promise(next => requestAnimationFrame(() => requestAnimationFrame(next)))"
"""A page shown at a new size: until it is drawn, lengths in parts of the window may still be of the old size."""


async def looked_at(demo: Demo, browser: Browser, sights: Sights, language: str) -> list[str]:
    """Everything that is wrong with the pages in one language."""
    english = untranslated(language) - sights.data
    found: list[str] = []
    async with visiting(browser, demo.base, language) as visitor:

        async def look(place: str) -> None:
            found.extend(await faults_of(visitor, place, english))

        await in_its_colours(visitor)
        await tour(visitor, sights, look)
        found += said_by_browser(visitor)
    return [f"{language}: {fault}" for fault in found]


async def in_its_colours(visitor: Visitor) -> None:
    """Show pages as they are in the visitor's language, without movement."""
    scheme, _ = AXE_RUNS.get(visitor.language, ("light", PHONE))
    await visitor.page.emulate_media(color_scheme=scheme, reduced_motion="reduce")


async def faults_of(visitor: Visitor, place: str, english: set[str]) -> list[str]:
    """Everything that is wrong with the page that a visitor sees; `english` must not be seen on it."""
    found: list[str] = []
    language, (_, viewport) = visitor.language, AXE_RUNS.get(visitor.language, ("light", PHONE))
    if await visitor.page.locator("html").get_attribute("lang") != language:
        found.append(f"{place}: another language")
    found.extend(f"{place}: {text!r}" for text in english & set(await own_texts(visitor.page, language)))
    for size in (DESK, PHONE):
        await visitor.page.set_viewport_size(size)  # type: ignore[arg-type]
        await visitor.page.evaluate(NEXT_FRAME)
        if wide := await too_wide(visitor.page):
            found.append(f"{place} at {size['width']}: {wide}")
        if language in AXE_RUNS and size == viewport:
            found.extend(f"{place}: {barrier}" for barrier in await barriers(visitor.page))
    return found


def said_by_browser(visitor: Visitor) -> list[str]:
    """What the browser complained of, but for answers that a visitor provoked."""
    return [said for said in visitor.complaints if "the server responded with a status of 4" not in said]


async def barriers(page: Page) -> list[str]:
    """What axe-core finds (injected past the page's own policy, which stays in force)."""
    await page.evaluate(await asyncio.to_thread(AXE.read_text, "utf-8"))
    result = await page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    nodes = [(violation["id"], violation["nodes"][0]) for violation in result["violations"]]
    return [f"{name}: {node['html'][:200]} {node['failureSummary']}" for name, node in nodes]


def untranslated(language: str) -> set[str]:
    """English texts that must not be seen in another language, for it has words of its own."""
    file = Path(web.__file__).parent / "locale" / language / "LC_MESSAGES" / "messages.po"
    gettext = translator(language).gettext
    with file.open("rb") as stream:
        texts = {text for message in read_po(stream) for text in _forms(message.id)}
    return {text for text in texts if text and "%(" not in text and gettext(text) != text}


def _forms(text: str | tuple[str, ...] | list[str]) -> list[str]:
    return [text] if isinstance(text, str) else list(text)


async def own_texts(page: Page, language: str) -> list[str]:
    """The texts of a page, and those read out, but for what is marked to be in another language."""
    return await page.evaluate(
        """language => {
            const found = [];
            const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
            for (let node; node = walker.nextNode();) {
                const holder = node.parentElement;
                if (holder.closest('[lang]').lang === language) found.push(node.data.trim());
            }
            for (const one of document.querySelectorAll('[aria-label], [title], [placeholder], [alt]')) {
                for (const name of ['aria-label', 'title', 'placeholder', 'alt']) {
                    found.push(one.getAttribute(name) || '');
                }
            }
            return found;
        }""",
        language,
    )


async def too_wide(page: Page) -> str:
    """What sticks out to the right, so that the page would have to be scrolled sideways; empty when nothing does."""
    return await page.evaluate(
        """() => {
            const root = document.documentElement;
            if (root.scrollWidth <= root.clientWidth) return '';
            const out = [...document.querySelectorAll('main *, header *')].filter(
                one => one.getBoundingClientRect().right > root.clientWidth + 0.5);
            return `${root.scrollWidth} px: ` + out.slice(-3).map(one => one.outerHTML.slice(0, 120)).join(' | ');
        }"""
    )


async def test_a_person_takes_her_data_along(demo: Demo, browser: Browser, tmp_path: Path) -> None:
    found: list[str] = []
    for language in LANGUAGES:
        english = untranslated(language)
        async with visiting(browser, demo.base, language, viewport=PHONE) as she:
            await in_its_colours(she)
            await she.sign_in(ANOTHER)
            await she.goes_to("/record")
            await she.link("Take my data along").click()
            await she.button("Prepare my data").wait_for()
            found += await faults_of(she, "before", english)
            # The state between is held for a look.
            await she.page.route("**/takeout?shown=*", lambda route: route.fulfill(status=204))
            await she.button("Prepare my data").click()
            await she.page.locator("progress").wait_for()
            found += await faults_of(she, "between", english)
            await she.page.unroute("**/takeout?shown=*")
            ready = she.link("Download everything")
            await ready.wait_for()
            found += await faults_of(she, "ready", english)
            file = await saved(she, ready, tmp_path)
            with ZipFile(file) as archive:
                assert archive.testzip() is None
                names = archive.namelist()
            folder = she.says("documents")
            assert len([name for name in names if name.startswith(f"{folder}/")]) > 3, names
            assert f"{she.says('data')}/Observation.ndjson" in names
            await she.button("Delete here").click()
            await she.button("Prepare my data").wait_for()
            found += [f"{language}: {said}" for said in said_by_browser(she)]
    assert found == []


async def test_without_javascript_everything_works(demo: Demo, browser: Browser) -> None:
    context = await browser.new_context(locale="fr", java_script_enabled=False)
    visitor = Visitor(demo.base, await context.new_page(), "fr")
    await visitor.sign_in(ANOTHER)
    await makes_a_code(visitor)
    code = await visitor.page.locator(".code").inner_text()
    await visitor.page.locator("details.menu").last.locator("summary").click()
    await visitor.button("Sign out").click()
    await visitor.page.wait_for_url("**/signin")
    await visitor.sign_in(OTHER)
    await visitor.goes_to("/patients")
    await visitor.page.locator("[name=code]").fill(code)
    await visitor.button("Open the record").click()
    await visitor.page.locator(".banner").wait_for()
    assert ANOTHER in await visitor.text()
    await visitor.page.locator("details.menu").last.locator("summary").click()
    await visitor.button("Sign out").click()
    await visitor.page.wait_for_url("**/signin")
    await visitor.sign_in(ANOTHER)
    await visitor.goes_to("/takeout")
    await visitor.button("Prepare my data").click()
    ready = visitor.link("Download everything")
    while not await ready.count():
        await visitor.link("See how far it is").click()
    await visitor.button("Delete here").click()
    await visitor.button("Prepare my data").wait_for()
    await context.close()


async def test_the_language_is_chosen_in_the_page_and_kept(demo: Demo, browser: Browser) -> None:
    async with visiting(browser, demo.base, "fr") as visitor:
        await visitor.sign_in(PATIENT)
        await visitor.goes_to("/sharing")
        await visitor.page.locator("details.menu").first.locator("summary").click()
        await visitor.page.get_by_role("link", name="Lëtzebuergesch").click()
        await visitor.page.wait_for_url("**/sharing")
        assert await visitor.page.locator("html").get_attribute("lang") == "lb"
        assert translator("lb").gettext("Give your doctor a code") in await visitor.text()
        await visitor.goes_to("/log")
        assert await visitor.page.locator("html").get_attribute("lang") == "lb"
        assert visitor.complaints == []

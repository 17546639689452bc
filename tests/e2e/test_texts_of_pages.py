"""Every text that a person can see is in the catalogue: pages of each role in a pseudo-locale."""

from collections.abc import Iterator

import pytest
from playwright.async_api import Browser

from tests.e2e import test_deposit_story, test_imaging_story, test_proof_story, test_story
from tests.e2e.test_pages_of_operators import declare_emergency
from tests.support.demo_server import DemoServer
from tests.support.page_tour import (
    DOCTOR,
    HOSPITAL,
    OPERATOR,
    OTHER,
    PATIENT,
    Step,
    deposit_every_format,
    document_titles,
    fetch_documents,
    find_patient_id,
)
from tests.support.processes import SOURCE, Server
from tests.support.pseudo_locale import LANGUAGE, PACKAGE, data_words, unmarked_texts, write_package
from tests.support.visitors import Visitor, open_visitor

pytestmark = pytest.mark.browser

TYPED = frozenset(
    [
        *(test_story.REASON, test_story.TITLE, test_story.TEXT, test_deposit_story.REASON, test_proof_story.RECIPIENT),
        test_imaging_story.RECIPIENT,
        "Schwerer Asthmaanfall, nicht ansprechbar. Admise inconsciente aux urgences, antécédents et traitement inconnus",
        "Je ne connais pas le cabinet qui a consulté mon dossier hier soir. Der Text eines eingescannten Briefs",
        *("wird nicht vorgelesen", "The page of the bulletin is empty."),
    ]
)
"""What other tests type into the pages of the same demo."""

EVERYBODY: tuple[Step, ...] = (
    *("/help", "/help?q=xyzzy", "/contact", "/privacy", "/accessibility", "/report", "/report/answer"),
    "/nothing-here",
)


@pytest.fixture(scope="module")
def pseudo(demo: DemoServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[DemoServer]:
    """The demo, served by a second process in the pseudo-locale."""
    folder = tmp_path_factory.mktemp("pseudo")
    write_package(folder)
    paths = f"{SOURCE}:{folder}"
    with Server(demo.data, ESANTE_DEMO="1", ESANTE_SERVICES=PACKAGE, PYTHONPATH=paths) as server:
        yield DemoServer(server, demo.people)


async def require_marks(
    pseudo: DemoServer, browser: Browser, person: str | None, steps: tuple[Step, ...], titles: frozenset[str]
) -> None:
    """Fail with the texts without marks on the pages that a person visits."""
    data, found = data_words(pseudo, titles | TYPED), []
    async with open_visitor(browser, pseudo.base, LANGUAGE) as visitor:
        if person is not None:
            await visitor.sign_in(person)
        for step in steps:
            place = step if isinstance(step, str) else step.__name__
            if isinstance(step, str):
                await visitor.open(step)
            else:
                await step(visitor)
            found += [f"{person}: {place}: {text}" for text in await unmarked_texts(visitor.page, data)]
    assert not found, "\n".join(found)


async def test_pages_of_patient_have_no_text_outside_the_catalogue(
    demo: DemoServer, pseudo: DemoServer, browser: Browser
) -> None:
    person = await find_patient_id(demo)
    titles = await document_titles(demo, person)
    foreign = [
        f"/record/{document['id'][32:]}"
        for document in await fetch_documents(demo, person)
        if document["content"][0]["attachment"].get("language", "fr")[:2] != LANGUAGE
    ]
    steps = (
        *("/", "/record", "/record?view=type", "/record?q=xyzzy", "/record?withdrawn=yes", "/record/note", "/sharing"),
        *("/sharing/people?for=circle", "/sharing/people?for=block&q=Hôpital", "/sharing/subscriptions", "/apps"),
        *("/log", "/log?kind=refused", "/notices", "/takeout", *EVERYBODY, *foreign[:24:3]),
    )
    await require_marks(pseudo, browser, PATIENT, steps, titles)


async def test_pages_of_professional_have_no_text_outside_the_catalogue(
    demo: DemoServer, pseudo: DemoServer, browser: Browser
) -> None:
    person = await find_patient_id(demo)
    documents = await deposit_every_format(demo, person)
    home = f"/patients/{person}"
    steps = (
        *("/", "/patients", "/patients?order=name", "/patients?q=xyzzy", home, f"{home}?view=type", f"{home}/deposit"),
        *("/emergency", f"{home}/apps", "/apps", "/help", *(f"{home}/documents/{key}" for key in documents.values())),
    )
    titles = await document_titles(demo, person)
    await require_marks(pseudo, browser, DOCTOR, steps, titles)
    await require_marks(pseudo, browser, HOSPITAL, ("/",), titles)


async def test_pages_of_operator_have_no_text_outside_the_catalogue(
    demo: DemoServer, pseudo: DemoServer, browser: Browser
) -> None:
    async with open_visitor(browser, demo.base, "en") as doctor:
        await doctor.sign_in(OTHER)
        await declare_emergency(doctor, demo.person("Camille Modèle"), "1988-09-03")
    steps: tuple[Step, ...] = (
        *("/", "/operator/reviews", open_first("/operator/reviews"), "/operator/reviews?done=1"),
        *("/operator/reports", open_first("/operator/reports"), "/operator/reports?q=xyzzy", "/help"),
        *("/operator/journal", "/operator/subscriptions", "/operator/subscriptions?view=all", "/operator/bulletin"),
    )
    await require_marks(pseudo, browser, OPERATOR, steps, frozenset())


async def test_public_pages_have_no_text_outside_the_catalogue(pseudo: DemoServer, browser: Browser) -> None:
    bulletin = ("", "/query", "/calendar", "/changes", "/dictionary", "/objectives")
    steps = ("/signin", "/signin?q=xyzzy", *EVERYBODY, *(f"/bulletin{page}" for page in bulletin))
    await require_marks(pseudo, browser, None, steps, frozenset())


def open_first(path: str) -> Step:
    """Return the step that opens the first entry of a list."""

    async def open_entry(visitor: Visitor) -> None:
        await visitor.open(path)
        await visitor.page.locator("main li.entry a").first.click()
        await visitor.page.wait_for_url(f"**{path}/*")

    open_entry.__name__ = f"first of {path}"
    return open_entry

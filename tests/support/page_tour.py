"""A tour of pages in a real browser: every page of a person in two languages, on phone and desktop.

`make test-long` visits them in four (`ESANTE_TEST_LANGUAGES`).

A service brings a tour of its own pages in `tests/e2e/test_pages_of_<role>.py`: the files are shared out over the
workers.
"""

import asyncio
import os
from collections.abc import Awaitable, Callable, Sequence
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from playwright.async_api import Browser

from esante.demo.demo_clients import LOOPBACK_REDIRECT_URI, SAMPLE_APP_ID
from tests.support.demo_server import DemoServer
from tests.support.page_checks import AXE, browser_errors, emulate_color_scheme, find_page_faults, untranslated_texts
from tests.support.submissions import CONSULTATION, build_cda, build_document_reference, build_pdf, build_png
from tests.support.visitors import Visitor, open_visitor

PATIENT, DOCTOR, OTHER, HOSPITAL = "Anna Musterfra", "Dr Paul Exempel", "Dr Tom Notfall", "Hôpital Fictif du Kirchberg"
OPERATOR, ANOTHER = "Olivia Opérateur", "João Exemplo"
LONG = "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft" * 2
LANGUAGES = tuple(os.environ.get("ESANTE_TEST_LANGUAGES", "de fr").split())
"""The languages of the tours: by default the two in which axe-core checks the pages, one with the longest words."""

Step = str | Callable[[Visitor], Awaitable[None]]
"""An address, or an act that leads to a page."""


async def find_tour_faults(
    demo: DemoServer, browser: Browser, person: str | None, steps: Sequence[Step], data: frozenset[str] = frozenset()
) -> list[str]:
    """Return the faults of the pages that a person visits (None: not signed in), in each language.

    `data`: texts that are data and need no translation.
    """
    if not AXE.is_file():
        pytest.skip("axe-core is not installed: make install")
    found = await asyncio.gather(*(_tour(demo, browser, person, steps, data, language) for language in LANGUAGES))
    return [fault for faults in found for fault in faults]


async def _tour(
    demo: DemoServer,
    browser: Browser,
    person: str | None,
    steps: Sequence[Step],
    data: frozenset[str],
    language: str,
) -> list[str]:
    english = untranslated_texts(language) - data
    found: list[str] = []
    async with open_visitor(browser, demo.base, language) as visitor:
        await emulate_color_scheme(visitor)
        if person is not None:
            await visitor.sign_in(person)
        for step in steps:
            if isinstance(step, str):
                await visitor.open(step.replace("BASE", quote(visitor.base, safe="")))
            else:
                await step(visitor)
            await visitor.page.evaluate("document.querySelectorAll('main details').forEach(one => one.open = true)")
            place = step if isinstance(step, str) else step.__name__
            found += await find_page_faults(visitor, f"{person}: {place}", english)
        found += browser_errors(visitor)
    return [f"{language}: {fault}" for fault in found]


async def deposit_every_format(demo: DemoServer, person: str) -> dict[str, str]:
    """Deposit documents with long titles; return one document of the person for each media type, by its key."""
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
            assert answer.status_code in (200, 201), answer.text
    documents = await fetch_documents(demo, person)
    kinds = {found["content"][0]["attachment"]["contentType"]: found["id"][32:] for found in documents}
    assert len(kinds) == 5
    return kinds


async def document_titles(demo: DemoServer, person: str) -> frozenset[str]:
    """Return the titles of a person's documents."""
    documents = await fetch_documents(demo, person)
    return frozenset(found["content"][0]["attachment"]["title"] for found in documents)


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


async def issue_code(visitor: Visitor) -> None:
    await visitor.open("/sharing")
    await visitor.button("Create a code").click()
    await visitor.page.locator(".code").wait_for()

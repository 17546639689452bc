"""A document on paper and on a screen of little height."""

import io

import pypdfium2
import pytest
from playwright.async_api import Browser

from tests.support.demo_server import DemoServer
from tests.support.page_tour import PATIENT, fetch_documents, find_patient_id
from tests.support.visitors import Visitor, open_visitor

pytestmark = pytest.mark.browser
AT_400_PERCENT = {"width": 320, "height": 256}


async def open_document(demo: DemoServer, visitor: Visitor) -> None:
    """Sign in as a patient, and open a document of their record that has headings and paragraphs."""
    keys = [
        document["id"][32:]
        for document in await fetch_documents(demo, await find_patient_id(demo))
        if document["content"][0]["attachment"]["contentType"].startswith("application/fhir")
    ]
    await visitor.sign_in(PATIENT)
    await visitor.open(f"/record/{keys[0]}")
    await visitor.page.locator("article.reading").wait_for()


async def test_printed_document_starts_on_first_sheet_and_names_patient_on_each(
    demo: DemoServer, browser: Browser
) -> None:
    async with open_visitor(browser, demo.base, "en") as visitor:
        await open_document(demo, visitor)
        first_words = (await visitor.page.locator("article.reading h2, article.reading p").first.inner_text())[:20]
        # Long enough for several sheets, in whatever document comes first.
        await visitor.page.evaluate(
            "for (let i = 0; i < 200; i++) { const p = document.createElement('p'); p.textContent = 'Words';"
            " document.querySelector('article.reading').append(p); }"
        )
        printed = pypdfium2.PdfDocument(io.BytesIO(await visitor.page.pdf(format="A4")))
        sheets = [page.get_textpage().get_text_bounded() for page in printed]
        assert len(sheets) > 2
        assert first_words in sheets[0]
        assert "Words" in sheets[0]
        assert all(PATIENT in sheet for sheet in sheets)


async def test_bars_leave_screen_of_little_height_to_the_page(demo: DemoServer, browser: Browser) -> None:
    async with open_visitor(browser, demo.base, "en", viewport=AT_400_PERCENT) as visitor:
        await open_document(demo, visitor)
        for bar in (".top", ".places"):
            position = await visitor.page.locator(bar).evaluate("element => getComputedStyle(element).position")
            assert position == "static"
        assert await visitor.page.evaluate("document.documentElement.scrollWidth") == AT_400_PERCENT["width"]

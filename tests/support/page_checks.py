"""Checks of a page in a real browser: language, width, accessibility (axe-core), console errors."""

import asyncio
from pathlib import Path
from typing import Any

from babel.messages.pofile import read_po
from playwright.async_api import Page

from esante.core import web
from esante.core.web import translator
from tests.support.visitors import DESKTOP, PHONE, Visitor

AXE = Path(__file__).resolve().parents[2] / "node_modules" / "axe-core" / "axe.min.js"
AXE_RUNS: dict[str, tuple[Any, dict[str, int]]] = {"de": ("light", PHONE), "fr": ("dark", DESKTOP)}
"""The languages in which axe-core checks every page, with colour scheme and viewport."""
NEXT_FRAME = "() => new Promise(next => requestAnimationFrame(() => requestAnimationFrame(next)))"
"""Waits until a page is drawn at a new size: before, lengths relative to the viewport may have the old size."""


async def emulate_color_scheme(visitor: Visitor) -> None:
    """Emulate the colour scheme of the visitor's language, without animations."""
    scheme, _ = AXE_RUNS.get(visitor.language, ("light", PHONE))
    await visitor.page.emulate_media(color_scheme=scheme, reduced_motion="reduce")


async def find_page_faults(visitor: Visitor, place: str, english: set[str]) -> list[str]:
    """Return the faults of the visitor's page; texts of `english` must not occur on it."""
    found: list[str] = []
    language, (_, viewport) = visitor.language, AXE_RUNS.get(visitor.language, ("light", PHONE))
    if await visitor.page.locator("html").get_attribute("lang") != language:
        found.append(f"{place}: another language")
    found.extend(f"{place}: {text!r}" for text in english & set(await texts_in_language(visitor.page, language)))
    for size in (DESKTOP, PHONE):
        await visitor.page.set_viewport_size(size)  # type: ignore[arg-type]
        await visitor.page.evaluate(NEXT_FRAME)
        if wide := await overflowing_elements(visitor.page):
            found.append(f"{place} at {size['width']}: {wide}")
        if language in AXE_RUNS and size == viewport:
            found.extend(f"{place}: {violation}" for violation in await axe_violations(visitor.page))
    return found


def browser_errors(visitor: Visitor) -> list[str]:
    """Return the console errors, except for 4xx responses that the visitor provoked."""
    return [message for message in visitor.console_errors if "the server responded with a status of 4" not in message]


async def axe_violations(page: Page) -> list[str]:
    """Return what axe-core finds (evaluated past the page's CSP, which stays in force)."""
    await page.evaluate(await asyncio.to_thread(AXE.read_text, "utf-8"))
    result = await page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    nodes = [(violation["id"], violation["nodes"][0]) for violation in result["violations"]]
    return [f"{name}: {node['html'][:200]} {node['failureSummary']}" for name, node in nodes]


def untranslated_texts(language: str) -> set[str]:
    """Return the English texts that have a different translation in the language."""
    file = Path(web.__file__).parent / "locale" / language / "LC_MESSAGES" / "messages.po"
    gettext = translator(language).gettext
    with file.open("rb") as stream:
        texts = {text for message in read_po(stream) for text in _forms(message.id)}
    return {text for text in texts if text and "%(" not in text and gettext(text) != text}


def _forms(text: str | tuple[str, ...] | list[str]) -> list[str]:
    return [text] if isinstance(text, str) else list(text)


async def texts_in_language(page: Page, language: str) -> list[str]:
    """Return visible and accessible texts of a page, except those marked as another language."""
    return await page.evaluate(
        """language => {
            const found = [];
            const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
            for (let node; node = walker.nextNode();) {
                const holder = node.parentElement;
                if (holder.closest('[lang]').lang === language) found.push(node.data.trim());
            }
            for (const one of document.querySelectorAll('[aria-label], [title], [placeholder], [alt]')) {
                if (one.closest('[lang]').lang !== language) continue;
                for (const name of ['aria-label', 'title', 'placeholder', 'alt']) {
                    found.push(one.getAttribute(name) || '');
                }
            }
            return found;
        }""",
        language,
    )


async def overflowing_elements(page: Page) -> str:
    """Return the elements that overflow to the right; "" when the page needs no horizontal scrolling.

    Two frames are waited for: lengths in `vw` may be those of the width before until the next one is drawn.
    """
    return await page.evaluate(
        """async () => {
            for (let frame = 0; frame < 2; frame++) await new Promise(requestAnimationFrame);
            const root = document.documentElement;
            if (root.scrollWidth <= root.clientWidth) return '';
            const out = [...document.querySelectorAll('main *, header *')].filter(
                one => one.getBoundingClientRect().right > root.clientWidth + 0.5);
            return `${root.scrollWidth} px: ` + out.slice(-3).map(one => one.outerHTML.slice(0, 120)).join(' | ');
        }"""
    )

"""People in a real browser (Playwright): each with a context, a language and a page of their own."""

import asyncio
import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.async_api import Browser, Locator, Page, async_playwright

from esante.core.web import translator

PHONE, DESKTOP = {"width": 390, "height": 844}, {"width": 1280, "height": 900}
_EXECUTABLES = ("chromium", "chromium-browser", "google-chrome")
_OPTIONS = ["--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"]


@asynccontextmanager
async def chromium(*further: str) -> AsyncIterator[Browser]:
    """Start the machine's Chromium with `further` options; skip the test where there is none."""
    found = next((path for name in _EXECUTABLES if (path := shutil.which(name))), None)
    if found is None:
        pytest.skip("no Chromium here: as root, apt-get install chromium")
    options = [*_OPTIONS, *further, *(["--no-sandbox"] if os.geteuid() == 0 else [])]
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=found, args=options)
        yield browser
        await browser.close()


@dataclass
class Visitor:
    """A person in a browser, who reads `language`; `console_errors` are those since the start."""

    base: str
    page: Page
    language: str
    console_errors: list[str] = field(default_factory=list)

    def translate(self, text: str, **values: object) -> str:
        """Return a text of the portal in the visitor's language."""
        found = translator(self.language).gettext(text)
        return found % values if values else found

    async def open(self, path: str) -> None:
        """Open a path of the portal."""
        await self.page.goto(f"{self.base}{path}")

    async def sign_in(self, name: str) -> None:
        """Sign in as a person of the demo."""
        await self.open("/signin")
        await self.button(name, translated=False).click()
        await self.page.wait_for_url(f"{self.base}/")

    def button(self, text: str, *, translated: bool = True) -> Locator:
        """Return the button with this text."""
        return self.page.get_by_role("button", name=self.translate(text) if translated else text, exact=True)

    def link(self, text: str, *, translated: bool = True) -> Locator:
        """Return the first link with this text."""
        return self.page.get_by_role("link", name=self.translate(text) if translated else text).first

    async def text(self) -> str:
        """Return the text of the main element."""
        return await self.page.locator("main").inner_text()

    async def reload_until(self, path: str, locator: Locator) -> None:
        """Reload a page until it shows an element that appears asynchronously (30 s at most)."""
        await self.open(path)
        async with asyncio.timeout(30):
            while not await locator.count():
                await asyncio.sleep(0.3)
                await self.page.reload()

    async def open_details(self, text: str) -> None:
        """Open the details element with this summary."""
        await self.page.locator("summary").filter(has_text=self.translate(text)).first.click()


@asynccontextmanager
async def open_visitor(
    browser: Browser, base: str, language: str, *, viewport: dict[str, int] = DESKTOP, bypass_csp: bool = False
) -> AsyncIterator[Visitor]:
    """Open a browser context for a new visitor."""
    context = await browser.new_context(
        locale=language,
        viewport=viewport,  # type: ignore[arg-type]
        bypass_csp=bypass_csp,
        timezone_id="Europe/Luxembourg",
    )
    context.set_default_timeout(20_000)
    visitor = Visitor(base, await context.new_page(), language)
    visitor.page.on("console", lambda said: visitor.console_errors.append(said.text) if said.type == "error" else None)
    visitor.page.on("pageerror", lambda error: visitor.console_errors.append(str(error)))
    yield visitor
    await context.close()


async def download_file(visitor: Visitor, link: Locator, folder: Path) -> Path:
    """Click a link that downloads, and save the file under the name that the server suggests."""
    async with visitor.page.expect_download() as download:
        await link.click()
    file = await download.value
    path = folder / file.suggested_filename
    await file.save_as(path)
    return path

"""People at a browser: each with a context, a language and a page of her own."""

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

PHONE, DESK = {"width": 390, "height": 844}, {"width": 1280, "height": 900}
_NAMES = ("chromium", "chromium-browser", "google-chrome")
_OPTIONS = ["--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"]


@asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    """The machine's Chromium; skips where there is none."""
    found = next((path for name in _NAMES if (path := shutil.which(name))), None)
    if found is None:
        pytest.skip("no Chromium here: as root, apt-get install chromium")
    options = [*_OPTIONS, *(["--no-sandbox"] if os.geteuid() == 0 else [])]
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=found, args=options)
        yield browser
        await browser.close()


@dataclass
class Visitor:
    """Somebody at a browser, who reads `language`; `complaints` are the console's errors."""

    base: str
    page: Page
    language: str
    complaints: list[str] = field(default_factory=list)

    def says(self, text: str, **values: object) -> str:
        """A text of the portal in the visitor's language."""
        found = translator(self.language).gettext(text)
        return found % values if values else found

    async def goes_to(self, path: str) -> None:
        """Type an address."""
        await self.page.goto(f"{self.base}{path}")

    async def sign_in(self, name: str) -> None:
        """Choose a person of the demo."""
        await self.goes_to("/signin")
        await self.button(name, translated=False).click()
        await self.page.wait_for_url(f"{self.base}/")

    def button(self, text: str, *, translated: bool = True) -> Locator:
        """The button with this text."""
        return self.page.get_by_role("button", name=self.says(text) if translated else text, exact=True)

    def link(self, text: str, *, translated: bool = True) -> Locator:
        """The first link with this text."""
        return self.page.get_by_role("link", name=self.says(text) if translated else text).first

    async def text(self) -> str:
        """What stands in the main part of the page."""
        return await self.page.locator("main").inner_text()

    async def finds(self, path: str, locator: Locator) -> None:
        """Open a page again and again until something is there that comes by itself."""
        await self.goes_to(path)
        async with asyncio.timeout(30):
            while not await locator.count():
                await asyncio.sleep(0.3)
                await self.page.reload()

    async def unfold(self, text: str) -> None:
        """Open what is folded under this text."""
        await self.page.locator("summary").filter(has_text=self.says(text)).first.click()


@asynccontextmanager
async def visiting(
    browser: Browser, base: str, language: str, *, viewport: dict[str, int] = DESK, bypass_csp: bool = False
) -> AsyncIterator[Visitor]:
    """A new visitor with a browser of her own."""
    context = await browser.new_context(
        locale=language,
        viewport=viewport,  # type: ignore[arg-type]
        bypass_csp=bypass_csp,
        timezone_id="Europe/Luxembourg",
    )
    context.set_default_timeout(20_000)
    visitor = Visitor(base, await context.new_page(), language)
    visitor.page.on("console", lambda said: visitor.complaints.append(said.text) if said.type == "error" else None)
    visitor.page.on("pageerror", lambda error: visitor.complaints.append(str(error)))
    yield visitor
    await context.close()


async def saved(visitor: Visitor, link: Locator, folder: Path) -> Path:
    """Click a link that downloads, and keep the file under the name that it comes with."""
    async with visitor.page.expect_download() as download:
        await link.click()
    file = await download.value
    path = folder / file.suggested_filename
    await file.save_as(path)
    return path

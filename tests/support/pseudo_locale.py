"""A pseudo-locale: every text of the catalogue in one language wrapped in marks, served by a package beside the program.

What stands on a page without marks, and is no data, is not in the catalogue.
"""

import json
import re
from collections.abc import Iterable
from datetime import date, timedelta
from pathlib import Path

from babel import Locale, dates
from babel.messages import Catalog
from babel.messages.pofile import read_po, write_po
from playwright.async_api import Page

from esante.core import web
from esante.core.web import LANGUAGES, Agency
from esante.demo.data_tables import load_table
from esante.services.bulletin.publication.declared_indicators import declared_indicators
from tests.support.demo_server import DemoServer

LANGUAGE = "lb"
BEGIN, END = "\u27e6", "\u27e7"
PACKAGE = "pseudo_locale"
_WORD = re.compile(r"[^\W\d_]{2,}")


def write_package(folder: Path) -> None:
    """Write the package whose catalogue has the texts in marks."""
    package = folder / PACKAGE
    catalogue = package / "locale" / LANGUAGE / "LC_MESSAGES"
    catalogue.mkdir(parents=True)
    for name in ("templates", "migrations"):
        (package / name).mkdir()
    (package / "__init__.py").write_text("")
    (package / "declaration.py").write_text(
        f'from esante.contract import Service\n\nSERVICE = Service(package="{PACKAGE}")\n'
    )
    own = Path(web.__file__).parent / "locale" / LANGUAGE / "LC_MESSAGES" / "messages.po"
    with own.open("rb") as file:
        texts = read_po(file, locale=LANGUAGE)
    marked = Catalog(locale=LANGUAGE)
    for message in texts:
        if message.id:
            string = message.string
            wrapped = _wrap(string) if isinstance(string, str) else tuple(map(_wrap, string))
            marked.add(message.id, wrapped, context=message.context)
    with (catalogue / "messages.po").open("wb") as file:
        write_po(file, marked)


def _wrap(text: str) -> str:
    return f"{BEGIN}{text}{END}"


def data_words(demo: DemoServer, titles: Iterable[str]) -> frozenset[str]:
    """Return the words that are data: names, places, titles, and what Babel and the settings of the agency say."""
    texts = [*titles, *LANGUAGES.values(), *map(str.upper, LANGUAGES)]
    texts.append("esante PDF CSV JSON API DCAT-AP PNG FHIR CDA SIH Beispiel-App xyzzy")
    texts += [person["name"] for person in demo.people]
    texts += [
        json.dumps(load_table(name), ensure_ascii=False, default=str)
        for name in ("names", "organizations", "places", "phrases", "conditions", "titles")
    ]
    texts += [str(value) for value in (getattr(Agency(), name) for name in Agency.__dataclass_fields__)]
    locale = Locale(LANGUAGE)
    texts += [name for width in ("wide", "abbreviated") for name in locale.months["format"][width].values()]
    texts += locale.days["format"]["wide"].values()
    for unit in ("seconds", "minutes", "hours", "days", "weeks"):
        for number in (1, 2):
            span = timedelta(**{unit: number})
            for sign in (span, -span):
                texts += [dates.format_timedelta(sign, add_direction=way, locale=LANGUAGE) for way in (True, False)]
    for days in (30, 60, 365, 730):
        texts += [dates.format_timedelta(timedelta(days=days), locale=LANGUAGE)]
        texts += [dates.format_timedelta(-timedelta(days=days), add_direction=True, locale=LANGUAGE)]
    declared = declared_indicators()
    texts += [one.titles[LANGUAGE] for one in (*declared.indicator, *declared.breakdown)]
    texts += [one.definitions[LANGUAGE] for one in declared.indicator]
    texts.append(dates.format_date(date(2026, 1, 1), "long", locale=LANGUAGE))
    return frozenset(word.casefold() for text in texts for word in _WORD.findall(text))


async def unmarked_texts(page: Page, data: frozenset[str]) -> list[str]:
    """Return the texts of a page, the spoken attributes among them, that have words outside marks and of no data."""
    pieces: list[str] = await page.evaluate(_PIECES, LANGUAGE)
    found, depth = [], 0
    for piece in pieces:
        outside = []
        for character in piece:
            depth += (character == BEGIN) - (character == END)
            if depth == 0:
                outside.append(character)
        words = [word for word in _WORD.findall("".join(outside)) if word.casefold() not in data]
        if words:
            found.append(f"{' '.join(words)} in {piece.strip()[:80]!r}")
    return found


_PIECES = """language => {
    const skipped = 'script, style, template, code, pre, .mono, [translate=no], noscript';
    const shown = one => one.closest('[lang]').lang === language && !one.closest(skipped);
    const found = [];
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    for (let node; node = walker.nextNode();) {
        if (shown(node.parentElement)) found.push(node.data);
    }
    for (const one of document.querySelectorAll('[aria-label], [title], [placeholder], [alt], [data-label]')) {
        if (!shown(one)) continue;
        for (const name of ['aria-label', 'title', 'placeholder', 'alt', 'data-label']) {
            if (one.hasAttribute(name)) found.push(one.getAttribute(name));
        }
    }
    found.push(document.title);
    return found;
}"""

"""The XHTML of one section (FHIR R4, Narrative, 2.4.0)."""

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from html import escape

from esante.core.fhir.narrative.columns import CODES, Column, rows_with_members, table_columns
from esante.core.fhir.view import ReferenceLibrary, ResourceTable, TableRow, When, build_tables
from esante.core.types import Json
from esante.core.web import LANGUAGES, N_, show_date, translator

XHTML_DIV = '<div xmlns="http://www.w3.org/1999/xhtml">'
NOTHING = N_("There are no entries.")
_INDENT = "– "
_USUAL = ("active", "completed", "final", "confirmed")


def render_section(
    title: str, resources: Iterable[Json], library: ReferenceLibrary, language: str = "en", *, empty: str = ""
) -> str:
    """Return a `div` with the resources of a section as tables, one for each kind, headed by `title`.

    `library` resolves what the resources refer to; `language`: a code of `LANGUAGES` or a BCP 47 tag of one, others
    are English; `empty`: what is said where there are no resources, in that language.
    """
    words = _Words.of(language)
    tables = build_tables(resources, library)
    body = "".join(_table(table, words) for table in tables) or _element("p", empty or words.gettext(NOTHING))
    head = f"<p><b>{_text(title)}</b></p>" if title.strip() else ""
    return f"{XHTML_DIV}{head}{body}</div>"


def describe_resource(resource: Json, library: ReferenceLibrary, language: str = "en") -> list[tuple[str, str]]:
    """Return what a section says of a resource: heading and text of each cell, what it is about first.

    A state in which such a resource usually is goes without saying.
    """
    words = _Words.of(language)
    tables = build_tables([resource], library)
    if not tables:
        return []
    row = tables[0].rows[0]
    columns = [one for one in table_columns(tables[0].kind) if one[1](row) not in _USUAL]
    cells = [(words.gettext(column[0]), _cell(column, row, words)) for column in columns]
    return [(label, text) for label, text in cells if text]


@dataclass(frozen=True, slots=True)
class _Words:
    """The texts of a language, and how it writes dates."""

    language: str
    gettext: Callable[[str], str]

    @classmethod
    def of(cls, language: str) -> "_Words":
        code = language[:2].lower()
        known = code if code in LANGUAGES else "en"
        return cls(known, translator(known).gettext)

    def span(self, when: When) -> str:
        """Return a time or a time span; an end without a beginning, and the reverse, keep their dash."""
        start, end = self.moment(when.start), self.moment(when.end)
        return when.text or (f"{start} – {end}".strip() if end else start)

    def moment(self, moment: str) -> str:
        """Return a FHIR date or dateTime: a whole day by the language's custom, others as they are, with the time."""
        day, _, time = moment.partition("T")
        with suppress(ValueError):
            day = show_date(date.fromisoformat(day), self.language)
        return f"{day} {time[:5]}" if time else day


def _table(table: ResourceTable, words: _Words) -> str:
    rows = list(rows_with_members(table.rows))
    columns = [column for column in table_columns(table.kind) if any(column[1](row) for _, row in rows)]
    head = "".join(_element("th", words.gettext(label)) for label, _, _ in columns)
    body = "".join(f"<tr>{_cells(row, columns, depth, words)}</tr>" for depth, row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _cells(row: TableRow, columns: Sequence[Column], depth: int, words: _Words) -> str:
    cells = [_cell(column, row, words) for column in columns]
    cells[0] = _INDENT * depth + cells[0]
    return "".join(_element("td", cell) for cell in cells)


def _cell(column: Column, row: TableRow, words: _Words) -> str:
    _, text_of, is_code = column
    found = text_of(row)
    if isinstance(found, When):
        return words.span(found)
    return words.gettext(CODES[found]) if is_code and found in CODES else found


def _element(name: str, content: str) -> str:
    return f"<{name}>{_text(content)}</{name}>"


def _text(content: str) -> str:
    """Return escaped text without characters that XML cannot hold."""
    return escape("".join(char if char.isprintable() else " " for char in content), quote=False)

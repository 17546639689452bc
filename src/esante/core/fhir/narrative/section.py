"""The XHTML of one section (FHIR R4, Narrative, 2.4.0)."""

from collections.abc import Callable, Iterable, Sequence
from html import escape

from esante.core.fhir.narrative.columns import CODES, Column, rows_with_members, table_columns
from esante.core.fhir.view import ReferenceLibrary, ResourceTable, TableRow, build_tables
from esante.core.types import Json
from esante.core.web import LANGUAGES, N_, translator

XHTML_DIV = '<div xmlns="http://www.w3.org/1999/xhtml">'
Gettext = Callable[[str], str]
NOTHING = N_("There are no entries.")
_INDENT = "– "


def render_section(
    title: str, resources: Iterable[Json], library: ReferenceLibrary, language: str = "en", *, empty: str = ""
) -> str:
    """Return a `div` with the resources of a section as tables, one for each kind, headed by `title`.

    `library` resolves what the resources refer to; `language`: a code of `LANGUAGES` or a BCP 47 tag of one, others
    are English; `empty`: what is said where there are no resources, in that language.
    """
    gettext = _gettext(language)
    tables = build_tables(resources, library)
    body = "".join(_table(table, gettext) for table in tables) or _element("p", empty or gettext(NOTHING))
    head = f"<p><b>{_text(title)}</b></p>" if title.strip() else ""
    return f"{XHTML_DIV}{head}{body}</div>"


def _gettext(language: str) -> Gettext:
    code = language[:2].lower()
    return translator(code if code in LANGUAGES else "en").gettext


def _table(table: ResourceTable, gettext: Gettext) -> str:
    rows = list(rows_with_members(table.rows))
    columns = [column for column in table_columns(table.kind) if any(column[1](row) for _, row in rows)]
    head = "".join(_element("th", gettext(label)) for label, _, _ in columns)
    body = "".join(f"<tr>{_cells(row, columns, depth, gettext)}</tr>" for depth, row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _cells(row: TableRow, columns: Sequence[Column], depth: int, gettext: Gettext) -> str:
    cells = [_cell(column, row, gettext) for column in columns]
    cells[0] = _INDENT * depth + cells[0]
    return "".join(_element("td", cell) for cell in cells)


def _cell(column: Column, row: TableRow, gettext: Gettext) -> str:
    _, text_of, is_code = column
    text = text_of(row)
    return gettext(CODES[text]) if is_code and text in CODES else text


def _element(name: str, content: str) -> str:
    return f"<{name}>{_text(content)}</{name}>"


def _text(content: str) -> str:
    """Return escaped text without characters that XML cannot hold."""
    return escape("".join(char if char.isprintable() else " " for char in content), quote=False)

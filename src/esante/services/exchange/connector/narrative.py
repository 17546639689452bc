"""The narrative of a clinical document as PDF/A and PDF/UA, for the form that people read (L1)."""

from collections.abc import Iterator
from datetime import datetime
from importlib.resources import files
from typing import Any

import orjson

from esante.core.time_zone import day_of
from esante.core.types import Json
from esante.core.web import typeset_pdf
from esante.services.exchange.cda import V3, local_name

_TEXT, _TITLE = f"{{{V3}}}text", f"{{{V3}}}title"
MAX_COLUMNS = 20


def print_document(root: Any, patient: str, author: str, at: datetime) -> bytes:
    """Return the PDF of the narrative of a clinical document; the same document gives the same bytes.

    `patient`: who it is about, as a line of each page; `author`: where it comes from. Raises: as `typeset_pdf`.
    """
    day = day_of(at)
    language = root.find(f"{{{V3}}}languageCode")
    content: Json = {
        "title": _words(root.find(_TITLE)) or "Clinical document",
        "patient": patient,
        "author": author,
        "origin": f"{author} · {day.isoformat()}",
        "lang": ("" if language is None else language.get("code", ""))[:2].lower() or "en",
        "date": [day.year, day.month, day.day],
        "sections": [[title, blocks] for title, blocks in _sections(root)],
    }
    template = files("esante.services.exchange") / "data" / "printed_cda.typ"
    return typeset_pdf(template.read_bytes(), {"document": orjson.dumps(content).decode()}, at)


def _sections(root: Any) -> Iterator[tuple[str, list[Json]]]:
    for section in root.iter(f"{{{V3}}}section"):
        text = section.find(_TEXT)
        blocks = list(_blocks(text)) if text is not None else []
        if title := _words(section.find(_TITLE)):
            yield title, blocks


def _blocks(text: Any) -> Iterator[Json]:
    """Yield the paragraphs, lists and tables of a narrative in their order; loose words are paragraphs."""
    loose = text.text or ""
    for child in text:
        name = local_name(child)
        if name in _PARTS:
            yield from _paragraph(loose)
            loose = ""
            yield from _PARTS[name](child)
        elif name == "br":
            yield from _paragraph(loose)
            loose = ""
        else:
            loose += f" {_words(child)}"
        loose += child.tail or ""
    yield from _paragraph(loose)


def _paragraph(text: str) -> Iterator[Json]:
    if words := " ".join(text.split()):
        yield {"kind": "paragraph", "text": words}


def _one_paragraph(element: Any) -> Iterator[Json]:
    return _paragraph(_words(element))


def _list(element: Any) -> Iterator[Json]:
    items = [words for one in element.iter(f"{{{V3}}}item") if (words := _words(one))]
    if items:
        yield {"kind": "list", "items": items}


def _table(element: Any) -> Iterator[Json]:
    """Yield a table; one of too many columns, or without rows, as paragraphs."""
    rows = [[_words(cell) for cell in row] for row in element.iter(f"{{{V3}}}tr")]
    columns = max((len(row) for row in rows), default=0)
    if not 0 < columns <= MAX_COLUMNS or len(rows) < 2:
        for row in rows:
            yield from _paragraph(" · ".join(filter(None, row)))
        return
    even = [row + [""] * (columns - len(row)) for row in rows]
    cells = [cell for row in even[1:] for cell in row]
    yield {"kind": "table", "columns": columns, "head": even[0], "cells": cells}


_PARTS = {"list": _list, "table": _table, "paragraph": _one_paragraph}


def _words(element: Any) -> str:
    if element is None:
        return ""
    return " ".join(" ".join(str(one) for one in element.itertext()).split())

"""Rendering as plain text, as PDF and as an image."""

import io
import math
import random
import textwrap
import unicodedata
from collections.abc import Iterator

from PIL import Image, ImageDraw

from esante.demo.documents.table_rows import (
    author_text,
    format_day,
    patient_text,
    section_title,
    table_header,
    table_row,
)
from esante.demo.model import DocumentDraft, Section

_BACKGROUND, _GRID, _INK = (255, 250, 248), (246, 205, 205), (30, 30, 60)
_HEARTBEAT = ((0.16, 0.12, 0.025), (0.26, -0.12, 0.008), (0.29, 1.0, 0.009), (0.32, -0.22, 0.009), (0.52, 0.28, 0.045))
"""Waves of a heartbeat (P, Q, R, S, T): place in the beat, height in mV, width."""


def render_text(draft: DocumentDraft) -> bytes:
    """Return the draft as plain text, UTF-8."""
    lines = [draft.title, "", author_text(draft), format_day(draft.at.date(), draft.language), patient_text(draft)]
    for section in draft.sections:
        lines += [
            "",
            section_title(section, draft.language).upper(),
            *section.text,
            *_table_lines(section, draft.language),
        ]
    return ("\n".join(lines) + "\n").encode()


def render_pdf(draft: DocumentDraft) -> bytes:
    """Return the draft as a PDF of one or more pages, with text that can be extracted."""
    from fpdf import FPDF  # half a second to load

    page = FPDF(format="A4")
    page.set_creation_date(draft.at)
    page.set_producer("esante demo")
    page.set_title(_to_latin1(draft.title))
    page.set_lang(draft.language)
    page.add_page()
    height = 25.0
    for size, style, line in _lines(draft):
        if height > 275:
            page.add_page()
            height = 25.0
        page.set_font("Helvetica", style, size)
        page.text(22, height, line)
        height += size * 0.5
    return bytes(page.output())


def _lines(draft: DocumentDraft) -> Iterator[tuple[int, str, str]]:
    """Yield the lines of a PDF as size (points), style and text; an empty line before each heading."""
    yield from ((10, "", line) for line in _wrap(author_text(draft), 10))
    yield 10, "", format_day(draft.at.date(), draft.language)
    yield from ((16, "B", line) for line in ("", *_wrap(draft.title, 16)))
    yield from ((10, "", line) for line in _wrap(patient_text(draft), 10))
    for section in draft.sections:
        yield from ((12, "B", line) for line in ("", *_wrap(section_title(section, draft.language), 12)))
        for paragraph in (*section.text, *_table_lines(section, draft.language)):
            yield from ((10, "", line) for line in _wrap(paragraph, 10))


def _wrap(line: str, size: int) -> list[str]:
    """Wrap a line to the width of the page (166 mm), with 0.19 mm for each point and letter."""
    return textwrap.wrap(_to_latin1(line), int(166 / (0.19 * size)))


def render_electrocardiogram(draft: DocumentDraft, rng: random.Random) -> bytes:
    """Return an electrocardiogram as PNG: 4 seconds at 200 pixels a second."""
    image = Image.new("RGB", (800, 260), _BACKGROUND)
    pen = ImageDraw.Draw(image)
    for x in range(0, 800, 20):
        pen.line((x, 0, x, 260), _GRID)
    for y in range(0, 260, 20):
        pen.line((0, y, 800, y), _GRID)
    beat = 60 / rng.randint(58, 96)
    curve = [(x, 150 - 80 * _voltage((x / 200) % beat / beat)) for x in range(800)]
    pen.line(curve, _INK, 2)
    pen.text((12, 10), _to_ascii(f"{draft.title}  {draft.at:%Y-%m-%d %H:%M}  {round(60 / beat)}/min"), _INK)
    pen.text((12, 236), _to_ascii(patient_text(draft)), _INK)
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue()


def _voltage(phase: float) -> float:
    return sum(height * math.exp(-((phase - at) ** 2) / (2 * width**2)) for at, height, width in _HEARTBEAT)


def _table_lines(section: Section, language: str) -> list[str]:
    if not section.facts:
        return []
    return [
        " | ".join(cells)
        for cells in (table_header(section.facts, language), *(table_row(fact, language) for fact in section.facts))
    ]


def _to_latin1(line: str) -> str:
    """Convert a line to Latin-1, the character set of the standard PDF fonts: č becomes c, œ becomes oe."""
    for char, plain in (("œ", "oe"), ("Œ", "OE"), ("đ", "d"), ("Đ", "D"), ("’", "'"), ("–", "-")):
        line = line.replace(char, plain)
    return "".join(
        char if ord(char) < 256 else unicodedata.normalize("NFKD", char).encode("ascii", "replace")[:1].decode()
        for char in line
    )


def _to_ascii(line: str) -> str:
    """Remove the accents of a line: the font for images has only ASCII."""
    return unicodedata.normalize("NFKD", _to_latin1(line)).encode("ascii", "ignore").decode()

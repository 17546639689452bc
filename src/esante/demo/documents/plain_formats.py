"""Papers as plain text, as PDF and as a picture."""

import io
import math
import random
import textwrap
import unicodedata
from collections.abc import Iterator

from PIL import Image, ImageDraw

from esante.demo.documents.table_rows import about, day_text, header, row, title_of, writer
from esante.demo.model import Paper, Section

_PAPER, _GRID, _INK = (255, 250, 248), (246, 205, 205), (30, 30, 60)
_BEAT = ((0.16, 0.12, 0.025), (0.26, -0.12, 0.008), (0.29, 1.0, 0.009), (0.32, -0.22, 0.009), (0.52, 0.28, 0.045))
"""Waves of one heart beat (P, Q, R, S, T): place in the beat, height in mV, width."""


def text(paper: Paper) -> bytes:
    """The paper as lines of text, UTF-8."""
    lines = [paper.title, "", writer(paper), day_text(paper.at.date(), paper.language), about(paper)]
    for section in paper.sections:
        lines += ["", title_of(section, paper.language).upper(), *section.text, *_rows(section, paper.language)]
    return ("\n".join(lines) + "\n").encode()


def pdf(paper: Paper) -> bytes:
    """The paper as a PDF of one or more pages with real text."""
    from fpdf import FPDF  # half a second to load

    page = FPDF(format="A4")
    page.set_creation_date(paper.at)
    page.set_producer("esante demo")
    page.set_title(_latin(paper.title))
    page.set_lang(paper.language)
    page.add_page()
    height = 25.0
    for size, style, line in _lines(paper):
        if height > 275:
            page.add_page()
            height = 25.0
        page.set_font("Helvetica", style, size)
        page.text(22, height, line)
        height += size * 0.5
    return bytes(page.output())


def _lines(paper: Paper) -> Iterator[tuple[int, str, str]]:
    """The lines of a PDF with size (points) and style; an empty line stands before each heading."""
    yield from ((10, "", line) for line in _wrapped(writer(paper), 10))
    yield 10, "", day_text(paper.at.date(), paper.language)
    yield from ((16, "B", line) for line in ("", *_wrapped(paper.title, 16)))
    yield from ((10, "", line) for line in _wrapped(about(paper), 10))
    for section in paper.sections:
        yield from ((12, "B", line) for line in ("", *_wrapped(title_of(section, paper.language), 12)))
        for paragraph in (*section.text, *_rows(section, paper.language)):
            yield from ((10, "", line) for line in _wrapped(paragraph, 10))


def _wrapped(line: str, size: int) -> list[str]:
    """The line in pieces that fit on the page, whatever its letters: 166 mm, 0.19 mm a point and letter."""
    return textwrap.wrap(_latin(line), int(166 / (0.19 * size)))


def picture(paper: Paper, chance: random.Random) -> bytes:
    """A strip of an electrocardiogram as PNG: 4 seconds at 200 pixels a second."""
    image = Image.new("RGB", (800, 260), _PAPER)
    pen = ImageDraw.Draw(image)
    for x in range(0, 800, 20):
        pen.line((x, 0, x, 260), _GRID)
    for y in range(0, 260, 20):
        pen.line((0, y, 800, y), _GRID)
    beat = 60 / chance.randint(58, 96)
    curve = [(x, 150 - 80 * _voltage((x / 200) % beat / beat)) for x in range(800)]
    pen.line(curve, _INK, 2)
    pen.text((12, 10), _ascii(f"{paper.title}  {paper.at:%Y-%m-%d %H:%M}  {round(60 / beat)}/min"), _INK)
    pen.text((12, 236), _ascii(about(paper)), _INK)
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue()


def _voltage(phase: float) -> float:
    return sum(height * math.exp(-((phase - at) ** 2) / (2 * width**2)) for at, height, width in _BEAT)


def _rows(section: Section, language: str) -> list[str]:
    if not section.facts:
        return []
    return [
        " | ".join(cells)
        for cells in (header(section.facts, language), *(row(fact, language) for fact in section.facts))
    ]


def _latin(line: str) -> str:
    """The line in Latin-1, which the fonts that every PDF reader has can write: č becomes c, œ becomes oe."""
    for char, plain in (("œ", "oe"), ("Œ", "OE"), ("đ", "d"), ("Đ", "D"), ("’", "'"), ("–", "-")):
        line = line.replace(char, plain)
    return "".join(
        char if ord(char) < 256 else unicodedata.normalize("NFKD", char).encode("ascii", "replace")[:1].decode()
        for char in line
    )


def _ascii(line: str) -> str:
    """The line without accents: the font that draws on pictures has no other letters."""
    return unicodedata.normalize("NFKD", _latin(line)).encode("ascii", "ignore").decode()

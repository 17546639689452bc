"""The bulletin on paper: PDF/A-2a and PDF/UA-1 by Typst, from the template beside this file.

Typst refuses to make a PDF/UA with a picture that has no words or a heading out of order, so every language that
compiles has both. All words come from here; the template only lays them out.
"""

from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import orjson

from esante.core.web import N_
from esante.services.bulletin.model import Indicator, IndicatorKind, Protection, VintageStatus
from esante.services.bulletin.publication.anomaly_text import finding_told
from esante.services.bulletin.publication.chart_blocks import Figure, Grid, course, parts, summary
from esante.services.bulletin.publication.formatting import FLAGS, STATUSES, Words, words
from esante.services.bulletin.publication.key_messages import Message, messages_of
from esante.services.bulletin.publication.metadata import LICENCE
from esante.services.bulletin.publication.model import Paper
from esante.services.bulletin.publication.themes import Theme, themes

PLOTS, BREAKDOWNS = 2, 2
"""The most plots of months in a theme, and of breakdowns of one indicator; the web has all."""

_METHOD = (
    N_("The platform writes every act into one append-only, sealed journal. The figures are counted from it alone."),
    N_("Every figure has a month, a version and a status. A provisional figure may change when late events arrive."),
    N_("Only tables declared in advance are published. Counts of people are changed slightly, small numbers hidden."),
    N_("Each version of each month stays available as open data, with the reason of every correction."),
)


def pdf_of(paper: Paper, language: str) -> bytes:
    """The issue in a language. Raises RuntimeError when the layout is not accessible or a font is missing."""
    return typeset(content(paper, words(language)), paper)


def typeset(made: dict[str, Any], paper: Paper) -> bytes:
    """Typst's PDF of what the template expects; the same content gives the same bytes."""
    import typst

    template = files("esante.services.bulletin.publication") / "data" / "bulletin.typ"
    made_of = orjson.dumps(made).decode()
    return typst.compile(
        template.read_bytes(),
        font_paths=fonts(),
        pdf_standards=["a-2a", "ua-1"],
        sys_inputs={"issue": made_of},
        timestamp=int(paper.at.timestamp()),
    )


@cache
def fonts() -> Any:
    """The fonts that `make install` makes, and no others. Raises RuntimeError when they are missing."""
    import typst

    folder = Path(str(files("esante.core.web") / "static" / "vendor"))
    if not list(folder.glob("*.ttf")):
        raise RuntimeError("the fonts of the bulletin are missing; run: make install")
    return typst.Fonts(include_system_fonts=False, font_paths=[folder])


def content(paper: Paper, w: Words) -> dict[str, Any]:
    """Everything the template shows, in words of one language."""
    vintage = paper.issue.vintage
    month = w.month(paper.period)
    signs = [["*", FLAGS["suppressed"]], ["…", FLAGS["missing"]], ["–", N_("No change can be given")]]
    licence = N_("Creative Commons Attribution 4.0: use it freely and name the source.")
    version = N_("Version %(number)s, %(status)s")
    return {
        "lang": w.language,
        "date": [paper.at.year, paper.at.month, paper.at.day],
        "title": "Cahier eSanté",
        "month": month,
        "subtitle": w.text(N_("Figures on the national eHealth services")),
        "edition": w.text(version, number=vintage.number, status=status(vintage.status, w)),
        "released": w.text(N_("Published on %(day)s"), day=w.date(paper.at)),
        "invented": w.text(N_("Made from synthetic data: every figure here is invented.")) if paper.synthetic else "",
        "agency": "Agence eSanté",
        "labels": {key: w.text(text) for key, text in _LABELS.items()},
        "messages": [_said(message, paper, w) for message in messages_of(paper)],
        "overview": _grid(summary(paper, _leading(paper), w, w.text(N_("The month at a glance")))),
        "themes": [_section(paper, theme, w) for theme in themes(paper.indicators)],
        "corrections": _corrections(paper, w),
        "method": [w.text(text) for text in _METHOD],
        "signs": [[sign, w.text(text)] for sign, text in signs],
        "quality": [finding_told(finding, w) for finding in paper.issue.quality] or [w.text(_NOTHING)],
        "dictionary": _dictionary(paper, w),
        "licence": {"text": w.text(licence), "url": LICENCE},
        "home": f"{paper.base_url}/bulletin/{paper.period}",
    }


_LABELS = {
    "messages": N_("In short"),
    "glance": N_("The month at a glance"),
    "contents": N_("Contents"),
    "numbers": N_("The numbers behind it"),
    "quality": N_("Method and quality"),
    "method": N_("How the figures are made"),
    "signs": N_("Signs"),
    "sign": N_("Sign"),
    "meaning": N_("Meaning"),
    "checks": N_("Checks of this month's data"),
    "corrections": N_("Corrections of earlier months"),
    "none": N_("No figure of an earlier month was corrected."),
    "definitions": N_("What is counted"),
    "data": N_("All figures as open data:"),
    "page": N_("Page"),
}
_NOTHING = N_("Nothing unusual was found in the data of the month.")


def status(value: VintageStatus, w: Words) -> str:
    """The status of a vintage, as it stands within a line."""
    return w.text(STATUSES[value]).lower()


def _leading(paper: Paper) -> list[Indicator]:
    """The first indicators of each theme that have a value."""
    return [one for theme in themes(paper.indicators) for one in _known(paper, theme)[:2]]


def _known(paper: Paper, theme: Theme) -> list[Indicator]:
    return [one for one in theme.indicators if (cell := paper.cell(one.id)) and cell.value is not None]


def _said(message: Message, paper: Paper, w: Words) -> dict[str, str]:
    cell = message.cell
    return {"text": message.texts[w.language], "url": f"{paper.base_url}/bulletin/{cell.period}/{cell.indicator}"}


def _section(paper: Paper, theme: Theme, w: Words) -> dict[str, Any]:
    plots = [figure for one in theme.indicators if (figure := course(paper, one, w))]
    broken = [
        figure
        for one in theme.indicators
        for breakdown in one.breakdowns[:BREAKDOWNS]
        if (figure := parts(paper, one, breakdown, w))
    ]
    return {
        "title": w.text(theme.title),
        "lead": w.text(theme.lead),
        "summary": _grid(summary(paper, theme.indicators, w, w.text(theme.title))),
        "plots": [_figure(figure) for figure in plots[:PLOTS]],
        "parts": [_figure(figure) for figure in broken],
    }


def _figure(figure: Figure) -> dict[str, Any]:
    return {
        "title": figure.title,
        "svg": figure.svg,
        "told": figure.told,
        "note": figure.note,
        "numbers": _grid(figure.numbers),
    }


def _grid(grid: Grid) -> dict[str, Any]:
    return {"caption": grid.caption, "head": list(grid.head), "rows": [list(row) for row in grid.rows]}


def _corrections(paper: Paper, w: Words) -> dict[str, Any]:
    head = [w.text(text) for text in (N_("Figure"), N_("Month"), N_("Before"), N_("Now"), N_("Why"))]
    rows = []
    for change in paper.issue.changes:
        indicator = paper.indicator(change.after.indicator)
        before, after = (w.value(cell, indicator.unit) for cell in (change.before, change.after))
        name = w.title(indicator)
        if change.after.breakdown:
            name = w.within(name, w.name(change.after.value_of))
        rows.append([name, w.month(change.after.period), before, after, w.reason(change.reason)])
    return {"caption": w.text(_LABELS["corrections"]), "head": head, "rows": rows}


_PROTECTED = {
    Protection.NONE: N_("exact"),
    Protection.PERTURB: N_("changed slightly to protect people"),
    Protection.SUPPRESS: N_("exact, small numbers hidden"),
}


def _made(indicator: Indicator) -> str:
    if indicator.kind is IndicatorKind.SHARE:
        return N_("calculated from published figures")
    return _PROTECTED[indicator.protection]


def _dictionary(paper: Paper, w: Words) -> list[dict[str, str]]:
    return [
        {
            "title": w.title(one),
            "text": w.definition(one),
            "about": "; ".join((w.unit(one), w.text(_made(one)), one.id)),
        }
        for one in paper.indicators
    ]

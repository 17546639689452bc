"""The bulletin as PDF/A-2a and PDF/UA-1 by Typst, from the template data/bulletin.typ.

All texts are made here; the template only lays them out.
"""

from importlib.resources import files

import orjson

from esante.core.types import Json
from esante.core.web import N_, current_agency, typeset_pdf
from esante.services.bulletin.analysis.objectives import objectives_contract
from esante.services.bulletin.analysis.scorecard import EXAMPLES, ObjectiveView, objective_views
from esante.services.bulletin.model import Indicator, IndicatorKind, Protection, VintageStatus
from esante.services.bulletin.publication.anomaly_text import anomaly_sentence
from esante.services.bulletin.publication.chart_blocks import (
    REVISIONS,
    ChartBlock,
    DataTable,
    breakdown_chart,
    line_chart,
    revisions_table,
    summary_table,
)
from esante.services.bulletin.publication.formatter import FLAGS, STATUSES, Formatter, formatter
from esante.services.bulletin.publication.key_messages import KeyMessage, key_messages
from esante.services.bulletin.publication.metadata import LICENCE
from esante.services.bulletin.publication.model import IssueDocument
from esante.services.bulletin.publication.themes import Theme, themes_begun

PLOTS, BREAKDOWNS = 2, 2
"""The most line charts in a theme, and the most breakdowns of one indicator; the web has all."""

_METHOD = (
    N_(
        "The platform records every act in a sealed audit log. Entries can be added but not "
        "changed. The figures are calculated only from this log."
    ),
    N_("Every figure has a month, a version and a status. A provisional figure may change if events arrive late."),
    N_(
        "Only tables declared in advance are published. Counts of people are slightly "
        "changed and small numbers are hidden."
    ),
    N_("Every version of every month remains available as open data, with the reason for each revision."),
)


def typeset_issue(document: IssueDocument, language: str) -> bytes:
    """Return the issue in a language as PDF. Raises: as `typeset`."""
    return typeset(template_content(document, formatter(language)), document)


def typeset(content: Json, document: IssueDocument) -> bytes:
    """Return the PDF of the template's data. Raises: as `typeset_pdf`."""
    template = files("esante.services.bulletin.publication") / "data" / "bulletin.typ"
    return typeset_pdf(template.read_bytes(), {"issue": orjson.dumps(content).decode()}, document.dated_at)


def template_content(document: IssueDocument, fmt: Formatter) -> Json:
    """Return the template's data of an issue, with all texts in the language of `fmt`."""
    vintage = document.issue.vintage
    month = fmt.month(document.period)
    signs = [["*", FLAGS["suppressed"]], ["…", FLAGS["missing"]], ["–", N_("Change cannot be calculated")]]
    licence = N_("Creative Commons Attribution 4.0: you can reuse the data freely if you name the source.")
    version = N_("Version %(number)s, %(status)s")
    return {
        "lang": fmt.language,
        "date": [document.dated_at.year, document.dated_at.month, document.dated_at.day],
        "title": current_agency().bulletin_name.of(fmt.language),
        "month": month,
        "subtitle": fmt.text(N_("Statistics on national eHealth services")),
        "edition": fmt.text(version, number=vintage.number, status=status_text(vintage.status, fmt)),
        "released": fmt.text(N_("Published on %(day)s"), day=fmt.date(document.dated_at)),
        "invented": fmt.text(N_("Based on synthetic data: all figures are fictitious.")) if document.synthetic else "",
        "agency": current_agency().agency_name.of(fmt.language),
        "labels": {key: fmt.text(text) for key, text in _LABELS.items()},
        "messages": [_message(message, document, fmt) for message in key_messages(document)],
        "overview": _table(summary_table(document, _leading(document), fmt, fmt.text(N_("The month at a glance")))),
        "themes": [_section(document, theme, fmt) for theme in themes_begun(document.indicators, document.period)],
        "objectives": [_objective(view, fmt) for view in objective_views(document, fmt, live=False)],
        "corrections": _table(revisions_table(document, document.issue.revisions, fmt)),
        "method": [fmt.text(text) for text in _METHOD],
        "signs": [[sign, fmt.text(text)] for sign, text in signs],
        "quality": [anomaly_sentence(anomaly, fmt) for anomaly in document.issue.anomalies] or [fmt.text(_NOTHING)],
        "dictionary": _dictionary(document, fmt),
        "licence": {"text": fmt.text(licence), "url": LICENCE},
        "home": f"{document.base_url}/bulletin/{document.period}",
    }


_LABELS = {
    "messages": N_("Summary"),
    "glance": N_("The month at a glance"),
    "contents": N_("Contents"),
    "numbers": N_("Underlying figures"),
    "objectives": N_("Objectives"),
    "examples": EXAMPLES,
    "quality": N_("Methods and quality"),
    "method": N_("How the figures are produced"),
    "signs": N_("Symbols"),
    "sign": N_("Symbol"),
    "meaning": N_("Meaning"),
    "checks": N_("Data checks for this month"),
    "corrections": REVISIONS,
    "none": N_("No figure for an earlier month has been revised."),
    "definitions": N_("What we count"),
    "data": N_("All figures are available as open data:"),
    "page": N_("Page"),
}
_NOTHING = N_("The checks found nothing unusual in this month's data.")


def status_text(value: VintageStatus, fmt: Formatter) -> str:
    """Return the status of a vintage in lower case, for use within a line."""
    return fmt.text(STATUSES[value]).lower()


def _leading(document: IssueDocument) -> list[Indicator]:
    """Return the first two indicators of each theme that have a value."""
    return [
        one for theme in themes_begun(document.indicators, document.period) for one in _with_value(document, theme)[:2]
    ]


def _with_value(document: IssueDocument, theme: Theme) -> list[Indicator]:
    return [one for one in theme.indicators if (cell := document.cell(one.id)) and cell.value is not None]


def _message(message: KeyMessage, document: IssueDocument, fmt: Formatter) -> dict[str, str]:
    cell = message.cell
    return {"text": message.texts[fmt.language], "url": f"{document.base_url}/bulletin/{cell.period}/{cell.indicator}"}


def _section(document: IssueDocument, theme: Theme, fmt: Formatter) -> Json:
    plots = [chart for one in theme.indicators if (chart := line_chart(document, one, fmt))]
    breakdowns = [
        chart
        for one in theme.indicators
        for breakdown in one.breakdowns[:BREAKDOWNS]
        if (chart := breakdown_chart(document, one, breakdown, fmt))
    ]
    return {
        "title": fmt.text(theme.title),
        "lead": fmt.text(theme.lead),
        "summary": _table(summary_table(document, theme.indicators, fmt, fmt.text(theme.title))),
        "plots": [_chart(chart) for chart in plots[:PLOTS]],
        "parts": [_chart(chart) for chart in breakdowns],
    }


def _objective(view: ObjectiveView, fmt: Formatter) -> Json:
    """Return an objective: label, state, values, and its forecast with the test or the reason why there is none."""
    objective, start = view.progress.objective, objectives_contract().baseline
    facts = [
        (fmt.within(fmt.text(N_("Baseline")), fmt.month(start)), view.baseline),
        (fmt.within(fmt.text(N_("Target")), fmt.month(objective.date)), view.target),
        (fmt.text(N_("Current value")), view.now),
        *([(fmt.text(N_("Value at the target date")), view.final)] if view.final else []),
    ]
    return {
        "title": fmt.text(objective.label),
        "state": fmt.text(view.state[0]),
        "facts": {"head": [name for name, _ in facts], "rows": [[value for _, value in facts]]},
        "chart": _chart(view.chart) if view.chart else None,
        "texts": [text for text in (view.ahead, view.tested, view.reason) if text],
    }


def _chart(chart: ChartBlock) -> Json:
    return {
        "title": chart.title,
        "svg": chart.svg,
        "description": chart.description,
        "note": chart.note,
        "numbers": _table(chart.numbers),
    }


def _table(table: DataTable) -> Json:
    return {"caption": table.caption, "head": list(table.head), "rows": [list(row) for row in table.rows]}


_PROTECTED = {
    Protection.NONE: N_("exact"),
    Protection.PERTURB: N_("slightly changed to protect people"),
    Protection.SUPPRESS: N_("exact, with small numbers hidden"),
}


def _method_of(indicator: Indicator) -> str:
    if indicator.kind is IndicatorKind.SHARE:
        return N_("calculated from published figures")
    return _PROTECTED[indicator.protection]


def _dictionary(document: IssueDocument, fmt: Formatter) -> list[dict[str, str]]:
    return [
        {
            "title": fmt.title(one),
            "text": fmt.definition(one),
            "about": "; ".join((fmt.unit(one), fmt.text(_method_of(one)), one.id)),
        }
        for one in document.indicators
    ]

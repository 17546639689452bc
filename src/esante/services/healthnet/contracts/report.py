"""Reports on what was delivered, as CSV, JSON and PDF."""

import csv
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from importlib.resources import files
from io import StringIO
from typing import Any

import orjson

from esante.core.time_zone import day_of
from esante.core.web import N_, current_agency, show_datetime, show_money, show_span, translator, typeset_pdf
from esante.services.healthnet.contracts.model import Delivered

METHOD = N_(
    "A site is available while its agent is heard. Interruptions of less than three minutes, works that were announced"
    " in time, and times in which nothing was measured do not count."
)
_COLUMNS = (
    "site",
    "month",
    "service_class",
    "promised_percent",
    "available_percent",
    "kept",
    "measured_minutes",
    "expected_minutes",
    "planned_minutes",
    "down_minutes",
    "outages",
    "monthly_price_eur",
    "credit_eur",
    "month_is_over",
    "verified",
    "sample",
)


def as_row(one: Delivered) -> dict[str, Any]:
    """Return what was delivered as plain values by the names of the columns."""
    terms = one.contract
    values = (
        terms.site,
        f"{one.month:%Y-%m}",
        terms.service_class,
        str(terms.availability),
        None if one.availability is None else str(one.availability),
        one.is_kept,
        _minutes(one.measured),
        _minutes(one.expected),
        _minutes(one.planned),
        _minutes(one.down),
        len(one.outages),
        str(terms.monthly_price),
        str(one.credit),
        one.is_over,
        terms.is_verified,
        terms.is_sample,
    )
    return dict(zip(_COLUMNS, values, strict=True))


def to_csv(found: Iterable[Delivered]) -> str:
    """Return a report as CSV: a line for each contract."""
    text = StringIO()
    writer = csv.DictWriter(text, _COLUMNS, lineterminator="\r\n")
    writer.writeheader()
    for one in found:
        writer.writerow({name: _plain(value) for name, value in as_row(one).items()})
    return text.getvalue()


def to_json(found: Iterable[Delivered]) -> bytes:
    """Return a report as JSON, with the times of the outages."""
    rows = [
        as_row(one) | {"outages": [{"begin": span.begins_at, "end": span.ends_at} for span in one.outages]}
        for one in found
    ]
    return orjson.dumps({"method": METHOD, "contracts": rows}, option=orjson.OPT_INDENT_2)


def to_pdf(found: Sequence[Delivered], name: str, month: date, language: str, at: datetime) -> bytes:
    """Return the report on a site as PDF/A and PDF/UA in a language. Raises: as `typeset_pdf`."""
    gettext, day = translator(language).gettext, day_of(at)
    content = {
        "lang": language,
        "date": [day.year, day.month, day.day],
        "title": gettext(N_("What was delivered in %(month)s")) % {"month": f"{month:%m/%Y}"},
        "site": name,
        "agency": current_agency().agency_name.of(language),
        "page": gettext(N_("Page")),
        "mark": gettext(N_("Sample values: neither classes nor prices are those of the agency."))
        if any(one.contract.is_sample for one in found)
        else "",
        "outages": gettext(N_("Interruptions")),
        "method": gettext(METHOD),
        "parts": [
            {
                "title": gettext(one.contract.label),
                "rows": [[gettext(label), value] for label, value in lines(one, language)],
                "outages": [show_outage(span.begins_at, span.ends_at, language) for span in one.outages],
            }
            for one in found
        ],
    }
    template = files("esante.services.healthnet") / "data" / "sla.typ"
    return typeset_pdf(template.read_bytes(), {"report": orjson.dumps(content).decode()}, at)


def lines(one: Delivered, language: str) -> list[tuple[str, str]]:
    """Return what was delivered as lines: a msgid and a value in words."""
    terms = one.contract
    return [
        (N_("Promised availability"), percent(terms.availability, language)),
        (N_("Measured availability"), "–" if one.availability is None else percent(one.availability, language)),
        (N_("Measured time"), _of(one.measured, one.expected, language)),
        (N_("Planned works"), span_words(one.planned, language)),
        (N_("Interruptions in all"), span_words(one.down, language)),
        (N_("Monthly price"), show_money(terms.monthly_price, language)),
        (N_("Given back"), show_money(one.credit, language)),
    ]


def percent(value: Decimal, language: str) -> str:
    """Return a share in per cent with the decimals that say something."""
    text = f"{value.normalize():f}" if value % 1 else f"{value:.0f}"
    return f"{text if language == 'en' else text.replace('.', ',')}\u202f%"


def span_words(span: timedelta, language: str) -> str:
    """Return a length of time in words; "–" for none."""
    return show_span(span, language) if span else "–"


def show_outage(begin: datetime, end: datetime, language: str) -> str:
    """Return when a site was not there, and for how long."""
    return f"{show_datetime(begin, language)} – {show_datetime(end, language)} ({span_words(end - begin, language)})"


def _of(part: timedelta, whole: timedelta, language: str) -> str:
    share = Decimal(round(1000 * (part / whole)) if whole else 0) / 10
    return f"{percent(share, language)} ({span_words(part, language)})"


def _minutes(span: timedelta) -> int:
    return round(span.total_seconds() / 60)


def _plain(value: Any) -> Any:
    named: Mapping[Any, str] = {True: "true", False: "false", None: ""}
    return named[value] if value is None or isinstance(value, bool) else value

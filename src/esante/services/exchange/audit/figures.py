"""Figures of the exchange as CSV: transactions by service and pair of countries, without anything about a person."""

import csv
import io
from collections.abc import Iterable, Mapping
from datetime import date, datetime, time, timedelta
from typing import Any

from esante.core.time_zone import time_zone
from esante.services.exchange.audit.model import Side

COLUMNS = (
    *("month", "country_asking", "country_answering", "transaction", "document_class", "outcome"),
    *("messages", "median_ms", "p95_ms"),
)


def month_bounds(month: str) -> tuple[datetime, datetime]:
    """Return the first moment of a month (`2026-11`) and that of the next one. Raises: ValueError."""
    first = date.fromisoformat(f"{month}-01")
    following = (first + timedelta(days=31)).replace(day=1)
    begin, end = (datetime.combine(day, time(), time_zone()) for day in (first, following))
    return begin, end


def write_csv(rows: Iterable[Mapping[str, Any]], country: str) -> str:
    """Return the figures of `AuditTrail.figures` as CSV (RFC 4180); `country`: that of this contact point."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(COLUMNS)
    for row in rows:
        pair = (country, row["country"]) if row["side"] == Side.ASKED else (row["country"], country)
        figures = (row["messages"], row["median_ms"], row["p95_ms"])
        writer.writerow(
            [row["month"], *pair, row["transaction"], row["content"], row["outcome"] or "success", *figures]
        )
    return out.getvalue()

"""Counting rows, what of the counts is published, and the label that they come to (pure)."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any

from esante.core.disclosure import DisclosureRule
from esante.services.research.catalogue.model import (
    Criterion,
    Entry,
    Level,
    Measurement,
    PublishedTable,
    TableFigures,
)
from esante.services.research.catalogue.quality import QualityTerms
from esante.services.research.datasets.model import PERSON, Dataset, DatasetTable

_MONTH = re.compile(r"(19|20)\d\d-(0[1-9]|1[0-2])")
_ORDER = (Level.LOW, Level.MEDIUM, Level.HIGH)


def count(known: TableFigures, rows: Iterable[Mapping[str, Any]], month_column: str, this_month: str) -> TableFigures:
    """Return figures with more rows, of persons of whom none was counted before.

    Months that are no month, or in the future, are not counted.
    """
    filled, months = Counter(known.filled), Counter(known.months)
    persons, number = set(), 0
    for row in rows:
        number += 1
        persons.add(row[PERSON])
        filled.update(name for name, value in row.items() if name != PERSON and value is not None)
        month = row.get(month_column)
        if isinstance(month, str) and _MONTH.fullmatch(month) and month <= this_month:
            months[month] += 1
    return TableFigures(
        persons=known.persons + len(persons), rows=known.rows + number, filled=dict(filled), months=dict(months)
    )


def month_column(table: DatasetTable) -> str:
    """Return the column that places a row in time; "" where a table has none."""
    names = [one.name for one in table.columns if one.name.split("_")[-1] == "month"]
    return "month" if "month" in names else names[0] if names else ""


def rounded(number: int, rule: DisclosureRule) -> int | None:
    """Return a count rounded to a multiple of the rule's threshold; None below it, where one might be told apart."""
    if number < rule.threshold:
        return None
    return (number + rule.threshold // 2) // rule.threshold * rule.threshold


def published(table: DatasetTable, figures: TableFigures, rule: DisclosureRule) -> PublishedTable:
    """Return what may be shown of a table."""
    rows, persons = rounded(figures.rows, rule), rounded(figures.persons, rule)
    known = rows is not None and persons is not None
    years: Counter[int] = Counter()
    for month, number in figures.months.items():
        years[int(month[:4])] += number
    shown = {year: found for year, number in years.items() if (found := rounded(number, rule)) is not None}
    return PublishedTable(
        table=table,
        rows=rows if known else None,
        persons=persons if known else None,
        filled={
            one.name: _percent(figures.filled.get(one.name, 0), figures.rows) if known else None
            for one in table.columns
        },
        years=_without_gaps(shown) if known else (),
    )


def entry_of(
    dataset: Dataset, measurement: Measurement | None, rule: DisclosureRule, terms: QualityTerms, today: date
) -> Entry:
    """Return a dataset as the catalogue shows it."""
    if measurement is None:
        return Entry(dataset=dataset)
    figures = [measurement.figures.get(table.name, TableFigures()) for table in dataset.tables]
    tables = [published(table, one, rule) for table, one in zip(dataset.tables, figures, strict=True)]
    years = [year for one in tables for year, rows in one.years if rows]
    most = max(one.persons for one in figures)
    persons = rounded(most, rule)
    rows = None if persons is None else rounded(sum(one.rows for one in figures), rule)
    found = criteria(dataset, figures, measurement.persons, terms, today) if rows is not None else ()
    levels = [one.level for one in found if one.level is not None]
    return Entry(
        dataset=dataset,
        measured_at=measurement.ended_at,
        rows=rows,
        persons=persons,
        coverage=_percent(most, measurement.persons) if rows is not None else None,
        first_day=date(min(years), 1, 1) if years else None,
        last_day=min(today, date(max(years), 12, 31)) if years else None,
        tables=tables,
        criteria=found,
        level=min(levels, key=_ORDER.index, default=None),
    )


def criteria(
    dataset: Dataset, figures: Sequence[TableFigures], persons: int, terms: QualityTerms, today: date
) -> list[Criterion]:
    """Return the criteria of the label (Article 78) with their levels."""
    cells = sum(one.rows * len(table.columns) for table, one in zip(dataset.tables, figures, strict=True))
    filled = sum(sum(one.filled.values()) for one in figures)
    codes = sum(one.filled.get("code", 0) for one in figures)
    systems = sum(min(one.filled.get("system", 0), one.filled.get("code", 0)) for one in figures)
    months = max((month for one in figures for month in one.months), default="")
    age = (today.year - int(months[:4])) * 12 + today.month - int(months[5:]) if months else None
    return [
        _share("completeness", filled, cells, terms.completeness),
        _share("coverage", max(one.persons for one in figures), persons, terms.coverage),
        _share("coding", systems, codes, terms.coding),
        Criterion(
            "timeliness", age, None if age is None else _level(-age, *(-one for one in terms.timeliness_months))
        ),
    ]


def _share(name: str, part: int, whole: int, limits: tuple[float, float]) -> Criterion:
    """Return a criterion that is a share; it does not apply where there is nothing to share."""
    return Criterion(name, part / whole, _level(part / whole, *limits)) if whole else Criterion(name, None, None)


def _level(value: float, high: float, medium: float) -> Level:
    return Level.HIGH if value >= high else Level.MEDIUM if value >= medium else Level.LOW


def _percent(part: int, whole: int) -> int:
    """Return a share in whole per cent, to 5: exact shares of few would tell counts."""
    return round(20 * part / whole) * 5 if whole else 0


def _without_gaps(years: Mapping[int, int]) -> list[tuple[int, int]]:
    """Return counts by year, with 0 for the years between that have none."""
    return [(year, years.get(year, 0)) for year in range(min(years), max(years) + 1)] if years else []

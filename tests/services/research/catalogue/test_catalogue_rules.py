"""Counting rows, what of the counts may be shown, and the label."""

from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from esante.core.disclosure import rule_on
from esante.core.storage import uuid7
from esante.services.research import load_datasets, tables_by_name
from esante.services.research.catalogue.model import Level, Measurement, TableFigures
from esante.services.research.catalogue.quality import quality_on
from esante.services.research.catalogue.rules import count, criteria, entry_of, month_column, published, rounded

DAY = date(2026, 11, 30)
RULE, TERMS = rule_on(DAY), quality_on(DAY)
LABORATORY = next(one for one in load_datasets() if one.name == "laboratory")
TABLE = tables_by_name()["laboratory.result"]


def row(person, month="2026-03", code="718-7"):
    """Return a row as the views make them."""
    return {"person": person} | {one.name: None for one in TABLE.columns} | {"month": month, "code": code}


def measured(figures, persons=100):
    now = datetime(2026, 11, 30, tzinfo=UTC)
    return Measurement(
        measurement_id=uuid7(),
        started_at=now,
        ended_at=now,
        place=None,
        persons_done=persons,
        persons_total=persons,
        persons=persons,
        figures={"laboratory.result": figures},
    )


def test_rows_are_counted_over_steps_and_months_that_are_none_are_left_out():
    rows = [row("a"), row("a"), row("b", None), row("b", "2027-01"), row("c", "9999-99"), row("c", "1850-01")]
    first = count(TableFigures(), rows, "month", "2026-11")
    assert (first.persons, first.rows, first.months) == (3, 6, {"2026-03": 2})
    assert first.filled == {"code": 6, "month": 5}
    second = count(first, [row("d", "2026-11")], "month", "2026-11")
    assert (second.persons, second.rows, second.months) == (4, 7, {"2026-03": 2, "2026-11": 1})


def test_every_table_but_persons_has_a_month_or_none_by_name():
    assert month_column(TABLE) == "month"
    assert month_column(tables_by_name()["population.person"]) == ""
    assert month_column(tables_by_name()["diagnoses.condition"]) == "onset_month"


@given(st.integers(0, 10_000))
def test_count_is_hidden_below_the_threshold_and_else_near_the_truth(number):
    found = rounded(number, RULE)
    assert (found is None) == (number < RULE.threshold)
    assert found is None or (found % RULE.threshold == 0 and abs(found - number) <= RULE.threshold // 2 and found > 0)


@given(st.integers(0, 4), st.integers(0, 50))
def test_table_with_few_persons_shows_nothing_however_many_rows_it_has(persons, rows):
    shown = published(TABLE, TableFigures(persons=persons, rows=rows, months={"2026-03": rows}), RULE)
    assert shown.rows is None and shown.persons is None and shown.years == ()
    assert set(shown.filled.values()) == {None}


def test_years_with_few_rows_are_shown_as_none():
    figures = TableFigures(persons=50, rows=60, months={"2019-05": 3, "2020-01": 17, "2020-02": 5, "2022-08": 8})
    assert published(TABLE, figures, RULE).years == [(2020, 20), (2021, 0), (2022, 10)]


def test_dataset_of_few_persons_has_no_numbers_no_coverage_and_no_label():
    entry = entry_of(LABORATORY, measured(TableFigures(persons=4, rows=400)), RULE, TERMS, DAY)
    assert (entry.rows, entry.persons, entry.coverage, entry.level, list(entry.criteria)) == (None,) * 4 + ([],)
    assert entry_of(LABORATORY, None, RULE, TERMS, DAY).measured_at is None


@pytest.mark.parametrize(
    ("change", "name", "level"),
    [
        ({}, "completeness", Level.HIGH),
        ({"filled": {"code": 100}}, "completeness", Level.LOW),
        ({"persons": 5}, "coverage", Level.LOW),
        ({"filled": {one.name: 100 for one in TABLE.columns} | {"system": 80}}, "coding", Level.MEDIUM),
        ({"months": {"2026-08": 100}}, "timeliness", Level.HIGH),
        ({"months": {"2026-07": 100}}, "timeliness", Level.MEDIUM),
        ({"months": {"2025-10": 100}}, "timeliness", Level.LOW),
        ({"months": {}}, "timeliness", None),
    ],
)
def test_criterion_has_the_level_of_its_limits_and_the_label_the_lowest(change, name, level):
    whole = {
        "persons": 90,
        "rows": 100,
        "filled": {one.name: 100 for one in TABLE.columns},
        "months": {"2026-11": 100},
    }
    figures = TableFigures(**(whole | change))
    found = {one.name: one.level for one in criteria(LABORATORY, [figures], 100, TERMS, DAY)}
    assert found[name] is level
    entry = entry_of(LABORATORY, measured(figures), RULE, TERMS, DAY)
    order = [Level.LOW, Level.MEDIUM, Level.HIGH]
    assert entry.level is min((one for one in found.values() if one), key=order.index)

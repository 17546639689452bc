"""The intruder audit: exact intervals, and no disclosed cell in what is published."""

from itertools import product
from math import inf

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from esante.services.bulletin import Cell, CellFlag
from esante.services.bulletin.compilation.exact_counts import ExactCount
from esante.services.bulletin.disclosure.intruder_audit import IntruderAudit, LinearConstraint, _Component
from esante.services.bulletin.model import ProtectedCell
from tests.support.bulletin_journal import LAST, load_past, open_bulletin
from tests.support.disclosure import (
    MONTH,
    SPECIFICATION,
    audited,
    count_table,
    find_disclosed,
    protect_counts,
    unprotect,
    unprotect_vintages,
)


@settings(max_examples=15)
@given(st.lists(st.integers(0, 40), min_size=1, max_size=8).filter(lambda parts: any(0 < n < 5 for n in parts)))
def test_every_unprotected_sensitive_cell_is_disclosed(parts):
    cells = protect_counts(count_table(*parts))
    found = find_disclosed(audited(unprotect(cells)))
    sensitive = {(cell.series_key, exact) for cell, exact, required_width in cells if required_width}
    assert {(cell.key[2:], cell.low) for cell in found} == sensitive


@settings(max_examples=15)
@given(st.lists(st.integers(1, 9), min_size=2, max_size=4))
def test_interval_equals_exhaustive_search(parts):
    cells = protect_counts(count_table(*parts))
    audit = IntruderAudit([audited(cells)], SPECIFICATION.indicators, SPECIFICATION.relations)
    suppressed = [each for each in cells if each.cell.flag is CellFlag.SUPPRESSED and each.cell.breakdown]
    total = next(each.cell for each in cells if not each.cell.breakdown)
    if not suppressed or total.value is None:
        return
    left = total.value - sum(each.cell.value for each in cells if each.cell.breakdown and each.cell.value)
    solutions = [values for values in product(range(1, left + 1), repeat=len(suppressed)) if sum(values) == left]
    others = [each for each in cells if each not in suppressed]
    always_reported = [each._replace(required_width=10_000.0) for each in suppressed]
    wide_audit = IntruderAudit([audited([*others, *always_reported])], SPECIFICATION.indicators, ())
    found = {cell.key[4]: (cell.low, cell.high) for cell in wide_audit.find_disclosed_cells()}
    for number, each in enumerate(suppressed):
        values = [solution[number] for solution in solutions]
        assert found[each.cell.value_of] == (min(values), max(values))
    assert audit.find_disclosed_cells() == []


@given(st.data())
def test_interval_by_one_constraint_equals_linear_programme(data):
    known = data.draw(st.lists(st.tuples(st.integers(0, 30), st.sampled_from([1.0, -1.0])), min_size=2, max_size=5))
    keys = [(MONTH, 1, "grants_given", "grant", str(number)) for number in range(len(known))]
    limits = data.draw(st.lists(st.sampled_from([0, 3, inf]), min_size=len(known), max_size=len(known)))
    bounds = {
        key: (max(0.0, value - limit), value + limit)
        for key, (value, _), limit in zip(keys, known, limits, strict=True)
    }
    slack = data.draw(st.integers(0, 4))
    fixed = (MONTH, 1, "grants_given", "", "")
    bounds[fixed] = (total := -sum(value * factor for value, factor in known) - slack, total)
    terms = {key: factor for key, (_, factor) in zip(keys, known, strict=True)} | {fixed: 1.0}
    constraint = LinearConstraint(terms, at_most=data.draw(st.booleans()) if slack == 0 else True)
    direct, solved = (_Component(keys, [constraint] * times, bounds) for times in (1, 2))
    for key in keys:
        assert direct.feasibility_interval(key) == solved.feasibility_interval(key)


def test_table_suppressed_throughout_has_no_upper_bound():
    """HiGHS' presolve takes this programme for an infeasible one."""
    suppressed = [
        ProtectedCell(Cell("professionals_active", MONTH, *series, None, CellFlag.SUPPRESSED), exact, 3.0)
        for series, exact in ((("", ""), 3), (("profession", "doctor"), 2), (("profession", "midwife"), 1))
    ]
    assert find_disclosed(audited(suppressed)) == []


def deposits_with_deadline(in_time, late, **kinds):
    """Counts of documents with a deadline: totals by kind, and how many of each kind came in time and late."""

    def table(indicator, values):
        parts = [ExactCount("deposit_kind", kind, count, rows=count) for kind, count in values.items() if count]
        total = sum(values.values())
        return {indicator: [ExactCount("", "", total, rows=total), *parts]}

    return (
        table("documents_with_deadline", kinds) | table("documents_in_time", in_time) | table("documents_late", late)
    )


def _suppressed(cell):
    return Cell(cell.indicator, MONTH, cell.breakdown, cell.value_of, None, CellFlag.SUPPRESSED)


def published_exactly(cells, *hidden):
    """The same cells with exact values, but for the hidden series."""
    return [
        each._replace(cell=_suppressed(each.cell)) if each.cell.series_key in hidden else each
        for each in unprotect(cells)
    ]


def test_relation_of_totals_holds_within_categories():
    counts = deposits_with_deadline(
        {"laboratory_report": 90, "discharge_letter": 40},
        {"laboratory_report": 3, "discharge_letter": 20},
        laboratory_report=93,
        discharge_letter=60,
    )
    cells = protect_counts(counts)
    assert find_disclosed(audited(cells)) == []
    late = ("documents_late", "deposit_kind", "laboratory_report")
    (disclosed,) = find_disclosed(audited(published_exactly(cells, late, ("documents_late", "", ""))))
    assert (disclosed.key[2:], disclosed.low, disclosed.high) == (late, 3, 3)


def test_category_of_another_breakdown_bounds_a_cell():
    counts = deposits_with_deadline({"laboratory_report": 50}, {}, laboratory_report=50) | {
        "documents_deposited": [
            ExactCount("", "", 54, rows=54),
            ExactCount("category", "laboratory_report", 51, rows=51),
            ExactCount("category", "letter", 3, rows=3),
        ]
    }
    cells = protect_counts(counts)
    assert find_disclosed(audited(cells)) == []
    laboratory, letter = (("documents_deposited", "category", name) for name in ("laboratory_report", "letter"))
    (disclosed,) = find_disclosed(audited(published_exactly(cells, laboratory, letter)))
    assert (disclosed.key[2:], disclosed.low, disclosed.high) == (letter, 1, 4)


async def test_published_months_disclose_nothing_and_unprotected_ones_much(past):
    vintages = await past.fetch_audited_vintages()
    assert len(vintages) == 5
    assert find_disclosed(*vintages) == []
    sensitive = sum(1 for vintage in vintages for each in vintage.cells if each.required_width)
    assert len(find_disclosed(*unprotect_vintages(vintages))) == sensitive > 20


@pytest.mark.long
async def test_36_months_of_demo_disclose_nothing(fresh, tmp_path):
    await load_past(fresh, 36, seed=1, size=1.0)
    bulletin = open_bulletin(fresh, tmp_path)
    assert len((await bulletin.build(LAST, "anna")).new) == 36
    vintages = await bulletin.fetch_audited_vintages()
    assert find_disclosed(*vintages) == []
    assert len(find_disclosed(*unprotect_vintages(vintages))) > 200

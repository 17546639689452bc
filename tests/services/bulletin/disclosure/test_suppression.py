"""Disclosure control: noise, primary and secondary suppression."""

from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from esante.core.journal import Actor
from esante.services.bulletin import Cell, CellFlag
from esante.services.bulletin.compilation.exact_counts import ExactCount
from esante.services.bulletin.disclosure.suppression import protect
from esante.services.bulletin.model import ProtectedCell
from esante.services.record import DepositedEvent
from tests.support.bulletin_journal import (
    LAST,
    NOW,
    load_entries,
    open_bulletin,
)
from tests.support.disclosure import (
    KEY,
    MONTH,
    RULE,
    SPECIFICATION,
    audited,
    count_table,
    find_disclosed,
    protect_counts,
    unprotect,
)


@settings(max_examples=15)
@given(st.lists(st.integers(0, 40), min_size=1, max_size=8))
def test_protected_table_discloses_no_cell(parts):
    cells = protect_counts(count_table(*parts))
    assert find_disclosed(audited(cells)) == []
    for cell, exact, _ in cells:
        assert cell.value is None or cell.value == exact
        assert not (cell.value is not None and 0 < cell.value < RULE.threshold)


def test_primary_suppression_alone_is_disclosed_by_total():
    cells = unprotect(protect_counts(count_table(3, 20, 30)))
    primary = [
        each._replace(cell=Cell("grants_given", MONTH, "grant", "kind 0", None, CellFlag.SUPPRESSED))
        if each.cell.value_of == "kind 0"
        else each
        for each in cells
    ]
    (disclosed,) = find_disclosed(audited(primary))
    assert (disclosed.low, disclosed.high) == (3, 3)
    shown = {cell.value_of: cell.value for cell, _, _ in protect_counts(count_table(3, 20, 30))}
    assert shown == {"": 53, "kind 0": None, "kind 1": None, "kind 2": 30}


def test_cell_suppressed_once_stays_suppressed():
    first = protect_counts(count_table(3, 20, 30))
    earlier = [audited(first)]
    late = count_table(6, 20, 30)
    naive = protect_counts(late)
    assert all(cell.value is not None for cell, _, _ in naive)
    (found, *_) = find_disclosed(*earlier, audited(naive, 2))
    assert found.key[:2] == ("2026-10", 1)
    suppressed = {cell.series_key for cell, _, _ in first if cell.flag is CellFlag.SUPPRESSED}
    second = protect_counts(late, suppressed=suppressed, earlier=earlier, number=2)
    assert find_disclosed(*earlier, audited(second, 2)) == []


def test_dominated_cell_is_suppressed():
    def cells(largest: int, contributors: int) -> list[ProtectedCell]:
        part = ExactCount("origin", "hospital", 500, 0, largest, contributors, 500)
        rest = [ExactCount("origin", name, 400, 0, 100, 9, 400) for name in ("laboratory", "doctor")]
        return protect_counts({"documents_deposited": [ExactCount("", "", 1_300, 0, largest, 20, 1_300), part, *rest]})

    assert all(cell.value is not None for cell, _, _ in cells(300, 4))
    for largest, contributors in ((460, 4), (260, 2)):
        shown = {cell.value_of: cell.value for cell, _, _ in cells(largest, contributors)}
        assert shown["hospital"] is None
        assert list(shown.values()).count(None) == 2


def test_other_breakdown_does_not_disclose_suppressed_total():
    origins = [ExactCount("origin", name, n, 0, 1, 9, n) for name, n in (("doctor", 2), ("laboratory", 4))]
    formats = [ExactCount("format", "text/plain", 6, 0, 1, 9, 6)]
    cells = protect_counts({"documents_deposited": [ExactCount("", "", 6, 0, 1, 9, 6), *origins, *formats]})
    assert find_disclosed(audited(cells)) == []
    assert {cell.value for cell, _, _ in cells} == {None}


def test_same_people_have_same_count_in_every_table():
    counts = {
        "professionals_active": [
            ExactCount("", "", 40, 123, rows=40),
            ExactCount("profession", "doctor", 40, 123, rows=40),
        ],
        "organizations_active": [ExactCount("", "", 40, 123, rows=40)],
    }
    values = {cell.value for cell, _, _ in protect_counts(counts)}
    assert len(values) == 1


def test_share_by_breakdown_is_of_the_published_cells_alone():
    def table(indicator, **parts):
        total = sum(parts.values())
        cells = [ExactCount("deposit_kind", kind, count, rows=count) for kind, count in parts.items()]
        return {indicator: [ExactCount("", "", total, rows=total), *cells]}

    counts = (
        table(
            "documents_with_deadline",
            laboratory_report=200,
            discharge_letter=40,
            imaging_report=30,
            clinical_summary=3,
        )
        | table("documents_in_time", laboratory_report=190, imaging_report=30, clinical_summary=3)
        | table("documents_late", laboratory_report=10, discharge_letter=40)
    )
    shares = {
        cell.value_of: (cell.value, cell.flag)
        for cell, _, _ in protect(MONTH, counts, SPECIFICATION, KEY)
        if cell.indicator == "documents_in_time_share"
    }
    assert shares[""] == (81.68, CellFlag.PLAIN)
    assert shares["laboratory_report"] == (95, CellFlag.PLAIN)
    assert shares["discharge_letter"] == (0, CellFlag.PLAIN)
    assert shares["clinical_summary"] == (None, CellFlag.SUPPRESSED)


async def test_sole_practitioner_counts_as_establishment(fresh, tmp_path):
    await fresh.ensure_months(NOW - timedelta(days=65), NOW + timedelta(days=40))
    year, month = map(int, LAST.split("-"))
    event = DepositedEvent(type="51852-2", media_type="text/plain", categories=("letter",), delay=1)
    deposits = [
        (
            event,
            None,
            Actor(kind="practitioner", role=role, id=f"{role}{n % people}"),
            NOW.replace(year, month, 9, n % 24),
        )
        for role, people in (("doctor", 9), ("midwife", 1))
        for n in range(300)
    ]
    await load_entries(fresh, deposits)
    built = await open_bulletin(fresh, tmp_path).build(LAST, "anna")
    cells = {cell.series_key: cell.flag for cell in built.vintage.cells}
    assert cells["documents_deposited", "origin", "midwife"] is CellFlag.SUPPRESSED
    assert cells["documents_deposited", "", ""] is CellFlag.PLAIN

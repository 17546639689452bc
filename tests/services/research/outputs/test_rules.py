"""The check of tables that leave the environment, and the suppression of what it would refuse."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from esante.core.disclosure import rule_on
from esante.services.research.outputs.model import FINDING_KINDS, OutputFinding, OutputVerdict, ResultTable
from esante.services.research.outputs.rules import (
    MAX_CELLS,
    check_table,
    format_table,
    parse_table,
    protect_table,
    verdict_of,
)

RULE = rule_on(date(2026, 1, 1))
NOBODY: frozenset[str] = frozenset()


def table(*rows: str, header: str = "sex,persons") -> ResultTable:
    found = parse_table("\n".join([header, *rows]))
    assert found is not None
    return found


def kinds(found: ResultTable | None, pseudonyms=NOBODY) -> list[tuple[str, int, str]]:
    return [(one.kind, one.row, one.column) for one in check_table(found, RULE, pseudonyms)]


def test_table_of_large_groups_is_clean():
    assert kinds(table("female,50", "male,5")) == []
    assert verdict_of([]) is OutputVerdict.CLEAN


def test_small_cell_is_found_with_its_row():
    assert kinds(table("female,50", "male,4", "other,0")) == [("small-cell", 2, "persons")]


def test_value_beside_a_suppressed_count_is_a_small_cell():
    assert ("small-cell", 1, "persons") in kinds(table("female,,7.5", header="sex,persons,avg_value"))


def test_values_of_nobody_are_a_small_cell():
    assert ("small-cell", 1, "persons") in kinds(table("female,0,7.5", header="sex,persons,avg_value"))


@pytest.mark.parametrize("count", ["-3", "2.5", "many", "1e3"])
def test_count_that_is_no_number_of_persons_is_found(count):
    assert {kind for kind, *_ in kinds(table(f"female,{count}"))} & {"not-counted", "small-cell"}


def test_table_without_persons_is_refused():
    assert kinds(table("female,50", header="sex,number_of_results")) == [("no-persons", 0, "")]


def test_rows_of_persons_are_found():
    name = "PABCDEFGHIJKLMNOPQRSTUVWX"
    assert ("person", 1, "sex") in kinds(table(f"{name},50"), frozenset({name}))


def test_long_text_is_found():
    assert kinds(table("x" * 121 + ",50")) == [("text", 1, "sex")]


def test_table_that_is_too_large_is_refused():
    rows = [f"c{number},50" for number in range(MAX_CELLS // 2 + 1)]
    assert kinds(table(*rows)) == [("too-large", 0, "")]


@pytest.mark.parametrize("text", ["", "a,a\n1,2\n", "a,b\n1\n", 'a,b\n"1,2\n', "a,\n1,2\n", "a,b\n\ufffd,2\n"])
def test_text_that_is_no_table_is_refused(text):
    assert parse_table(text) is None
    assert kinds(None) == [("no-table", 0, "")]


def test_values_need_a_second_look():
    found = check_table(table("female,50,13.5", header="sex,persons,max_value"), RULE, NOBODY)
    assert found == [OutputFinding("value", 0, "max_value")]
    assert verdict_of(found) is OutputVerdict.UNSURE


def test_year_and_code_are_no_values():
    assert kinds(table("1970,718-7,50", header="birth_decade,code,persons")) == []


def test_suppressed_row_that_follows_from_the_total_is_found():
    assert kinds(table("female,50", "male,", ",53")) == [("by-subtraction", 2, "persons")]


def test_suppressed_rows_that_count_few_persons_together_are_found():
    assert kinds(table("a,50", "b,", "c,", ",53")) == [("by-subtraction", 2, "persons")]


def test_suppressed_total_that_follows_from_its_parts_is_found():
    assert kinds(table("female,50", "male,60", ",")) == [("by-subtraction", 3, "persons")]


def test_two_suppressed_rows_of_enough_persons_are_clean():
    assert kinds(table("a,50", "b,", "c,", ",63")) == []


def test_protection_suppresses_the_small_row_and_the_next_smallest():
    protected = protect_table(table("a,50,1.5", "b,3,9.9", "c,10,2.5", ",63,2.0", header="sex,persons,mean"), RULE)
    assert protected.rows == [["a", "50", "1.5"], ["b", "", ""], ["c", "", ""], ["", "63", "2.0"]]


def test_protection_without_a_total_suppresses_the_small_row_only():
    assert protect_table(table("a,50", "b,3"), RULE).rows == [["a", "50"], ["b", ""]]


CELL = st.integers(0, 12)


@given(
    st.lists(st.lists(CELL, min_size=2, max_size=4), min_size=1, max_size=4).filter(
        lambda rows: len({*map(len, rows)}) == 1
    )
)
def test_protected_table_of_two_breakdowns_passes_the_check(counts):
    lines = [f"r{i},c{j},{n}" for i, row in enumerate(counts) for j, n in enumerate(row)]
    lines += [f"r{i},,{sum(row)}" for i, row in enumerate(counts)]
    lines += [f",c{j},{sum(column)}" for j, column in enumerate(zip(*counts, strict=True))]
    lines.append(f",,{sum(map(sum, counts))}")
    protected = protect_table(table(*lines, header="row,column,persons"), RULE)
    refusing = [
        one for one in check_table(protected, RULE, NOBODY) if FINDING_KINDS[one.kind].verdict is OutputVerdict.REFUSED
    ]
    assert refusing == []


@given(st.lists(CELL, min_size=1, max_size=5))
def test_no_small_count_can_be_calculated_from_a_protected_list(counts):
    """The oracle: all ways to fill the suppressed cells with counts that fit the total."""
    rows = [f"c{number},{count}" for number, count in enumerate(counts)]
    protected = protect_table(table(*rows, f",{sum(counts)}"), RULE).rows
    total, parts = protected[-1][1], [row[1] for row in protected[:-1]]
    small = {number for number, count in enumerate(counts) if 0 < count < RULE.threshold}
    assert not small & {number for number, cell in enumerate(parts) if cell}
    if not total:
        return
    left = int(total) - sum(int(cell) for cell in parts if cell)
    hidden = [number for number, cell in enumerate(parts) if not cell]
    for number in small:
        assert len(hidden) > 1 and left >= RULE.threshold, (counts, protected)
        assert number in hidden


@given(
    st.lists(
        st.lists(
            st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\r\n\0\ufffd")),
            min_size=2,
            max_size=2,
        ),
        max_size=5,
    )
)
def test_table_survives_its_format(rows):
    given_table = ResultTable(["a", "b"], [row for row in rows if any(row)])
    parsed = parse_table(format_table(given_table))
    assert parsed is not None and [list(row) for row in parsed.rows] == [list(row) for row in given_table.rows]


@given(st.text())
def test_any_text_is_checked_without_failing(text):
    check_table(parse_table(text), RULE, NOBODY)
    parsed = parse_table(text)
    if parsed is not None:
        protect_table(parsed, RULE)

"""A nomenclature as CSV: what is loaded, and every row that is refused with its reason."""

import csv
import io
import json

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from esante.services.billing.nomenclature import report_of
from esante.services.billing.nomenclature.cli import nomenclature as command
from esante.services.billing.nomenclature.data_files import data_text
from esante.services.billing.nomenclature.terms import PACKAGE

GOOD = {
    "code": "X1",
    "valid_from": "2023-01-01",
    "valid_to": "",
    "label_fr": "Acte",
    "chapter": "technical",
    "key": "physicians",
    "coefficient": "10.00",
    "legal_source": "Test",
    "verified": "false",
}


def table(*rows):
    columns = list(dict.fromkeys(name for row in ({}, *rows) for name in (GOOD | row)))
    file = io.StringIO()
    writer = csv.DictWriter(file, columns, restval="")
    writer.writeheader()
    writer.writerows(GOOD | row for row in rows)
    return file.getvalue()


def reasons(*rows):
    return [(one.row, one.reason) for one in report_of(table(*rows)).refusals]


def test_packaged_sample_is_loaded_whole():
    report = report_of(data_text(PACKAGE, "acts.csv"))
    assert report.refusals == ()
    assert len(report.acts["C2"]) == 2


def test_full_row_is_read_as_written():
    row = {
        "label_de": "Leistung",
        "flags": "CAC CAT",
        "professions": "doctor",
        "specialities": "cardiology geriatrics",
        "min_age": "2",
        "below_age": "18",
        "hours": "22:00-06:00",
        "places": "01 02",
        "in_hospital": "true",
        "frequency": "1/1d/biller 3/12m 2/1y 1/life",
        "max_quantity": "4",
        "approval": "true",
    }
    (act,) = report_of(table(row)).acts["X1"]
    assert act.label("de") == "Leistung"
    assert act.label("lb") == "Acte"
    assert [str(one) for one in act.frequencies] == ["1/1d/biller", "3/12m", "2/1y", "1/life"]
    assert (act.min_age, act.below_age, act.max_quantity) == (2, 18, 4)
    assert act.places == {"01", "02"}
    assert act.in_hospital
    assert act.approval


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"code": ""}, "the code is not"),
        ({"code": "x1"}, "the code is not"),
        ({"code": "ABCDEFGH"}, "the code is not"),
        ({"label_fr": " "}, "label_fr or legal_source is missing"),
        ({"legal_source": ""}, "label_fr or legal_source is missing"),
        ({"chapter": "surgery"}, "unknown chapter: 'surgery'"),
        ({"valid_from": ""}, "valid_from is no day"),
        ({"valid_from": "2023-02-30"}, "valid_from is no day"),
        ({"valid_from": "20230201"}, "valid_from is no day"),
        ({"valid_to": "never"}, "valid_to is no day"),
        ({"valid_to": "2022-12-31"}, "valid_to is before valid_from"),
        ({"coefficient": "-1"}, "coefficient: -1 is negative"),
        ({"coefficient": "ten"}, "coefficient: 'ten' is no number"),
        ({"coefficient": "NaN"}, "coefficient: NaN is negative, or no number"),
        ({"coefficient": "1E9"}, "coefficient: 1E9 is above"),
        ({"coefficient": "1.00001"}, "has more than four decimals"),
        ({"coefficient": ""}, "either coefficient or fixed is needed"),
        ({"fixed": "3.00"}, "either coefficient or fixed is needed"),
        ({"chapter": "convenience"}, "the amount of a convenience is free"),
        ({"key": "dentists"}, "unknown key letter: 'dentists'"),
        ({"flags": "CAC CAX"}, "unknown flags: 'CAX'"),
        ({"professions": "witch"}, "unknown professions: witch"),
        ({"specialities": "astrology"}, "unknown specialities: astrology"),
        ({"min_age": "-1"}, "min_age is no whole number"),
        ({"min_age": "18", "below_age": "18"}, "below_age is not above min_age"),
        ({"hours": "25:00-26:00"}, "hour must be in"),
        ({"hours": "evening"}, "are no hours"),
        ({"frequency": "0/1d"}, "is no frequency"),
        ({"frequency": "daily"}, "is no frequency"),
        ({"max_quantity": "100"}, "max_quantity is no whole number up to 99"),
        ({"approval": "yes"}, "approval is neither true nor false"),
        ({"verified": ""}, "verified is neither true nor false"),
        ({"part_of": "X1"}, "the act is a part of itself"),
        ({"part_of": "X9"}, "part of an act that is not in the file: X9"),
    ],
)
def test_wrong_row_is_refused_with_its_reason(fields, reason):
    found = reasons({"code": "X0"}, fields)
    assert [row for row, _ in found] == [3]
    assert reason in found[0][1]


@pytest.mark.parametrize(
    ("first", "second", "reason"),
    [
        ({"valid_to": "2023-12-31"}, {"valid_from": "2024-01-01"}, ""),
        ({"valid_to": "2023-12-31"}, {"valid_from": "2024-01-02"}, "gap: the period before ended on 2023-12-31"),
        ({"valid_to": "2023-12-31"}, {"valid_from": "2023-12-31"}, "overlap"),
        ({}, {"valid_from": "2024-01-01"}, "overlap: the period from 2023-01-01 goes on (without end)"),
        ({}, {}, "twice: another row begins on 2023-01-01"),
    ],
)
def test_periods_of_a_code_follow_each_other(first, second, reason):
    found = reasons(first, second)
    assert [row for row, _ in found] == ([3] if reason else [])
    assert all(reason in said for _, said in found)


def test_acts_that_are_parts_of_each_other_are_both_refused():
    found = reasons({"code": "X1", "part_of": "X2"}, {"code": "X2", "part_of": "X1"})
    assert [row for row, _ in found] == [2, 3]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "columns are missing: code"),
        ("code,label_fr\nX1,a\n", "columns are missing: valid_from"),
        (table(), "there is no row"),
        (table({"price": "3"}), "unknown columns: price"),
        (table({}).replace("coefficient", "code"), "a column is there twice"),
        (table({}) + '"open', "line"),
    ],
)
def test_what_is_no_such_table_is_refused_as_a_whole(text, says):
    with pytest.raises(ValueError, match=says):
        report_of(text)


@pytest.mark.parametrize("cells", ["X1,2023-01-01", "X1" + "," * 40])
def test_row_with_another_number_of_cells_is_refused(cells):
    (refusal,) = report_of(table({}) + cells + "\r\n").refusals
    assert (refusal.row, refusal.reason) == (3, "the row has another number of cells than the header")


def test_command_prints_every_refused_row_and_fails(tmp_path):
    path = tmp_path / "full.csv"
    path.write_text(table({}, {"code": "X2", "coefficient": "-3"}, {"code": "X3", "chapter": "?"}))
    done = CliRunner().invoke(command, [str(path)])
    assert done.exit_code == 1
    assert done.stdout.splitlines() == [
        "line 3: X2: coefficient: -3 is negative, or no number",
        "line 4: X3: unknown chapter: '?'",
        "1 acts with 1 periods, 2 refusals",
        "nothing of it can be used",
    ]


def test_command_prints_its_report_as_json(tmp_path):
    path = tmp_path / "full.csv"
    path.write_text("\ufeff" + table({}))
    done = CliRunner().invoke(command, [str(path), "--json"])
    assert done.exit_code == 0
    assert json.loads(done.stdout) == {"file": "full.csv", "acts": 1, "periods": 1, "refused": []}


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", b"", b"PK\x03\x04"])
def test_command_says_what_is_no_table(tmp_path, content):
    path = tmp_path / "full.csv"
    path.write_bytes(content)
    done = CliRunner().invoke(command, [str(path)])
    assert done.exit_code == 1
    assert done.stderr.startswith("Error: full.csv: ")


@given(st.text(), st.sampled_from(["code", "valid_from", "coefficient", "frequency", "hours", "part_of", "min_age"]))
def test_any_cell_is_read_or_refused(text, column):
    report = report_of(table({"code": "X0"}, {column: text}))
    assert len(report.acts) + len({one.row for one in report.refusals}) >= 1


@given(st.text(alphabet=st.characters(codec="utf-8")))
def test_any_text_is_a_table_or_refused_as_a_whole(text):
    for whole in (text, table({}) + text):
        try:
            report_of(whole)
        except ValueError as error:
            assert str(error)

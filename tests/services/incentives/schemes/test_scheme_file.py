"""The file of schemes: what it gives, and every fault with its row."""

from datetime import date
from decimal import Decimal

import pytest

from esante.services.incentives.evidence.sources import sources
from esante.services.incentives.schemes.model import Unit
from esante.services.incentives.schemes.quarter import Quarter
from esante.services.incentives.schemes.scheme_file import SchemeFileError, load_schemes, parse_schemes, use_samples

ROW = {
    "key": '"notes"',
    "label": '"Notes"',
    "valid_from": "2026-01-01",
    "valid_until": "2026-06-30",
    "unit": '"document"',
    "evidence": '"fee_note"',
    "kit": '"ra-pid"',
    "amount": '"0.35"',
    "legal_source": '"a law"',
    "verified": "true",
}
INSTALLATION = {"unit": '"installation"', "amount": '"625.00"', "claims_until": "2026-03-31"}


def file_of(*rows):
    """The text of a file: each row is `ROW` with changes; None leaves a field out."""
    merged = [{name: value for name, value in (ROW | row).items() if value is not None} for row in rows]
    return "\n".join("[[scheme]]\n" + "".join(f"{name} = {value}\n" for name, value in row.items()) for row in merged)


def parse(*rows):
    return parse_schemes(file_of(*rows), sources().kinds)


def faults(*rows):
    with pytest.raises(SchemeFileError) as caught:
        parse(*rows)
    return caught.value.faults


def test_rows_that_follow_one_another_are_read_in_order():
    second = {"valid_from": "2026-07-01", "valid_until": None, "amount": '"0.4550"'}
    one, two = parse(second, {})
    assert (one.valid_from, two.valid_from) == (date(2026, 1, 1), date(2026, 7, 1))
    assert two.amount_of(3) == Decimal("1.37")  # 1.365, half up


def test_gap_is_refused_with_the_row_and_line():
    (fault,) = faults({}, {"valid_from": "2026-07-02"} | {"valid_until": None})
    assert fault.startswith("row 2 (line 13)") and "gap after row 1 (line 1), which ends 2026-06-30" in fault


@pytest.mark.parametrize("ends", ["2026-07-01", None])
def test_overlap_is_refused_with_the_row(ends):
    (fault,) = faults({"valid_until": ends}, {"valid_from": "2026-07-01", "valid_until": None})
    assert fault.startswith("row 2") and "overlaps row 1" in fault


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"evidence": '"telex"'}, "evidence 'telex' is not known"),
        ({"amount": '"-1.00"'}, "not negative"),
        ({"amount": '"0.12345"'}, "at most four decimals"),
        ({"amount": "0.35"}, "Expected `str`, got `float`"),
        ({"amount": '"NaN"'}, "write euros"),
        ({"budget": '"-5"'}, "budget is '-5'"),
        ({"valid_until": "2025-12-31"}, "valid_until is before valid_from"),
        ({"threshold": "0"}, "Expected `int` >= 1"),
        ({"unit": '"week"'}, "Invalid enum value"),
        ({"legal_source": None}, "missing required field `legal_source`"),
        ({"colour": '"red"'}, "unknown field `colour`"),
        ({"claims_until": "2026-03-31"}, "only installations are claimed"),
        (INSTALLATION | {"kit": None}, "the kit of an installation is missing"),
        (INSTALLATION | {"amount": '"625.001"'}, "two decimals"),
        (INSTALLATION | {"claims_until": "2026-08-01"}, "after valid_until"),
        (
            INSTALLATION | {"moved": '[{until = 2026-02-01, accounts = ["90000000"], source = "outage"}]'},
            "a moved deadline is before claims_until",
        ),
        ({"moved": '[{until = 2026-02-01, accounts = ["9"], source = "outage"}]'}, "matching regex"),
        ({"sample": '["colour"]'}, "sample names unknown fields: colour"),
    ],
)
def test_wrong_row_is_refused_with_what_is_wrong(change, said):
    found = faults({"key": '"fine"'}, change)
    assert any(one.startswith("row 2") and said in one for one in found), found


@pytest.mark.parametrize("text", ["", "x", "[[scheme", "scheme = 5", "a = 1", "[" * 5_000, "x" * 1_000_001])
def test_text_that_is_no_file_of_schemes_is_refused(text):
    with pytest.raises(SchemeFileError):
        parse_schemes(text, sources().kinds)


def test_all_faults_are_said_at_once():
    found = faults({"evidence": '"telex"'}, {"valid_from": "2026-08-01", "valid_until": None, "amount": '"-1"'})
    assert len(found) == 2


def test_deadline_is_moved_for_the_named_accounts_only():
    moved = '[{until = 2026-04-30, accounts = ["90000001"], source = "outage"}]'
    (scheme,) = parse(INSTALLATION | {"moved": moved})
    assert scheme.deadline("90000001") == date(2026, 4, 30)
    assert scheme.deadline("90000002") == date(2026, 3, 31)


def test_sample_rows_are_in_force_in_a_demonstration_only():
    try:
        use_samples(True)
        everything = load_schemes("", sources().kinds)
        use_samples(False)
        real = load_schemes("", sources().kinds)
    finally:
        use_samples(False)
    assert [one.key for one in real] == ["sons-1"] and real[0].amount == 625 and real[0].unit is Unit.INSTALLATION
    assert len(everything) == 5 and all(one.sample for one in everything if one.key != "sons-1")


@pytest.mark.parametrize(
    ("day", "text", "last"), [((2026, 3, 31), "2026-Q1", (2026, 3, 31)), ((2026, 10, 1), "2026-Q4", (2026, 12, 31))]
)
def test_quarter_of_a_day_has_its_first_and_last_day(day, text, last):
    quarter = Quarter.of(date(*day))
    assert (str(quarter), quarter.last) == (text, date(*last))
    assert Quarter.parse(text) == quarter and quarter.next.before == quarter


@pytest.mark.parametrize("text", ["", "2026Q1", "2026-Q5", "2026-Q0", "0000-Q1", "٢٠٢٦-Q1"])
def test_text_that_is_no_quarter_is_refused(text):
    with pytest.raises(ValueError, match="no quarter"):
        Quarter.parse(text)

"""The access matrix of annex 1: complete, verified, and refused when a cell is wrong."""

from dataclasses import replace

import pytest

from esante.identity.access import policy_set
from esante.identity.access.regulation.matrix import parse_matrix
from esante.identity.directory import catalogue

SMALL = """
[[exception]]
column = "nurse"
document_class = "letter"
subject = "greetings"
label = "Greetings"
valid_from = 2021-01-01
legal_source = "x"
verified = false

[[column]]
key = "doctor"
label = "Doctors"
members = ["doctor"]
legal_source = "x"

[[column]]
key = "nurse"
label = "Nurses"
members = ["nurse"]
legal_source = "x"

[[category]]
key = "notes"
label = "Notes"
legal_source = "x"

[[category]]
key = "results"
label = "Results"
legal_source = "x"

[[period]]
valid_from = 2020-01-01
legal_source = "x"
verified = false
holder_writes = ["notes"]
cells = \"\"\"
        | doctor | nurse
notes   | W      | r
results | r      | -
\"\"\"
"""


def refused(text, match):
    with pytest.raises(ValueError, match=match):
        parse_matrix(text)


def test_law_has_nineteen_categories_and_eleven_columns_all_verified():
    matrix = policy_set().matrix
    assert (len(matrix.categories), len(matrix.columns)) == (19, 11)
    assert all(len(period.cells) == 209 and period.verified for period in matrix.periods)
    assert all(one.legal_source for one in (*matrix.columns, *matrix.categories, *matrix.periods))


@pytest.mark.parametrize(
    ("profession", "category", "read", "write"),
    [
        ("doctor", "own_space", True, False),
        ("dentist", "prescriptions", True, True),
        ("pharmacist", "summaries", False, False),
        ("pharmacist", "care_reports", True, False),
        ("pharmacist", "dispensing", True, True),
        ("midwife", "laboratory", True, False),
        ("lab_biologist", "summaries", False, False),
        ("lab_biologist", "laboratory", True, True),
        ("surgical_assistant", "care_reports", True, True),
        ("osteopath", "education", True, True),
        ("laboratory_assistant", "certificates", False, False),
        ("radiology_technician", "imaging", True, False),
        ("care_assistant", "imaging", False, False),
        ("social_worker", "legal_protection", True, True),
    ],
)
def test_profession_has_the_cell_of_its_column(profession, category, read, write):
    matrix = policy_set().matrix
    right = matrix.periods[-1].cells[matrix.column_of[profession], category]
    assert (right.read, right.write) == (read, write)


def test_every_profession_but_two_and_every_kind_of_organisation_but_one_has_a_column():
    matrix = policy_set().matrix
    assert catalogue().professions.keys() - matrix.column_of.keys() == {"care_network", "admin"}
    # The regulation gives the health insurance no access to records, so it has no column.
    assert catalogue().organization_kinds.keys() - {one.kind for one in matrix.organizations} == {"health_insurance"}


def test_dashboard_of_accesses_is_for_the_referring_doctor_alone():
    cells = policy_set().matrix.periods[-1].cells
    assert {column for (column, category), cell in cells.items() if category == "access_dashboard" and cell.read} == {
        "referring_doctor"
    }
    assert not any(cell.write for (_, category), cell in cells.items() if category == "access_dashboard")


def test_small_matrix_is_read():
    cells = parse_matrix(SMALL).periods[0].cells
    assert {key: (cell.read, cell.write) for key, cell in cells.items()} == {
        ("doctor", "notes"): (True, True),
        ("nurse", "notes"): (True, False),
        ("doctor", "results"): (True, False),
        ("nurse", "results"): (False, False),
    }


@pytest.mark.parametrize(
    ("old", "new", "match"),
    [
        ("notes   | W      | r", "notes   | W      | ", "category notes, column nurse: the cell is missing"),
        ("notes   | W      | r", "notes   | W", "category notes, column nurse: the cell is missing"),
        ("notes   | W      | r\n", "", "category notes, column doctor: the cell is missing"),
        ("| doctor | nurse", "| doctor", "there are more cells than columns"),
        ("notes   | W      | r", "notes   | W      | R", "category notes, column nurse: 'R' is not one of"),
        ("results | r      | -", "results | r      | - | -", "category results: there are more cells"),
        ("results | r      | -", "reports | r      | -", "the category 'reports' is unknown"),
        ("results | r      | -", "notes   | r      | -", "the category notes is there twice"),
        ("| doctor | nurse", "| doctor | nurses", "the column 'nurses' is unknown"),
        ("| doctor | nurse", "| doctor | doctor", "the column doctor is there twice"),
        ('members = ["nurse"]', 'members = ["doctor"]', "the profession doctor is there twice"),
        ('key = "nurse"', 'key = "doctor"', "the column doctor is there twice"),
        ('holder_writes = ["notes"]', 'holder_writes = ["note"]', "the category 'note' is unknown"),
        ("verified = false\nholder", "holder", "verified"),
        ('members = ["nurse"]', 'members = ["nurse"]\nfunction_of = "chief"', "the column 'chief' is unknown"),
        ("legal_source = \"x\"\nverified = false\nholder", "legal_sorce = \"x\"\nverified = false\nholder", "legal_sorce"),
        ('column = "nurse"', 'column = "nurses"', "the column 'nurses' is unknown"),
        ('subject = "greetings"', 'subjects = "greetings"', "subjects"),
    ],
)  # fmt: skip
def test_wrong_file_is_refused_by_the_name_of_the_cell(old, new, match):
    assert SMALL.count(old) == 1 or old.startswith("key")
    refused(SMALL.replace(old, new, 1), match)


def test_two_periods_of_one_day_are_refused():
    period = SMALL[SMALL.index("[[period]]") :]
    refused(SMALL + period, "the period 2020-01-01 is there twice")


def test_file_without_period_is_refused():
    refused(SMALL[: SMALL.index("[[period]]")], "period")


def test_rights_are_those_of_the_day():
    period = (
        SMALL[SMALL.index("[[period]]") :].replace("2020-01-01", "2027-01-01").replace("notes   | W", "notes   | r")
    )
    matrix = parse_matrix(SMALL + period)
    rules = replace(policy_set(), matrix=matrix, assignments=(), _rules={}, _days={})
    assert [one.cells["doctor", "notes"].write for one in matrix.periods] == [True, False]
    assert rules.matrix.periods[0].valid_from.year == 2020

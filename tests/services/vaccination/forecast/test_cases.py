"""The CDC's cases: how many agree, and files that cannot be read."""

import csv

import pytest

from esante.services.vaccination.forecast.cases import CaseError, read_cases, run_case, tally
from tests.services.vaccination.forecast.known_differences import LATER, WRITTEN_FOR, cause

FILE = "cdsi-cases-4.28-part.csv"


def run(folder, rules):
    return [run_case(case, rules) for case in read_cases(folder / FILE, rules)]


def unexplained(results, causes):
    return [one.case.id for one in results if not one.agrees and not cause(one.case.id, one.case.label, causes)]


def test_at_least_99_of_100_cases_agree_with_the_release_that_they_were_written_for(cdsi_data, cdsi_438):
    results = run(cdsi_data, cdsi_438)
    whole, _ = tally(results)
    assert whole.total == 473
    assert unexplained(results, WRITTEN_FOR) == []
    assert whole.agree / whole.total >= 0.99


def test_at_least_85_of_100_cases_agree_with_advice_of_three_years_later(cdsi_data, cdsi_464):
    results = run(cdsi_data, cdsi_464)
    whole, groups = tally(results)
    assert unexplained(results, LATER) == []
    assert whole.agree / whole.total >= 0.85
    others = [counts for label, counts in groups.items() if label != "COVID-19"]
    assert sum(counts.agree for counts in others) / sum(counts.total for counts in others) >= 0.97


def test_conformance_document_has_the_results_of_the_cases(cdsi_data):
    from tools.conformance import DOCUMENT, describe_vaccination

    assert describe_vaccination(cdsi_data) in DOCUMENT.read_text()


COLUMNS = [
    *(
        "CDC_Test_ID",
        "Test_Case_Name",
        "DOB",
        "gender",
        "Med_History_Text",
        "Med_History_Code",
        "Med_History_Code_Sys",
    ),
    "Series_Status",
    *(f"{name}_{number}" for number in (1, 2) for name in ("Date_Administered", "CVX", "MVX", "Evaluation_Status")),
    *("Forecast_#", "Earliest_Date", "Recommended_Date", "Past_Due_Date", "Vaccine_Group", "Assessment_Date"),
]


def written(path, encoding="utf-8", **cells):
    """A file with one case: an infant without doses, asked about MMR."""
    row = {
        "CDC_Test_ID": "made-1",
        "DOB": "2025-11-29",
        "gender": "F",
        "Series_Status": "Not Complete",
        "Forecast_#": "1",
        "Earliest_Date": "2026-11-29",
        "Recommended_Date": "2026-11-29",
        "Past_Due_Date": "2027-02-28",
        "Vaccine_Group": "MMR",
        "Assessment_Date": "2026-11-29",
        **cells,
    }
    with path.open("w", encoding=encoding, newline="") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerow(row)
    return path


def differences(tmp_path, lu, **cells):
    (case,) = read_cases(written(tmp_path / "cases.csv", **cells), lu)
    return dict(run_case(case, lu).differences)


def test_case_that_is_as_expected_agrees(tmp_path, lu):
    assert differences(tmp_path, lu) == {}
    assert differences(tmp_path, lu, Earliest_Date="11/29/2026", Series_Status=" not complete ") == {}


@pytest.mark.parametrize(
    ("cells", "check"),
    [
        ({"Series_Status": "Complete"}, "status"),
        ({"Earliest_Date": "2026-11-28"}, "earliest"),
        ({"Recommended_Date": ""}, "recommended"),
        ({"Past_Due_Date": ""}, "past_due"),
        ({"Forecast_#": "-"}, "number"),
    ],
)
def test_each_part_of_a_case_is_compared(tmp_path, lu, cells, check):
    assert list(differences(tmp_path, lu, **cells)) == [check]


def test_evaluation_of_each_dose_of_the_group_is_compared(tmp_path, lu):
    dose = {"Date_Administered_1": "2026-11-20", "CVX_1": "03", "Evaluation_Status_1": "Valid"}
    found = differences(tmp_path, lu, **dose)
    assert found["evaluation"] == ("1: Valid", "1: Not Valid")
    other = {"Date_Administered_1": "2026-11-20", "CVX_1": "20", "Evaluation_Status_1": "Valid"}
    assert differences(tmp_path, lu, **other) == {}


@pytest.mark.parametrize(
    ("code", "system"),
    [("007", ""), ("7", "CDSi"), ("77386006", "SNOMED"), ("77386006", "SNOMED-CT"), ("1; 7", "")],
)
def test_observation_is_found_by_its_code_or_that_of_another_system(tmp_path, lu, code, system):
    found = differences(tmp_path, lu, Med_History_Code=code, Med_History_Code_Sys=system)
    assert found["status"] == ("not complete", "contraindicated")


def test_group_that_the_rules_do_not_have_differs(tmp_path, lu):
    assert "status" in differences(tmp_path, lu, Vaccine_Group="EBOLA")


@pytest.mark.parametrize(
    ("cells", "says"),
    [
        ({"DOB": "29.11.2025"}, 'cases.csv, row 2, column DOB: "29.11.2025" is no date'),
        ({"DOB": ""}, "row 2, column DOB: there is no date"),
        ({"Forecast_#": "one"}, 'row 2, column Forecast_#: "one" is no number'),
        ({"Date_Administered_1": "yesterday"}, "row 2, column Date_Administered_1"),
    ],
)
def test_row_that_cannot_be_read_is_named(tmp_path, lu, cells, says):
    with pytest.raises(CaseError) as error:
        list(read_cases(written(tmp_path / "cases.csv", **cells), lu))
    assert says in str(error.value)


def test_file_without_its_columns_is_refused(tmp_path, lu):
    path = tmp_path / "cases.csv"
    path.write_text("a,b\n1,2\n")
    with pytest.raises(CaseError, match="the columns Assessment_Date, DOB, Series_Status, Vaccine_Group are missing"):
        list(read_cases(path, lu))


def test_file_in_another_encoding_is_refused(tmp_path, lu):
    path = tmp_path / "cases.csv"
    written(path, encoding="utf-16")
    with pytest.raises(CaseError):
        list(read_cases(path, lu))

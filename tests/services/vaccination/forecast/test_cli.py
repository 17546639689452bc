"""The commands `esante vaccination ...`."""

import json

import pytest
from click.testing import CliRunner

from esante.services.vaccination.cli import vaccination
from tests.services.vaccination.forecast.test_cases import FILE, written
from tests.services.vaccination.forecast.test_fhir_resources import bundle, immunization, patient


def run(*arguments):
    return CliRunner().invoke(vaccination, list(map(str, arguments)))


@pytest.fixture
def shared_cases(cdsi_data):
    """The arguments that run the shared cases with release 4.38."""
    return "cases", cdsi_data / FILE, "--rules", "cdsi", "--supporting-data", cdsi_data / "supporting-data-4.38"


def test_cases_are_counted_by_group_as_json(shared_cases):
    done = run(*shared_cases, "--json", "--failures")
    answer = json.loads(done.stdout)
    assert (answer["total"], answer["agree"], len(answer["groups"])) == (473, 472, 14)
    assert sum(group["total"] for group in answer["groups"]) == 473
    assert answer["failures"] == [
        {
            "id": "2016-0012",
            "group": "FLU",
            "name": "Child under 9 received one in previous season and one in current season",
            "differences": {"number": {"expected": "3", "advised": "2"}},
        }
    ]


def test_cases_are_counted_by_group_in_a_table(shared_cases):
    lines = run(*shared_cases, "--failures").stdout.splitlines()
    assert next(line for line in lines if line.startswith("all")).split()[:3] == ["all", "473", "472"]
    assert any("expected 3, advised 2" in line for line in lines)


def test_forecast_prints_a_bundle_and_says_what_was_left_out(tmp_path):
    path = tmp_path / "request.json"
    path.write_text(json.dumps(bundle(patient(), immunization(), immunization("i9", "2026") | {"id": "i9"})))
    done = run("forecast", path, "--on", "2026-11-29")
    kinds = {one["resource"]["resourceType"] for one in json.loads(done.stdout)["entry"]}
    assert kinds == {"ImmunizationEvaluation", "ImmunizationRecommendation"}
    assert "left out: Immunization/i9" in done.stderr


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{", "Expecting"),
        ("[]", "the file is no FHIR resource"),
        ("{}", "there must be one Patient"),
        ("\x00", "request.json"),
    ],
)
def test_file_that_is_no_request_is_refused_without_a_trace(tmp_path, text, says):
    path = tmp_path / "request.json"
    path.write_text(text)
    done = run("forecast", path)
    assert done.exit_code == 1
    assert says in done.stderr and "Traceback" not in done.stderr


def test_faulty_row_of_a_case_is_refused_with_its_place(tmp_path):
    done = run("cases", written(tmp_path / "cases.csv", DOB="never"))
    assert (done.exit_code, "cases.csv, row 2, column DOB" in done.stderr) == (1, True)


def test_rules_that_are_not_there_are_refused(tmp_path):
    done = run("cases", written(tmp_path / "cases.csv"), "--rules", "cdsi", "--supporting-data", tmp_path)
    assert (done.exit_code, "is no folder with files" in done.stderr) == (1, True)
    assert "read from a folder" in run("cases", tmp_path / "cases.csv", "--rules", "cdsi").stderr


def test_calendar_is_printed():
    assert run("calendar", "--on", "2026-11-29").stdout.startswith("# Vaccination calendar\n")

"""`esante fhir validate`, run as a command."""

import json
import subprocess
import sys

import pytest

from tests.core.fhir.samples import dumped, narrative, patient

FINE = dumped({**patient(), "text": narrative("<p>Lena Weber</p>")})
BROKEN = b'{"resourceType":"Patient",\n "gender":"zzz",\n "contact":[\n  {"gender":"male"}]}'


def validate(*arguments, given=b"", folder=None):
    command = [sys.executable, "-m", "esante.cli", "fhir", "validate", *arguments]
    done = subprocess.run(command, input=given, capture_output=True, cwd=folder, timeout=60)
    assert b"Traceback" not in done.stderr
    return done.returncode, done.stdout.decode(), done.stderr.decode()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("files")
    (folder / "fine.json").write_bytes(FINE)
    (folder / "broken.json").write_bytes(BROKEN)
    (folder / "no\x1b[31m.json").write_bytes(b"\xff")
    return folder


def test_report_has_file_severity_location_and_allowed_values(folder):
    status, out, _ = validate("fine.json", "broken.json", folder=folder)
    assert status == 1
    assert out.splitlines() == [
        "fine.json: valid",
        "broken.json: 2 errors, 1 warning",
        "  2:2       error    Patient.gender",
        '            "zzz" is not a code for Patient.gender in FHIR R4. Allowed: male, female, other, unknown.',
        "  4:3       error    Patient.contact[0]",
        "            SHALL at least contain a contact's details or a reference to an organization (pat-1).",
        "  1:1       warning  Patient",
        "            A resource should have narrative for robust management (dom-6).",
        "2 files: 1 valid, 1 with errors",
    ]


def test_valid_files_exit_with_status_0(folder):
    assert validate("fine.json", folder=folder) == (0, "fine.json: valid\n", "")
    status, out, _ = validate("-", given=dumped(patient()))
    assert (status, out.splitlines()[0]) == (0, "-: valid, 1 warning")


def test_json_output_is_an_array_of_all_files(folder):
    status, out, _ = validate("--json", "fine.json", "broken.json", "absent.json", folder=folder)
    assert status == 2
    fine, broken, absent = json.loads(out)
    assert fine == {"file": "fine.json", "valid": True, "issues": []}
    assert (broken["file"], broken["valid"]) == ("broken.json", False)
    assert broken["issues"][0] == {
        "severity": "error",
        "code": "code-invalid",
        "expression": "Patient.gender",
        "diagnostics": '"zzz" is not a code for Patient.gender in FHIR R4. Allowed: male, female, other, unknown.',
        "line": 2,
        "column": 2,
    }
    assert (absent["file"], absent["valid"], absent["issues"][0]["severity"]) == ("absent.json", False, "fatal")


def test_unreadable_files_are_reported_and_the_others_checked(folder):
    status, out, _ = validate(".", "absent.json", "no\x1b[31m.json", "fine.json", folder=folder)
    assert status == 2
    assert "\x1b" not in out
    verdicts = [line for line in out.splitlines() if not line.startswith(" ")]
    assert verdicts == [
        ".: cannot be used",
        "absent.json: cannot be used",
        "no\ufffd[31m.json: 1 error",
        "fine.json: valid",
        "4 files: 1 valid, 1 with errors, 2 cannot be used",
    ]


def test_problem_at_many_locations_is_listed_once():
    names = [{"familly": "x"}] * 250
    out = validate("-", given=json.dumps({"resourceType": "Patient", "name": names}).encode())[1].splitlines()
    assert out[0] == "-: 200 errors, and more"
    assert [line.split()[2] for line in out if " error " in line] == ["Patient.name[0].familly"]
    assert out[3].startswith("            The same 199 more times: 1:") and out[3].endswith(", ...")
    assert len(out) == 8


def test_missing_file_argument_is_a_usage_error():
    assert validate()[0] == 2


def test_option_profile_checks_against_the_profile(folder):
    profile = "http://hl7.org/fhir/uv/ips/StructureDefinition/Patient-uv-ips"
    nobody = json.dumps({"resourceType": "Patient"}).encode()
    status, out, _ = validate("--profile", profile, "-", given=nobody)
    assert status == 1
    assert "Patient.name is needed at least once; found 0." in out
    status, out, err = validate("--profile", "http://x.test/p", "fine.json", folder=folder)
    assert (status, out) == (2, "")
    assert "http://x.test/p is not known" in err and profile in err

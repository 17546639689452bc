"""Runs of tests, as pytest writes them."""

import subprocess
import sys
from datetime import UTC, datetime

import pytest

from esante.services.ehds.requirements.junit import NoTestRun, read_run
from esante.services.ehds.requirements.model import Outcome

TESTS = """
import pytest

def test_passes():
    pass

@pytest.mark.parametrize("number", [1, 2])
def test_fails_in_one_case(number):
    assert number == 1

@pytest.mark.skip(reason="not here")
def test_is_skipped():
    pass

@pytest.fixture
def broken():
    raise RuntimeError

def test_has_a_broken_fixture(broken):
    pass
"""


def test_run_of_pytest_is_read_by_function(tmp_path):
    folder = tmp_path / "tests" / "things"
    folder.mkdir(parents=True)
    (folder / "test_sample.py").write_text(TESTS)
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    file = tmp_path / "run.xml"
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--junitxml={file}", "tests"]
    before = datetime.now(UTC)
    assert subprocess.run(command, cwd=tmp_path, capture_output=True, check=False).returncode == 1
    run = read_run(file.read_bytes(), "1.0+g12ab")
    assert run.outcomes == {
        "tests/things/test_sample.py::test_passes": Outcome.PASSED,
        "tests/things/test_sample.py::test_fails_in_one_case": Outcome.FAILED,
        "tests/things/test_sample.py::test_is_skipped": Outcome.SKIPPED,
        "tests/things/test_sample.py::test_has_a_broken_fixture": Outcome.FAILED,
    }
    assert before <= run.ran_at <= datetime.now(UTC)
    assert run.revision == "1.0+g12ab"


CASE = '<testcase classname="tests.a" name="test_a"/>'
SUITE = f'<testsuite timestamp="2026-11-30T10:00:00+01:00">{CASE}</testsuite>'


@pytest.mark.parametrize(
    ("text", "revision", "fault"),
    [
        ("no xml", "1", "no JUnit XML"),
        (f'<!DOCTYPE t [<!ENTITY a "b">]>{SUITE}', "1", "document type"),
        ("<testsuites/>", "1", "no test cases"),
        (f"<testsuite>{CASE}</testsuite>", "1", "when the run began"),
        (f'<testsuite timestamp="yesterday">{CASE}</testsuite>', "1", "when the run began"),
        (SUITE, "", "revision"),
        (SUITE, "a b", "revision"),
        (SUITE, "<script>", "revision"),
        (SUITE, "a" * 65, "64 characters"),
    ],
)
def test_file_that_is_no_run_is_refused(text, revision, fault):
    with pytest.raises(NoTestRun, match=fault):
        read_run(text.encode(), revision)


def test_time_of_a_run_is_that_of_its_zone():
    assert read_run(SUITE.encode(), "1").ran_at == datetime(2026, 11, 30, 9, tzinfo=UTC)

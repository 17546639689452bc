"""The public page of the requirements, after a run was recorded and before, and the commands."""

import json
from datetime import UTC, datetime

import pytest
from click.testing import CliRunner

from esante.core.storage import uuid7
from esante.identity.access import Requester
from esante.services.ehds.cli import ehds
from esante.services.ehds.requirements.model import Outcome, Standing, TestRun
from esante.services.ehds.requirements.requirement_file import requirements as packaged
from tests.support.portal_browser import page_text

OPERATOR = Requester(kind="operator", id=uuid7(), name="Olga Operator")
WITH_TESTS = [one for one, _ in packaged() if one.tests]


def run_of(outcome_of_first):
    """Return a run in which every test passed, but the first test of the first requirement."""
    outcomes = {test: Outcome.PASSED for one in WITH_TESTS for test in one.tests}
    if outcome_of_first is None:
        del outcomes[WITH_TESTS[0].tests[0]]
    else:
        outcomes[WITH_TESTS[0].tests[0]] = outcome_of_first
    return TestRun(
        datetime(2026, 11, 1, 10, tzinfo=UTC), "4c61926e", {**outcomes, "tests/other.py::test_x": Outcome.FAILED}
    )


async def test_without_a_run_nothing_is_claimed(visit):
    browser = await visit()
    page = await browser.get("/ehds?standing=shown")
    assert "Nothing found" in page_text(page)
    assert "none recorded" in page_text(page)
    report = (await browser.http.get("/ehds.json")).json()
    assert report["run"] is None
    assert report["counts"]["shown"] == report["counts"]["failed"] == 0
    assert report["counts"]["not-run"] == len(WITH_TESTS)


@pytest.mark.parametrize(
    ("outcome", "standing"),
    [
        (Outcome.PASSED, Standing.SHOWN),
        (Outcome.FAILED, Standing.FAILED),
        (Outcome.SKIPPED, Standing.NOT_RUN),
        (None, Standing.NOT_RUN),
    ],
)
async def test_recorded_run_decides_what_is_shown(visit, requirements, db, outcome, standing):
    recorded = await requirements.record(OPERATOR, run_of(outcome))
    report = (await (await visit()).http.get("/ehds.json")).json()
    found = {one["id"]: one["standing"] for one in report["requirements"]}
    sharing = {one.id for one in WITH_TESTS if WITH_TESTS[0].tests[0] in one.tests}
    assert {found[key] for key in sharing} == {standing}
    assert {found[one.id] for one in WITH_TESTS if one.id not in sharing} == {"shown"}
    assert report["counts"] == {one.value: recorded.count(one) for one in Standing}
    (row,) = await db.fetch("SELECT recorded_by, convert_from(outcomes, 'utf8') AS text FROM ehds_test_run")
    assert row["recorded_by"] == "Olga Operator"
    assert "tests/other.py" not in row["text"]


async def test_page_is_searched_filtered_and_paged_in_each_language(visit, requirements):
    await requirements.record(OPERATOR, run_of(Outcome.PASSED))
    for language in ("fr", "de", "en", "lb"):
        browser = await visit(language=language)
        shown, url = [], "/ehds"
        while url:
            page = await browser.get(url)
            shown += page.xpath("//ul[contains(@class, 'rows')]/li")
            url = next(iter(page.xpath("//a[@rel = 'next']/@href")), None)
        assert len(shown) == len(packaged())
        (found,) = (await browser.get("/ehds?q=II.3.2b")).xpath("//ul[contains(@class, 'rows')]/li")
        wanted = next(one for one, _ in packaged() if one.id == "II.3.2b")
        assert wanted.text[language] in page_text(found)
    assert (await browser.http.get("/ehds?area=moon")).status_code == 404
    assert (await browser.http.get("/ehds?standing=moon")).status_code == 404
    hostile = await browser.http.get("/ehds", params={"q": "<script>alert(1)</script>"})
    assert hostile.status_code == 200
    assert "<script>alert" not in hostile.text


def test_command_reports_on_a_file_and_ends_with_one_when_a_test_failed(tmp_path):
    file = tmp_path / "run.xml"
    path, _, name = WITH_TESTS[0].tests[0].partition("::")
    case = f'<testcase classname="{path.removesuffix(".py").replace("/", ".")}" name="{name}[a]">'
    file.write_text(f'<testsuite timestamp="2026-11-30T10:00:00+00:00">{case}<failure/></testcase></testsuite>')
    result = CliRunner().invoke(ehds, ["report", "--run", str(file), "--revision", "abc"])
    assert result.exit_code == 1
    assert f"failed: {WITH_TESTS[0].tests[0]}" in result.stdout
    assert "revision abc" in result.stdout and "no certificate" in result.stdout
    as_json = json.loads(CliRunner().invoke(ehds, ["report", "--run", str(file), "--json"]).stdout)
    assert as_json["counts"]["failed"] >= 1
    assert as_json["counts"]["shown"] == 0
    file.write_text("no xml")
    refused = CliRunner().invoke(ehds, ["report", "--run", str(file)])
    assert refused.exit_code == 1
    assert "no JUnit XML" in refused.output and "Traceback" not in refused.output

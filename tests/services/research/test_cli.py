"""The command that prints the rows of a view."""

import json
import shutil
from pathlib import Path
from typing import Any

import duckdb
import pytest
from click.testing import CliRunner

from esante.services.research.cli import research
from esante.services.research.environment import isolation

VIEW = {
    "resource": "Patient",
    "select": [
        {
            "column": [
                {"name": "id", "path": "id"},
                {"name": "given", "path": "name.given", "collection": True},
                {"name": "active", "path": "active"},
            ]
        }
    ],
}
LINES = [
    {"resourceType": "Patient", "id": "a", "active": True, "name": [{"given": ["Zoé", "B"]}]},
    {"resourceType": "Observation", "id": "o"},
    {"resourceType": "Patient", "id": "b"},
]


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    view, data = tmp_path / "view.json", tmp_path / "data.ndjson"
    view.write_text(json.dumps(VIEW))
    data.write_text("\n".join(json.dumps(one) for one in LINES) + "\n\n")
    return view, data


def run(*arguments: Any) -> Any:
    return CliRunner().invoke(research, ["view", *map(str, arguments)])


def test_rows_are_printed_as_csv_and_ndjson(files: tuple[Path, Path], tmp_path: Path) -> None:
    printed = run(*files)
    assert printed.output.splitlines() == ["id,given,active", 'a,"[""Zoé"", ""B""]",true', "b,[],"]
    out = tmp_path / "rows.ndjson"
    assert run(*files, "--format", "ndjson", "--output", out).exit_code == 0
    assert [json.loads(line) for line in out.read_text("utf-8").splitlines()] == [
        {"id": "a", "given": ["Zoé", "B"], "active": True},
        {"id": "b", "given": [], "active": None},
    ]


@pytest.mark.parametrize(
    ("view", "data", "said"),
    [
        ("{", "", "view.json: "),
        ('{"resource": "Patient", "select": 1}', "", "view.json: select: a list is needed"),
        (json.dumps(VIEW), "{}\n{", "data.ndjson:2: "),
        (json.dumps(VIEW), "[]", "data.ndjson:1: resource: an object is needed"),
    ],
)
def test_fault_is_told_with_file_and_place(files: tuple[Path, Path], view: str, data: str, said: str) -> None:
    files[0].write_text(view)
    files[1].write_text(data)
    done = run(*files)
    assert done.exit_code == 1 and said in done.output and "Traceback" not in done.output


def test_statement_gives_the_same_rows_in_duckdb(files: tuple[Path, Path]) -> None:
    printed = CliRunner().invoke(research, ["statement", str(files[0])])
    assert printed.exit_code == 0, printed.output
    with duckdb.connect() as conn:
        conn.execute("CREATE TABLE resources (body VARCHAR)")
        conn.executemany("INSERT INTO resources VALUES (?)", [[json.dumps(one)] for one in LINES])
        assert sorted(conn.execute(printed.output).fetchall()) == [("a", ["Zoé", "B"], True), ("b", [], None)]


def test_view_without_a_statement_is_told(tmp_path: Path) -> None:
    view = tmp_path / "view.json"
    view.write_text(
        json.dumps(
            {
                "resource": "Questionnaire",
                "select": [{"repeat": ["item"], "column": [{"name": "link", "path": "linkId"}]}],
            }
        )
    )
    printed = CliRunner().invoke(research, ["statement", str(view)])
    assert printed.exit_code == 1 and "there is no statement for repeat" in printed.output


@pytest.mark.skipif(shutil.which("bwrap") is None, reason="bubblewrap is not installed")
def test_doctor_says_that_jobs_can_be_shut_in(monkeypatch: pytest.MonkeyPatch) -> None:
    assert CliRunner().invoke(research, ["doctor"]).exit_code == 0
    monkeypatch.setattr(isolation, "BUBBLEWRAP", "no-such-program")
    printed = CliRunner().invoke(research, ["doctor"])
    assert printed.exit_code == 1 and "apt-get install bubblewrap" in printed.output

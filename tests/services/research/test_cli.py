"""The command that prints the rows of a view."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from esante.services.research.cli import research

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

"""The official tests of SQL on FHIR 2.0, each in `make test`."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from esante.core.fhir import decode
from esante.services.research import ViewFault, read_view

FOLDER = Path(os.environ.get("ESANTE_SHARED", Path(__file__).parents[5] / "shared")) / "data" / "sql-on-fhir" / "tests"
CASES = [
    (file.stem, test["title"], decoded["resources"], test)
    for file in sorted(FOLDER.glob("*.json"))
    for decoded in [decode(file.read_bytes())]
    for test in decoded["tests"]
]


def test_official_suite_is_whole() -> None:
    if not FOLDER.is_dir():
        pytest.skip(f"no real inputs: {FOLDER} is absent")
    assert len(CASES) >= 134


@pytest.mark.parametrize(("file", "title", "resources", "test"), CASES, ids=[f"{one[0]}: {one[1]}" for one in CASES])
def test_official_case_gives_the_expected_rows(
    file: str, title: str, resources: list[Any], test: dict[str, Any]
) -> None:
    if test.get("expectError"):
        with pytest.raises(ViewFault) as refused:
            _ = [view.rows(one) for view in [read_view(test["view"])] for one in resources]
        assert refused.value.place and refused.value.reason
        return
    view = read_view(test["view"])
    rows = [row for one in resources for row in view.rows(one)]
    missing = list(test["expect"])
    for row in rows:
        assert row in missing, json.dumps(row, default=str)
        missing.remove(row)
    assert missing == []
    if "expectColumns" in test:
        assert [one.name for one in view.columns] == test["expectColumns"]

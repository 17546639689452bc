"""The official tests of SQL on FHIR 2.0 in DuckDB: where a view has SQL, it gives the rows of the reference engine."""

import json
from decimal import Decimal
from typing import Any

import duckdb
import pytest

from esante.services.research import ViewFault, read_view
from esante.services.research.views_sql.expressions import NotCompiled
from esante.services.research.views_sql.statement import compile_view
from tests.services.research.views.test_official import CASES

COMPILED_AT_LEAST = 60


def compiled(test: dict[str, Any]):
    try:
        return compile_view(read_view(test["view"]))
    except (NotCompiled, ViewFault):
        return None


IN_SQL = [(*case, statement) for case in CASES if (statement := compiled(case[3])) is not None]


def test_most_official_views_have_sql():
    if not CASES:
        pytest.skip("no real inputs: the official tests are absent")
    assert len(IN_SQL) >= COMPILED_AT_LEAST


@pytest.mark.parametrize(
    ("file", "title", "resources", "test", "statement"), IN_SQL, ids=[f"{one[0]}: {one[1]}" for one in IN_SQL]
)
def test_official_case_gives_the_same_rows_in_sql(file, title, resources, test, statement):
    with duckdb.connect() as conn:
        conn.execute("CREATE TABLE bodies (body VARCHAR)")
        conn.executemany("INSERT INTO bodies VALUES (?)", [[json.dumps(one, default=float)] for one in resources])
        if test.get("expectError"):
            with pytest.raises(duckdb.Error):
                conn.execute(statement.over("bodies")).fetchall()
            return
        found = conn.execute(statement.over("bodies"))
        names = [one[0] for one in found.description]
        rows = [plain(dict(zip(names, row, strict=True))) for row in found.fetchall()]
    missing = [plain(one) for one in test["expect"]]
    assert sorted(map(str, rows)) == sorted(map(str, missing))


def plain(row: dict[str, Any]) -> list[tuple[str, Any]]:
    return sorted(
        (name, float(value) if isinstance(value, int | Decimal) and not isinstance(value, bool) else value)
        for name, value in row.items()
    )

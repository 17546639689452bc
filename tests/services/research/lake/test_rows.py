"""The rows of tables: those of DuckDB and of the reference engine are the same, also on real documents."""

import orjson
import pytest

from esante.services.research import load_datasets, tables_by_name
from esante.services.research.lake.rows import _statement, rows_by_reference, table_rows

TABLES = list(tables_by_name().values())


@pytest.fixture(scope="module")
def resources(shared_data):
    """The resources of European example documents, by type."""
    found: dict[str, list[bytes]] = {}
    files = sorted((shared_data / "eu-documents").rglob("*.json"))
    for file in files[::4]:
        for entry in orjson.loads(file.read_bytes()).get("entry", ()):
            one = entry.get("resource", {})
            found.setdefault(one.get("resourceType"), []).append(orjson.dumps(one))
    return found


def sorted_rows(table) -> list[str]:
    return sorted(map(repr, table.to_pylist()))


@pytest.mark.parametrize("table", TABLES, ids=[one.name for one in TABLES])
def test_real_resources_give_the_same_rows_in_both_engines(table, resources):
    bodies = [(f"P{number}", body) for number, body in enumerate(resources.get(table.resource, ()))]
    found = sorted_rows(table_rows(table, table.column_names, bodies))
    assert found == sorted_rows(rows_by_reference(table, table.column_names, bodies))
    if table.resource in ("Observation", "Condition", "Patient", "MedicationStatement", "Immunization"):
        assert found


def test_every_table_has_sql():
    assert all(_statement(table.name) is not None for dataset in load_datasets() for table in dataset.tables)


def test_resource_on_which_the_statement_fails_leaves_the_others_their_rows():
    table = tables_by_name()["laboratory.result"]
    good = {"resourceType": "Observation", "status": "final", "category": [{"coding": [{"code": "laboratory"}]}]}
    bodies = [("P1", orjson.dumps(good)), ("P2", b"{ no JSON"), ("P3", orjson.dumps(good | {"status": ["final"]}))]
    assert "P1" in {row["person"] for row in table_rows(table, {"status"}, bodies).to_pylist()}

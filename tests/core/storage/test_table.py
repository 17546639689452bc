"""Statements that insert rows of declared tables."""

import pytest

from esante.core.storage import TABLES, Kind, Table
from esante.core.storage.table import insert_sql


@pytest.fixture
def tables():
    """Two tables, declared for one test only."""
    yield Table("one", Kind.LOCAL, {"a": "text", "b": "integer"}), Table("two", Kind.LOCAL, {"c": "uuid"}, once=True)
    del TABLES["one"], TABLES["two"]


def test_table_is_declared_under_its_name(tables):
    assert [TABLES["one"], TABLES["two"]] == list(tables)


def test_insert_takes_each_column_as_an_array(tables):
    assert tables[0].insert_sql() == "INSERT INTO one (a, b) SELECT * FROM unnest($1::text[], $2::integer[])"


def test_insert_into_several_tables_is_one_statement(tables):
    one, two = tables
    assert insert_sql((two,)) == "INSERT INTO two (c) SELECT * FROM unnest($1::uuid[]) ON CONFLICT DO NOTHING"
    assert insert_sql((one, two)) == (
        "WITH w0 AS (INSERT INTO one (a, b) SELECT * FROM unnest($1::text[], $2::integer[])) "
        "INSERT INTO two (c) SELECT * FROM unnest($3::uuid[]) ON CONFLICT DO NOTHING"
    )

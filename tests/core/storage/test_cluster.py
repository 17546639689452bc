"""Distribution over a Citus cluster: each table by its kind, persons' tables together."""

import pytest

from esante.core.storage import TABLES, Kind, Table, distribute_tables


class RecordingDatabase:
    """A distributed database in which the table `there` is distributed already."""

    distributed = True

    def __init__(self):
        self.calls = []

    async def fetch(self, sql):
        return [{"name": "there"}]

    async def fetchval(self, sql, *arguments):
        self.calls.append((sql.partition("(")[0], *arguments))


async def test_database_without_citus_raises_lookup_error(db):
    with pytest.raises(LookupError, match="CREATE EXTENSION citus"):
        await distribute_tables(db)


async def test_missing_tables_are_distributed_by_their_kind(monkeypatch):
    declared = {}
    monkeypatch.setattr("esante.core.storage.cluster.TABLES", declared)
    for name, kind in [
        ("codes", Kind.REFERENCE),
        ("entry", Kind.PERSON),
        ("cursor", Kind.LOCAL),
        ("there", Kind.PERSON),
    ]:
        declared[name] = Table(name, kind, {})
        del TABLES[name]
    db = RecordingDatabase()
    lines = await distribute_tables(db)
    assert db.calls == [
        ("SELECT create_distributed_table", "entry", "there"),
        ("SELECT create_reference_table", "codes"),
        ("SELECT citus_add_local_table_to_metadata", "cursor"),
    ]
    assert [line.split() for line in lines] == [["entry", "person"], ["codes", "reference"], ["cursor", "local"]]

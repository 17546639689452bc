"""The schema of the database agrees with the declared tables: names, kinds, keys, columns."""

from esante.core.storage import TABLES, Kind
from esante.packages import declared_services

declared_services()  # imports what declares tables

UNDECLARED = {"schema_migration"}


async def test_tables_of_the_database_are_the_declared_ones(db):
    rows = await db.fetch(
        "SELECT relname FROM pg_class WHERE relkind IN ('r', 'p') AND relnamespace = 'public'::regnamespace"
        " AND NOT relispartition"
    )
    assert {row["relname"] for row in rows} - UNDECLARED == set(TABLES)


async def test_person_leads_every_unique_index_of_a_distributed_table(db):
    rows = await db.fetch(
        """
        SELECT t.relname AS table_name, i.relname AS index_name, a.attname AS first
        FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid JOIN pg_class t ON t.oid = x.indrelid
        JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = x.indkey[0]
        WHERE x.indisunique AND t.relnamespace = 'public'::regnamespace AND NOT t.relispartition
        """
    )
    person_tables = {table.name for table in TABLES.values() if table.kind is Kind.PERSON}
    wrong = [
        (r["table_name"], r["index_name"])
        for r in rows
        if r["table_name"] in person_tables and r["first"] != "person_id"
    ]
    assert wrong == []
    assert person_tables


async def test_tables_of_persons_have_no_foreign_keys(db):
    rows = await db.fetch(
        "SELECT conrelid::regclass::text AS owner, confrelid::regclass::text AS other"
        " FROM pg_constraint WHERE contype = 'f'"
    )
    kinds = {name: table.kind for name, table in TABLES.items()}
    assert [r for r in rows if Kind.PERSON in (kinds[r["owner"]], kinds[r["other"]])] == []


async def test_declared_columns_have_the_types_of_the_database(db):
    rows = await db.fetch(
        """
        SELECT c.relname AS table_name, a.attname AS name, format_type(a.atttypid, NULL) AS type
        FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
        WHERE c.relnamespace = 'public'::regnamespace AND a.attnum > 0 AND NOT a.attisdropped
        """
    )
    short = {"timestamp with time zone": "timestamptz", "character varying": "varchar"}
    real = {(r["table_name"], r["name"]): short.get(r["type"], r["type"]) for r in rows}
    declared = {(t.name, c): type_ for t in TABLES.values() for c, type_ in t.columns.items()}
    assert {key: real.get(key) for key in declared} == declared

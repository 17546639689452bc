"""Distribution of the tables over a Citus cluster, by the kind each was declared with."""

from esante.core.storage.database import Database
from esante.core.storage.table import TABLES, Kind

_STATEMENTS = {
    Kind.PERSON: "SELECT create_distributed_table($1, 'person_id', colocate_with => $2)",
    Kind.REFERENCE: "SELECT create_reference_table($1)",
    Kind.LOCAL: "SELECT citus_add_local_table_to_metadata($1)",
}


async def distribute_tables(db: Database) -> list[str]:
    """Distribute every declared table that is not distributed yet; return a line of text for each.

    Raises: LookupError when the database has no Citus extension.
    """
    if not db.distributed:
        raise LookupError(
            "this database has no Citus extension; create it on every node (CREATE EXTENSION citus) and try again"
        )
    distributed = {row["name"] for row in await db.fetch("SELECT logicalrelid::text AS name FROM pg_dist_partition")}
    lines = []
    for table in sorted(TABLES.values(), key=lambda table: list(Kind).index(table.kind)):
        if table.name in distributed:
            continue
        colocated = next((t.name for t in TABLES.values() if t.kind is Kind.PERSON and t.name in distributed), "none")
        arguments = [table.name, colocated] if table.kind is Kind.PERSON else [table.name]
        await db.fetchval(_STATEMENTS[table.kind], *arguments)
        distributed.add(table.name)
        lines.append(f"{table.name:<28} {table.kind}")
    return lines

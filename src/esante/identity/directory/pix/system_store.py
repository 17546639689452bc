"""The SQL that says which systems of identifiers are in use."""

from collections.abc import Sequence

from esante.core.storage import Database


async def fetch_used_systems(db: Database, systems: Sequence[str]) -> frozenset[str]:
    """Return those of `systems` of which a person has an identifier."""
    rows = await db.fetch(
        "SELECT s FROM unnest($1::text[]) s WHERE EXISTS (SELECT 1 FROM person_identifier i WHERE i.system = s)",
        list(systems),
    )
    return frozenset(row["s"] for row in rows)

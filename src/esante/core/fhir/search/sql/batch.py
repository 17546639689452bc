"""Many searches in one statement, for the keys of their matches."""

from collections.abc import Sequence
from uuid import UUID

from esante.core.fhir.search.model import SearchQuery, SearchScope
from esante.core.fhir.search.sql.statement import Statement
from esante.core.storage import Connection, Database

_BATCH_SIZE = 100


async def find_matches(
    db: Database | Connection, queries: Sequence[SearchQuery], scope: SearchScope, limit: int
) -> list[list[UUID]]:
    """Return the keys of the matches of each search, up to `limit`, each of the type of its search.

    Conditions are evaluated within the record only. A hundred searches are one statement.
    """
    found: list[list[UUID]] = [[] for _ in queries]
    for start in range(0, len(queries), _BATCH_SIZE):
        statement = Statement(scope, {})
        parts = [
            f"(SELECT {number} AS number, id FROM ({statement.select_matches(query)}) AS s LIMIT {limit})"
            for number, query in enumerate(queries[start : start + _BATCH_SIZE], start)
        ]
        for number, id_ in await db.fetch(statement.with_tables(" UNION ALL ".join(parts)), *statement.arguments):
            found[number].append(id_)
    return found

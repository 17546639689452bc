"""The index of search values, made again for all current versions after the time zone of days has changed.

Dates without a time are ranges of moments in the index, which begin and end with the day of the server's zone.
"""

from collections.abc import Sequence
from uuid import UUID

import asyncpg

from esante.core.fhir.json_codec import decode
from esante.core.fhir.search import index_json
from esante.core.storage import Connection, Database, Kind, Table
from esante.core.time_zone import time_zone

INDEX_ZONE = Table("fhir_index_zone", Kind.LOCAL, {"zone": "text"})
_LOCK = 0x6573_616E_7465_0F17
_PERSONS_AT_ONCE, _ROWS_AT_ONCE, _BYTES_AT_ONCE = 200, 200, 4_000_000
_START = ("", UUID(int=0), UUID(int=0), -1)


async def refresh_index(db: Database) -> int:
    """Make the index of current versions again unless its days are those of the server's zone.

    Return how many rows changed; 0 also where another process is doing it. May be broken off and done again.
    """
    zone = time_zone().key
    if await db.fetchval("SELECT zone FROM fhir_index_zone") == zone:
        return 0
    changed, after = 0, UUID(int=0)
    while True:
        async with db.transaction() as conn:
            if not await conn.fetchval("SELECT pg_try_advisory_xact_lock($1)", _LOCK):
                return changed
            rows = await conn.fetch(
                "SELECT DISTINCT person_id FROM fhir_resource WHERE person_id > $1 ORDER BY person_id LIMIT $2",
                after,
                _PERSONS_AT_ONCE,
            )
            for (person_id,) in rows:
                changed += await _refresh_person(conn, person_id)
            if not rows:
                await conn.execute("DELETE FROM fhir_index_zone")
                await conn.execute("INSERT INTO fhir_index_zone (zone) VALUES ($1)", zone)
                return changed
        after = rows[-1]["person_id"]


async def _refresh_person(conn: Connection, person_id: UUID) -> int:
    changed = 0
    rows: Sequence[asyncpg.Record] = ()
    after = _START
    while rows := await _fetch_page(conn, person_id, after):
        for row in rows:
            index = index_json(decode(row["body"]))
            # The text of jsonb differs from that of the index; the database compares them.
            status = await conn.execute(
                "UPDATE fhir_resource SET index = $6::jsonb WHERE person_id = $1 AND type = $2 AND id = $3"
                " AND source = $4 AND version = $5 AND index <> $6::jsonb",
                person_id,
                *(row[name] for name in ("type", "id", "source", "version")),
                index,
            )
            changed += status == "UPDATE 1"
        after = tuple(rows[-1][name] for name in ("type", "id", "source", "version"))
    return changed


async def _fetch_page(conn: Connection, person_id: UUID, after: tuple[str, UUID, UUID, int]) -> list[asyncpg.Record]:
    """Return the next current versions of a person that have content, in the order of their keys."""
    found: list[asyncpg.Record] = await conn.fetch(
        "SELECT type, id, source, version, body FROM (SELECT *, sum(octet_length(body)) OVER"
        " (ORDER BY type, id, source, version) - octet_length(body) AS before FROM fhir_resource"
        " WHERE person_id = $1 AND (type, id, source, version) > ($2, $3, $4, $5) AND until = 'infinity'"
        " AND NOT deleted ORDER BY type, id, source, version LIMIT $6) AS p WHERE before < $7"
        " ORDER BY type, id, source, version",
        person_id,
        *after,
        _ROWS_AT_ONCE,
        _BYTES_AT_ONCE,
    )
    return found

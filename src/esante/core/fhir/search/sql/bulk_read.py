"""A person's resources one after the other to be copied, by pages that are bounded in bytes too; and what is gone."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from esante.core.fhir.search.model import Row, Scope
from esante.core.fhir.search.sql.everything import Place
from esante.core.fhir.search.sql.includes import row_of
from esante.core.fhir.search.sql.statement import Statement
from esante.core.storage import Database

_START: Place = ("", UUID(int=0))


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much a page may hold: resources, and bytes of them (one resource is always given)."""

    count: int
    size: int


async def copies(
    db: Database, scope: Scope, types: Sequence[str], bounds: Bounds, *, since: datetime | None, after: Place | None
) -> tuple[list[Row], Place | None]:
    """Resources of some types that changed after `since`, in the order of type and key, and the last of them where
    more may follow."""
    statement = Statement(scope, {})
    tests = [f"(r.type, r.id) > {_place(statement, after or _START)}"]
    if since is not None:
        tests.append(f"r.since > {statement.argument(since, 'timestamptz')}")
    shown = statement.shown(types, "octet_length(r.body) AS size", " AND ".join(tests))
    page = f"{shown} ORDER BY type, id LIMIT {statement.argument(bounds.count, 'bigint')}"
    sized = f"SELECT *, sum(size) OVER (ORDER BY type, id) - size AS before FROM ({page}) AS n"
    found = await db.fetch(
        statement.whole(
            f"SELECT p.*, b.body FROM ({sized}) AS p JOIN fhir_resource AS b"
            f" ON b.person_id = {statement.person} AND b.type = p.type AND b.id = p.id AND b.source = p.source"
            f" AND b.version = p.version WHERE p.before < {statement.argument(bounds.size, 'bigint')}"
            " ORDER BY p.type, p.id"
        ),
        *statement.arguments,
    )
    cut = len(found) == bounds.count or sum(row["size"] for row in found) >= bounds.size
    return [row_of(row) for row in found], (found[-1]["type"], found[-1]["id"]) if cut else None


async def gone(
    db: Database,
    scope: Scope,
    types: Sequence[str],
    ended: Sequence[UUID],
    *,
    since: datetime,
    after: Place | None,
    limit: int,
) -> list[Place]:
    """Resources of some types that are there no longer: deleted after `since`, or of none but sources that `ended`."""
    statement = Statement(scope, {})
    at, begin = statement.argument(scope.at, "timestamptz"), statement.argument(since, "timestamptz")
    seen = statement.argument(list(scope.sources or ()), "uuid[]")
    there = statement.shown(types)
    rows = await db.fetch(
        statement.whole(
            f"SELECT DISTINCT r.type, r.id FROM fhir_resource AS r WHERE r.person_id = {statement.person}"
            f" AND r.type = ANY ({statement.argument(list(types), 'text[]')}) AND r.until > {at} AND r.since <= {at}"
            f" AND (r.deleted AND r.since > {begin} AND r.source = ANY ({seen})"
            f" OR r.source = ANY ({statement.argument(list(ended), 'uuid[]')}))"
            f" AND (r.type, r.id) > {_place(statement, after or _START)}"
            f" AND NOT EXISTS (SELECT FROM ({there}) AS t WHERE t.type = r.type AND t.id = r.id)"
            f" ORDER BY r.type, r.id LIMIT {statement.argument(limit, 'bigint')}"
        ),
        *statement.arguments,
    )
    return [(row["type"], row["id"]) for row in rows]


def _place(statement: Statement, place: Place) -> str:
    return f"({statement.argument(place[0], 'text')}, {statement.argument(place[1], 'uuid')})"

"""Resources of a person that changed, or are gone, since a moment, in pages that are bounded in rows and bytes."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from esante.core.fhir.search.model import ResourceKey, ResourceRow, SearchScope
from esante.core.fhir.search.sql.includes import row_of
from esante.core.fhir.search.sql.statement import Statement
from esante.core.storage import Database

_START: ResourceKey = ("", UUID(int=0))


@dataclass(frozen=True, slots=True)
class PageLimits:
    """The limits of a page: `count` resources, and `size` bytes of their bodies (a page has at least one resource)."""

    count: int
    size: int


async def fetch_changed(
    db: Database,
    scope: SearchScope,
    types: Sequence[str],
    bounds: PageLimits,
    *,
    since: datetime | None,
    after: ResourceKey | None,
) -> tuple[list[ResourceRow], ResourceKey | None]:
    """Return the resources of some types that changed after `since`, in the order of type and key.

    The second value is the key of the last one where more may follow, else None.
    """
    statement = Statement(scope, {})
    tests = [f"(r.type, r.id) > {_key_literal(statement, after or _START)}"]
    if since is not None:
        tests.append(f"r.since > {statement.add_argument(since, 'timestamptz')}")
    shown = statement.select_shown(types, "octet_length(r.body) AS size", " AND ".join(tests))
    page = f"{shown} ORDER BY type, id LIMIT {statement.add_argument(bounds.count, 'bigint')}"
    sized = f"SELECT *, sum(size) OVER (ORDER BY type, id) - size AS before FROM ({page}) AS n"
    found = await db.fetch(
        statement.with_tables(
            f"SELECT p.*, b.body FROM ({sized}) AS p JOIN fhir_resource AS b"
            f" ON b.person_id = {statement.person} AND b.type = p.type AND b.id = p.id AND b.source = p.source"
            f" AND b.version = p.version WHERE p.before < {statement.add_argument(bounds.size, 'bigint')}"
            " ORDER BY p.type, p.id"
        ),
        *statement.arguments,
    )
    cut = len(found) == bounds.count or sum(row["size"] for row in found) >= bounds.size
    return [row_of(row) for row in found], (found[-1]["type"], found[-1]["id"]) if cut else None


async def find_removed(
    db: Database,
    scope: SearchScope,
    types: Sequence[str],
    ended: Sequence[UUID],
    *,
    since: datetime,
    after: ResourceKey | None,
    limit: int,
) -> list[ResourceKey]:
    """Return up to `limit` resources of some types that are gone, in the order of type and key.

    They were deleted after `since`, or came only from sources that `ended`.
    """
    statement = Statement(scope, {})
    at, begin = statement.add_argument(scope.at, "timestamptz"), statement.add_argument(since, "timestamptz")
    sources = statement.add_argument(list(scope.sources or ()), "uuid[]")
    shown = statement.select_shown(types)
    rows = await db.fetch(
        statement.with_tables(
            f"SELECT DISTINCT r.type, r.id FROM fhir_resource AS r WHERE r.person_id = {statement.person}"
            f" AND r.type = ANY ({statement.add_argument(list(types), 'text[]')})"
            f" AND r.until > {at} AND r.since <= {at}"
            f" AND (r.deleted AND r.since > {begin} AND r.source = ANY ({sources})"
            f" OR r.source = ANY ({statement.add_argument(list(ended), 'uuid[]')}))"
            f" AND (r.type, r.id) > {_key_literal(statement, after or _START)}"
            f" AND NOT EXISTS (SELECT FROM ({shown}) AS t WHERE t.type = r.type AND t.id = r.id)"
            f" ORDER BY r.type, r.id LIMIT {statement.add_argument(limit, 'bigint')}"
        ),
        *statement.arguments,
    )
    return [(row["type"], row["id"]) for row in rows]


def _key_literal(statement: Statement, key: ResourceKey) -> str:
    return f"({statement.add_argument(key[0], 'text')}, {statement.add_argument(key[1], 'uuid')})"

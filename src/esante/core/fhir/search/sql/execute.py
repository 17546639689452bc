"""Execution of searches over the resources of one person."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID

from esante.core.fhir.search.model import (
    Chain,
    Condition,
    ExternalSearch,
    Has,
    SearchPage,
    SearchQuery,
    SearchScope,
    Sort,
)
from esante.core.fhir.search.parameters import parameters_of
from esante.core.fhir.search.query import cursor
from esante.core.fhir.search.query.cursor import PagePosition
from esante.core.fhir.search.query.value_parser import refuse
from esante.core.fhir.search.sql.conditions import any_of
from esante.core.fhir.search.sql.includes import Included, fetch_included, row_of
from esante.core.fhir.search.sql.statement import ExternalReferences, SortKey, Statement, sort_key
from esante.core.storage import Connection, Database
from esante.core.web import N_


async def execute_query(
    db: Database | Connection, query: SearchQuery, scope: SearchScope, search_external: ExternalSearch | None = None
) -> SearchPage:
    """Return one page of a search, newest first where no order is requested.

    `search_external` searches the targets of chains that are in no person's record; without it such a chain is
    refused. The pages after the first are of the same moment, but show only what the scope allows now.
    Raises: `Problem` 400.
    """
    external = await _search_externally(_iterate_conditions(query, scope), search_external)
    if query.summary == "count":
        return SearchPage((), total=await _count(db, query, scope, external))
    orders = [sort_key(sort) for sort in query.sort or (Sort(parameters_of(query.type)["_lastUpdated"], True),)]
    position = None if query.cursor is None else cursor.decode_position(query, [key.type for key in orders], scope.at)
    if position is not None:
        scope = replace(scope, at=position.at)
    rows, total = await _fetch_page(db, query, scope, external, orders, position)
    shown = rows[: query.count]
    following = (
        cursor.encode_position(query, _position_of(scope, orders, shown[-1])) if len(rows) > query.count else None
    )
    included = await fetch_included(db, query, scope, external, shown) if query.includes and shown else Included()
    return SearchPage(
        matches=tuple(row_of(row) for row in shown),
        included=tuple(included.rows),
        total=total,
        next_cursor=following,
        external_references=tuple(included.external_references),
        truncated=included.truncated,
    )


async def _count(
    db: Database | Connection, query: SearchQuery, scope: SearchScope, external: ExternalReferences
) -> int:
    statement = Statement(scope, external)
    inner = statement.select_matches(query)
    found = await db.fetchval(statement.with_tables(f"SELECT count(*) FROM ({inner}) AS s"), *statement.arguments)
    return int(found)


async def _fetch_page(
    db: Database | Connection,
    query: SearchQuery,
    scope: SearchScope,
    external: ExternalReferences,
    orders: Sequence[SortKey],
    position: PagePosition | None,
) -> tuple[list[Any], int | None]:
    """Return the rows of a page, and one more where there is a next page, and the total where that is requested."""
    statement = Statement(scope, external)
    keys = ", ".join(f"{each.sql} AS k{n}" for n, each in enumerate(orders))
    matches = statement.add_table(statement.select_matches(query, keys))
    after = "true" if position is None else _after_position(statement, orders, position)
    by = ", ".join(f"k{n}{' DESC' if each.descending else ''} NULLS LAST" for n, each in enumerate(orders)) + ", id"
    limit = statement.add_argument(query.count + 1, "bigint")
    total = "SELECT NULL::bigint AS total" if query.total == "none" else f"SELECT count(*) AS total FROM {matches}"
    page = f"SELECT * FROM {matches} WHERE {after} ORDER BY {by} LIMIT {limit}"
    # Every row has the total; an empty page is one row with the total alone.
    sql = (
        f"SELECT n.total, p.* FROM ({total}) AS n"
        f" LEFT JOIN ({statement.with_bodies(page, index=bool(query.includes))}) AS p ON true ORDER BY {by}"
    )
    rows = await db.fetch(statement.with_tables(sql), *statement.arguments)
    return [row for row in rows if row["id"] is not None], rows[0]["total"]


def _after_position(statement: Statement, orders: Sequence[SortKey], position: PagePosition) -> str:
    """Return SQL: whether a match comes after a position; matches without a sort key come last in either direction."""
    alternatives, same = [], []
    for n, (by, key) in enumerate(zip(orders, position.keys, strict=True)):
        if key is None:
            same.append(f"k{n} IS NULL")
            continue
        wanted = statement.add_argument(key, by.type)
        after = f"(k{n} {'<' if by.descending else '>'} {wanted} OR k{n} IS NULL)"
        alternatives.append(" AND ".join([*same, after]))
        same.append(f"k{n} = {wanted}")
    alternatives.append(" AND ".join([*same, f"id > {statement.add_argument(UUID(hex=position.id), 'uuid')}"]))
    return any_of(alternatives)


def _position_of(scope: SearchScope, orders: Sequence[SortKey], row: Any) -> PagePosition:
    return PagePosition(scope.at, tuple(row[f"k{n}"] for n in range(len(orders))), row["id"].hex)


def _iterate_conditions(query: SearchQuery, scope: SearchScope) -> Iterator[Condition]:
    """Yield every condition of a search and of the queries that limit its scope, with the inner ones."""
    granular = (each for queries in (scope.types or {}).values() for each in queries)
    waiting = [condition for each in (query, *granular) for condition in each.conditions]
    while waiting:
        condition = waiting.pop()
        yield condition
        if isinstance(condition, Chain):
            waiting += condition.targets.values()
        elif isinstance(condition, Has):
            waiting.append(condition.condition)


async def _search_externally(
    conditions: Iterable[Condition], search_external: ExternalSearch | None
) -> ExternalReferences:
    """Return the references that the chains among the conditions find outside of the record. Raises: `Problem` 400."""
    found: dict[tuple[str, str, str], Sequence[str]] = {}
    for chain in (each for each in conditions if isinstance(each, Chain)):
        for type_ in chain.external_types:
            key = (type_, chain.name, chain.value)
            if search_external is None:
                refuse(
                    f"{chain.parameter.code}.{chain.name}",
                    N_("The resources this search parameter points to cannot be searched here."),
                    N_("Search for that resource first, then use its reference."),
                )
            if key not in found:
                found[key] = await search_external(*key)
    return found

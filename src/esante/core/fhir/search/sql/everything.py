"""All resources of a person, page by page: what Patient/$everything gives."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from uuid import UUID

from esante.core.fhir.search.model import Row, Scope
from esante.core.fhir.search.parameters import parameters
from esante.core.fhir.search.query.parser import Conditions
from esante.core.fhir.search.sql.conditions import any_of, literal
from esante.core.fhir.search.sql.includes import row_of
from esante.core.fhir.search.sql.statement import Statement
from esante.core.storage import Database

Place = tuple[str, UUID]
"""Type and key of the last resource before a page."""


async def everything(
    db: Database,
    scope: Scope,
    types: Sequence[str],
    *,
    since: datetime | None = None,
    start: str = "",
    end: str = "",
    after: Place | None = None,
    limit: int,
) -> list[Row]:
    """Up to `limit` resources of some types in the order of type and key: those changed after `since`; of care between
    `start` and `end` (FHIR dates, empty: open), or that have no date of care."""
    statement = Statement(scope, {})
    tests = ["true"]
    if since is not None:
        tests.append(f"r.since > {statement.argument(since, 'timestamptz')}")
    if after is not None:
        tests.append(
            f"(r.type, r.id) > ({statement.argument(after[0], 'text')}, {statement.argument(after[1], 'uuid')})"
        )
    if start or end:
        tests += [_in_time(statement, type_, start, end) for type_ in types]
    rows = f"{statement.shown(types, '', ' AND '.join(tests))} ORDER BY type, id LIMIT {limit}"
    found = await db.fetch(f"{statement.with_bodies(rows)} ORDER BY type, id", *statement.arguments)
    return [row_of(row) for row in found]


def _in_time(statement: Statement, type_: str, start: str, end: str) -> str:
    dates = [one for one in parameters(type_).values() if one.type == "date" and one.keys]
    if not dates:
        return "true"
    told = any_of([f"r.index ? {literal(key.name)}" for one in dates for key in one.keys])
    within = any_of([" AND ".join(_limits(statement, type_, one.code, start, end)) for one in dates])
    return f"(r.type <> {literal(type_)} OR NOT ({told}) OR {within})"


def _limits(statement: Statement, type_: str, code: str, start: str, end: str) -> Iterator[str]:
    """What a date must be: not over before `start`, and begun before `end` is over."""
    if start:
        yield f"({statement.condition(type_, Conditions('').of(type_, code, f'ge{start}'))})"
    if end:
        yield f"({statement.condition(type_, Conditions('').of(type_, code, f'le{end}'))})"

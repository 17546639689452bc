"""All resources of a person, page by page, for Patient/$everything."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from esante.core.fhir.search.model import ResourceKey, ResourceRow, SearchScope
from esante.core.fhir.search.parameters import parameters_of
from esante.core.fhir.search.query.parser import ConditionParser
from esante.core.fhir.search.sql.conditions import any_of, literal
from esante.core.fhir.search.sql.includes import row_of
from esante.core.fhir.search.sql.statement import Statement
from esante.core.storage import Database


async def fetch_everything(
    db: Database,
    scope: SearchScope,
    types: Sequence[str],
    *,
    since: datetime | None = None,
    start: str = "",
    end: str = "",
    after: ResourceKey | None = None,
    limit: int,
) -> list[ResourceRow]:
    """Return up to `limit` resources of some types after a key, in the order of type and key.

    They changed after `since`; their dates of care are between `start` and `end` (FHIR dates, "": open), or they have
    no date of care.
    """
    statement = Statement(scope, {})
    tests = ["true"]
    if since is not None:
        tests.append(f"r.since > {statement.add_argument(since, 'timestamptz')}")
    if after is not None:
        type_, id_ = statement.add_argument(after[0], "text"), statement.add_argument(after[1], "uuid")
        tests.append(f"(r.type, r.id) > ({type_}, {id_})")
    if start or end:
        tests += [_care_date_condition(statement, type_, start, end) for type_ in types]
    rows = f"{statement.select_shown(types, '', ' AND '.join(tests))} ORDER BY type, id LIMIT {limit}"
    found = await db.fetch(f"{statement.with_bodies(rows)} ORDER BY type, id", *statement.arguments)
    return [row_of(row) for row in found]


def _care_date_condition(statement: Statement, type_: str, start: str, end: str) -> str:
    dates = [one for one in parameters_of(type_).values() if one.type == "date" and one.keys]
    if not dates:
        return "true"
    dated = any_of([f"r.index ? {literal(key.name)}" for one in dates for key in one.keys])
    within = any_of([" AND ".join(_date_limits(statement, type_, one.code, start, end)) for one in dates])
    return f"(r.type <> {literal(type_)} OR NOT ({dated}) OR {within})"


def _date_limits(statement: Statement, type_: str, code: str, start: str, end: str) -> Iterator[str]:
    """Yield the conditions on a date: it ends after `start` begins, and begins before `end` is over."""
    if start:
        yield f"({statement.condition(type_, ConditionParser('').parse(type_, code, f'ge{start}'))})"
    if end:
        yield f"({statement.condition(type_, ConditionParser('').parse(type_, code, f'le{end}'))})"

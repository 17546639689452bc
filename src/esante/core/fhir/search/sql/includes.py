"""`_include` and `_revinclude`: the targets of matches, and the resources that refer to them (search.html, "including
other resources")."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from esante.core.fhir.fhirpath import resource_types
from esante.core.fhir.logical_ids import parse_logical_id
from esante.core.fhir.search.model import Include, ResourceKey, ResourceRow, RevInclude, SearchQuery, SearchScope
from esante.core.fhir.search.parameters import IndexKey, Parameter, parameters_of
from esante.core.fhir.search.sql.conditions import any_of, exists, texts_under
from esante.core.fhir.search.sql.statement import ExternalReferences, Statement
from esante.core.storage import Connection, Database

#: Resources that are included in a page, and steps of `:iterate`.
MAX_INCLUDED, MAX_STEPS = 1_000, 8


@dataclass(slots=True)
class Included:
    """The included resources, the references that lead out of the record, and whether more were left out."""

    rows: list[ResourceRow] = field(default_factory=list)
    external_references: dict[str, None] = field(default_factory=dict)
    truncated: bool = False


def row_of(row: Any) -> ResourceRow:
    """Return a row of the table as a `ResourceRow`."""
    return ResourceRow(row["type"], row["id"], row["version"], row["source"], row["since"], row["body"])


async def fetch_included(
    db: Database | Connection,
    query: SearchQuery,
    scope: SearchScope,
    external: ExternalReferences,
    matches: Sequence[Any],
) -> Included:
    """Return the resources that a search includes for the rows of a page; these have the column `index`."""
    return await _IncludeFetcher(db, scope, external, matches).include_all(query.includes)


class _IncludeFetcher:
    def __init__(
        self, db: Database | Connection, scope: SearchScope, external: ExternalReferences, matches: Sequence[Any]
    ) -> None:
        self._db, self._scope, self._external = db, scope, external
        self._new = list(matches)
        self._known: set[ResourceKey] = {(row["type"], row["id"]) for row in matches}
        self._found = Included()

    async def include_all(self, includes: Sequence[Include | RevInclude]) -> Included:
        for step in range(MAX_STEPS):
            active = [each for each in includes if each.iterate or step == 0]
            if not active or not self._new:
                break
            rows = self._new
            self._new = []
            await self._include_targets([each for each in active if isinstance(each, Include)], rows)
            for each in active:
                if isinstance(each, RevInclude):
                    await self._include_sources(each, rows)
        else:
            self._found.truncated = self._found.truncated or bool(self._new)
        return self._found

    async def _include_targets(self, includes: Sequence[Include], rows: Sequence[Any]) -> None:
        wanted: dict[ResourceKey, None] = {}
        for text in (text for row in rows for each in includes for text in _references_in(row, each)):
            type_, _, id_ = text.partition("/")
            keys = parse_logical_id(id_)
            if keys is not None and keys[0] == self._scope.person_id:
                wanted[type_, keys[1]] = None
            elif type_ in resource_types() and id_:
                self._found.external_references[text] = None
        missing = [each for each in wanted if each not in self._known]
        if missing:
            await self._fetch_keys(sorted({type_ for type_, _ in missing}), set(missing))

    async def _fetch_keys(self, types: Sequence[str], wanted: set[ResourceKey]) -> None:
        statement = Statement(self._scope, self._external)
        pairs = sorted(wanted)
        among = (
            f"(r.type, r.id) IN (SELECT * FROM unnest({statement.add_argument([t for t, _ in pairs], 'text[]')},"
            f" {statement.add_argument([i for _, i in pairs], 'uuid[]')}))"
        )
        await self._fetch_and_keep(statement, statement.select_shown(types, "", among, [id_ for _, id_ in pairs]))

    async def _include_sources(self, include: RevInclude, rows: Sequence[Any]) -> None:
        possible = {include.target} if include.target else set(include.parameter.target)
        person = self._scope.person_id.hex
        references = [f"{row['type']}/{person}{row['id'].hex}" for row in rows if row["type"] in possible]
        if not references:
            return
        statement = Statement(self._scope, self._external)
        targets = statement.add_argument(references, "text[]")
        points = [
            exists(texts_under("r.index", key.name), f"v IN (SELECT unnest({targets}))")
            for key in include.parameter.keys
        ]
        await self._fetch_and_keep(statement, statement.select_shown([include.type], "", any_of(points)))

    async def _fetch_and_keep(self, statement: Statement, shown: str) -> None:
        """Fetch rows and keep the new ones, up to `MAX_INCLUDED` in all."""
        remaining = MAX_INCLUDED - len(self._found.rows)
        limit = statement.add_argument(remaining + len(self._known) + 1, "bigint")
        sql = statement.with_bodies(f"{shown} ORDER BY type, id LIMIT {limit}", index=True)
        fetched = await self._db.fetch(f"{statement.with_tables(sql)} ORDER BY type, id", *statement.arguments)
        new = [row for row in fetched if (row["type"], row["id"]) not in self._known]
        self._found.truncated = self._found.truncated or len(new) > remaining
        for row in new[:remaining]:
            self._known.add((row["type"], row["id"]))
            self._new.append(row)
            self._found.rows.append(row_of(row))


def _references_in(row: Any, each: Include) -> Iterator[str]:
    """Yield the references in a row that are to be included."""
    if each.type not in (None, row["type"]):
        return
    index = orjson.loads(row["index"])
    for key in _reference_keys(row["type"], each.parameter):
        for text in index.get(key.name, ()):
            type_ = text.partition("/")[0]
            if (key.target_type is None or key.target_type == type_) and each.target in (None, type_):
                yield text


def _reference_keys(type_: str, parameter: Parameter | None) -> Iterator[IndexKey]:
    """Yield the keys of a reference parameter, or of all reference parameters of the type."""
    for each in parameters_of(type_).values() if parameter is None else (parameter,):
        if each.type == "reference":
            yield from each.keys

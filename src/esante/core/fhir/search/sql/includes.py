"""`_include` and `_revinclude`: what matches point to, and what points to them (search.html, "including other
resources")."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import orjson

from esante.core.fhir import parse_logical_id
from esante.core.fhir.fhirpath.types import resources
from esante.core.fhir.search.model import Include, Query, Row, Scope
from esante.core.fhir.search.parameters import Key, Parameter, parameters
from esante.core.fhir.search.sql.conditions import any_of, some, texts
from esante.core.fhir.search.sql.statement import Outsiders, Statement
from esante.core.storage import Connection, Database

#: So many resources are included in a page at most, over so many steps of `:iterate`.
MAX_INCLUDED, MAX_STEPS = 1_000, 8

Resource = tuple[str, UUID]
"""Type and key of a resource of the person."""


@dataclass(slots=True)
class Included:
    """What was included, the references that lead out of the record, and whether there would have been more."""

    rows: list[Row] = field(default_factory=list)
    outside: dict[str, None] = field(default_factory=dict)
    cut: bool = False


def row_of(row: Any) -> Row:
    """A row of the table."""
    return Row(row["type"], row["id"], row["version"], row["source"], row["since"], row["body"])


async def include(
    db: Database | Connection, query: Query, scope: Scope, outsiders: Outsiders, matches: Sequence[Any]
) -> Included:
    """What a search includes beside the rows of a page, which have their index with them."""
    return await _Including(db, scope, outsiders, matches).all(query.includes)


class _Including:
    def __init__(self, db: Database | Connection, scope: Scope, outsiders: Outsiders, matches: Sequence[Any]) -> None:
        self._db, self._scope, self._outsiders = db, scope, outsiders
        self._new = list(matches)
        self._seen: set[Resource] = {(row["type"], row["id"]) for row in matches}
        self._found = Included()

    async def all(self, includes: Sequence[Include]) -> Included:
        for step in range(MAX_STEPS):
            asked = [each for each in includes if each.iterate or step == 0]
            if not asked or not self._new:
                break
            rows = self._new
            self._new = []
            await self._forward([each for each in asked if not each.reverse], rows)
            for each in asked:
                if each.reverse:
                    await self._reverse(each, rows)
        else:
            self._found.cut = self._found.cut or bool(self._new)
        return self._found

    async def _forward(self, includes: Sequence[Include], rows: Sequence[Any]) -> None:
        wanted: dict[Resource, None] = {}
        for text in (text for row in rows for each in includes for text in _references(row, each)):
            type_, _, id_ = text.partition("/")
            keys = parse_logical_id(id_)
            if keys is not None and keys[0] == self._scope.person_id:
                wanted[type_, keys[1]] = None
            elif type_ in resources() and id_:
                self._found.outside[text] = None
        missing = [each for each in wanted if each not in self._seen]
        if missing:
            await self._fetch(sorted({type_ for type_, _ in missing}), set(missing))

    async def _fetch(self, types: Sequence[str], wanted: set[Resource]) -> None:
        statement = Statement(self._scope, self._outsiders)
        pairs = sorted(wanted)
        among = (
            f"(r.type, r.id) IN (SELECT * FROM unnest({statement.argument([t for t, _ in pairs], 'text[]')},"
            f" {statement.argument([i for _, i in pairs], 'uuid[]')}))"
        )
        await self._add(statement, statement.shown(types, "", among, [id_ for _, id_ in pairs]))

    async def _reverse(self, each: Include, rows: Sequence[Any]) -> None:
        assert each.type is not None
        assert each.parameter is not None
        possible = {each.target} if each.target else set(each.parameter.target)
        person = self._scope.person_id.hex
        here = [f"{row['type']}/{person}{row['id'].hex}" for row in rows if row["type"] in possible]
        if not here:
            return
        statement = Statement(self._scope, self._outsiders)
        targets = statement.argument(here, "text[]")
        points = [some(texts("r.index", key.name), f"v IN (SELECT unnest({targets}))") for key in each.parameter.keys]
        await self._add(statement, statement.shown([each.type], "", any_of(points)))

    async def _add(self, statement: Statement, shown: str) -> None:
        """Fetch rows and keep those that are new, as far as there is room."""
        room = MAX_INCLUDED - len(self._found.rows)
        limit = statement.argument(room + len(self._seen) + 1, "bigint")
        sql = statement.with_bodies(f"{shown} ORDER BY type, id LIMIT {limit}", index=True)
        fetched = await self._db.fetch(f"{statement.whole(sql)} ORDER BY type, id", *statement.arguments)
        new = [row for row in fetched if (row["type"], row["id"]) not in self._seen]
        self._found.cut = self._found.cut or len(new) > room
        for row in new[:room]:
            self._seen.add((row["type"], row["id"]))
            self._new.append(row)
            self._found.rows.append(row_of(row))


def _references(row: Any, each: Include) -> Iterator[str]:
    """The references in a row that are to be included."""
    if each.type not in (None, row["type"]):
        return
    index = orjson.loads(row["index"])
    for key in _keys(row["type"], each.parameter):
        for text in index.get(key.name, ()):
            type_ = text.partition("/")[0]
            if (key.only is None or key.only == type_) and each.target in (None, type_):
                yield text


def _keys(type_: str, parameter: Parameter | None) -> Iterator[Key]:
    """The keys of a reference parameter, or of all that the type has."""
    for each in parameters(type_).values() if parameter is None else (parameter,):
        if each.type == "reference":
            yield from each.keys

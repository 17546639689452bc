"""One SQL statement over the resources of one person.

The same resource may come from several sources. The latest of those in the scope is shown, and a search must match
that one only. Therefore the statement first selects the shown rows, in the order of the table's key and hence without
sorting, and evaluates the conditions of the search on each.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from esante.core.fhir.logical_ids import parse_logical_id
from esante.core.fhir.search.indexing.dates import to_microseconds
from esante.core.fhir.search.model import (
    Chain,
    Condition,
    DateValue,
    Has,
    Match,
    Missing,
    SearchQuery,
    SearchScope,
    Sort,
    TokenValue,
)
from esante.core.fhir.search.parameters import IndexKey
from esante.core.fhir.search.sql.conditions import Comparisons, any_of, exists, literal, texts_under

ExternalReferences = Mapping[tuple[str, str, str], Sequence[str]]
"""References that chains found outside of the record, by type, name and value of the rest of the chain."""
_HEX = "replace(r.id::text, '-', '')"


@dataclass(frozen=True, slots=True)
class SortKey:
    """A sort key: its SQL over a row `r`, its PostgreSQL type, and its direction."""

    sql: str
    type: str
    descending: bool


class Statement:
    """Collects the arguments and the common table expressions of a statement."""

    def __init__(self, scope: SearchScope, external: ExternalReferences) -> None:
        self._scope, self._external = scope, external
        self._tables: list[str] = []
        self.arguments: list[object] = []
        self.person = self.add_argument(scope.person_id, "uuid")
        self._at = self.add_argument(scope.at, "timestamptz")
        self._sources = None if scope.sources is None else self.add_argument(list(scope.sources), "uuid[]")
        self._comparisons = Comparisons(self.add_argument, to_microseconds(scope.at))
        self._granting = False

    def add_argument(self, value: object, type_: str) -> str:
        """Add a value to the arguments and return its placeholder."""
        self.arguments.append(value)
        return f"${len(self.arguments)}::{type_}"

    def add_table(self, sql: str) -> str:
        """Add a common table expression and return its name."""
        name = f"t{len(self._tables)}"
        self._tables.append(f"{name} AS MATERIALIZED ({sql})")
        return name

    def with_tables(self, sql: str) -> str:
        """Return the statement with its common table expressions."""
        return f"WITH {', '.join(self._tables)} {sql}" if self._tables else sql

    def select_shown(
        self, types: Sequence[str], columns: str = "", condition: str = "true", ids: Sequence[UUID] | None = None
    ) -> str:
        """Return SQL: the shown rows of some types that meet a condition on a row `r`.

        The columns are type, id, source, version, since and those of `columns`, each of which has a name. With `ids`
        only rows of these resources.
        """
        readable = [type_ for type_ in types if self.is_readable(type_)]
        for type_ in readable:
            granular = self._granular_condition(type_)
            if granular:
                condition = f"({condition}) AND (r.type <> {self.add_argument(type_, 'text')} OR ({granular}))"
        tests = [
            f"r.person_id = {self.person}",
            self._type_condition(readable),
            f"r.until > {self._at} AND r.since <= {self._at} AND NOT r.deleted",
        ]
        if ids is not None:
            tests.append(f"r.id = ANY ({self.add_argument(list(ids), 'uuid[]')})")
        if self._sources is not None:
            tests.append(f"r.source = ANY ({self._sources})")
        return (
            "SELECT * FROM (SELECT DISTINCT ON (r.type, r.id) r.type, r.id, r.source, r.version, r.since,"
            f" {columns}{', ' if columns else ''}({condition}) AS hit FROM fhir_resource AS r"
            f" WHERE {' AND '.join(tests)} ORDER BY r.type, r.id, r.since DESC, r.source DESC) AS s WHERE s.hit"
        )

    def _type_condition(self, types: Sequence[str]) -> str:
        """Return SQL: whether a row `r` is of one of the types; one type by `=`, which keeps the order of the key."""
        if len(types) == 1:
            return f"r.type = {self.add_argument(types[0], 'text')}"
        return f"r.type = ANY ({self.add_argument(list(types), 'text[]')})"

    def select_matches(self, query: SearchQuery, columns: str = "") -> str:
        """Return SQL: the shown rows that match a search, with more columns."""
        ids = None
        for each in query.conditions:
            if isinstance(each, Match) and each.parameter.code == "_id" and each.modifier != "not":
                ids = self._ids(each)
        return self.select_shown([query.type], columns, self._all_conditions(query), ids)

    def with_bodies(self, rows: str, *, index: bool = False) -> str:
        """Return SQL: rows of `select_shown` with their body and, with `index`, their index."""
        return (
            f"SELECT p.*, b.body{', b.index' if index else ''} FROM ({rows}) AS p JOIN fhir_resource AS b"
            f" ON b.person_id = {self.person}"
            " AND b.type = p.type AND b.id = p.id AND b.source = p.source AND b.version = p.version"
        )

    def is_readable(self, type_: str) -> bool:
        """Return whether the scope allows resources of a type at all."""
        return self._granting or self._scope.types is None or type_ in self._scope.types

    def _granular_condition(self, type_: str) -> str:
        """Return SQL: the condition on resources of a readable type; "" for all.

        Resources that such a condition itself reads are not limited by others, which could go on without end.
        """
        if self._granting or self._scope.types is None:
            return ""
        queries = self._scope.types[type_]
        self._granting = True
        try:
            return any_of([self._all_conditions(query) for query in queries]) if queries else ""
        finally:
            self._granting = False

    def _all_conditions(self, query: SearchQuery) -> str:
        return " AND ".join(f"({self.condition(query.type, each)})" for each in query.conditions) or "true"

    def condition(self, type_: str, condition: Condition) -> str:
        """Return SQL: whether a row `r` of a type meets a condition."""
        match condition:
            case Match():
                return self._match_condition(condition)
            case Missing():
                return self._missing_condition(condition)
            case Chain():
                return self._chain_condition(condition)
            case Has():
                return self._has_condition(type_, condition)

    def _match_condition(self, match: Match) -> str:
        if match.parameter.code == "_id":
            found = f"r.id = ANY ({self.add_argument(self._ids(match), 'uuid[]')})"
            return f"NOT ({found})" if match.modifier == "not" else found
        if match.parameter.code == "_lastUpdated":
            moments = [value for value in match.values if isinstance(value, DateValue)]
            return any_of([self._comparisons.match_column(value, "r.since") for value in moments])
        return self._comparisons.match(match, "r.index")

    def _ids(self, match: Match) -> list[UUID]:
        """Return the keys in logical ids of this person, which begin with the person's key."""
        found = []
        for value in match.values:
            if isinstance(value, TokenValue) and not value.system and (keys := parse_logical_id(value.code or "")):
                found += [keys[1]] if keys[0] == self._scope.person_id else []
        return found

    def _missing_condition(self, condition: Missing) -> str:
        parameter = condition.parameter
        if not parameter.keys:  # a column, which has a value in every row
            return "false" if condition.missing else "true"
        there = [
            f"r.index ? {literal(key.name)}"
            if key.target_type is None
            else exists(texts_under("r.index", key.name), _refers_to_type(key.target_type))
            for key in parameter.keys
        ]
        return f"({any_of(there)}) IS {'NOT ' if condition.missing else ''}TRUE"

    def _chain_condition(self, chain: Chain) -> str:
        """Return SQL: whether a reference to a resource that matches is under a key of the parameter."""
        found = [
            self.add_table(
                f"SELECT {self._reference(type_)} AS reference FROM ({self._select_inner(type_, condition)}) AS r"
            )
            for type_, condition in chain.targets.items()
            if self.is_readable(type_)
        ]
        external = [r for type_ in chain.external_types for r in self._external[type_, chain.name, chain.value]]
        listed = self.add_argument(external, "text[]") if external else None

        def meets(v: str) -> str:
            among = [f"{v} IN (SELECT reference FROM {table})" for table in found]
            return any_of([*among, *([f"{v} IN (SELECT unnest({listed}))"] if listed else [])])

        return any_of([_reference_condition(key, meets) for key in chain.parameter.keys])

    def _select_inner(self, type_: str, condition: Condition, columns: str = "") -> str:
        return self.select_shown([type_], columns, self.condition(type_, condition))

    def _has_condition(self, type_: str, has: Has) -> str:
        if not self.is_readable(has.type):
            return "false"
        keys = [f"coalesce(r.index->{literal(key.name)}, '[]')" for key in has.parameter.keys]
        inner = self._select_inner(has.type, has.condition, f"{' || '.join(keys)} AS targets")
        table = self.add_table(f"SELECT v AS reference FROM ({inner}) AS r, jsonb_array_elements_text(r.targets) AS v")
        return f"{self._reference(type_)} IN (SELECT reference FROM {table})"

    def _reference(self, type_: str) -> str:
        """Return SQL: the reference to a row `r`."""
        return f"{self.add_argument(f'{type_}/{self._scope.person_id.hex}', 'text')} || {_HEX}"


def sort_key(sort: Sort) -> SortKey:
    """Return the sort key of a parameter: the least of several values, or the greatest if descending."""
    parameter, down = sort.parameter, sort.descending
    if parameter.code == "_lastUpdated":
        return SortKey("r.since", "timestamptz", down)
    if parameter.code == "_id":
        return SortKey(f'{_HEX} COLLATE "C"', "text", down)
    type_ = {"date": "bigint", "number": "numeric", "quantity": "numeric"}.get(parameter.type, "text")
    keys = [_least_value(parameter.type, key, type_, down) for key in parameter.keys]
    found = f"{'GREATEST' if down else 'LEAST'}({', '.join(keys)})" if len(keys) > 1 else keys[0]
    return SortKey(found, type_, down)


def _reference_condition(key: IndexKey, condition: Callable[[str], str]) -> str:
    """Return SQL: whether a reference under a key meets a condition; without a loop where there is only one."""
    if key.many:
        return exists(texts_under("r.index", key.name), condition("v"))
    return condition(f"(r.index->{literal(key.name)}->>0)")


def _refers_to_type(type_: str) -> str:
    """Return SQL: whether the reference `v` is to a type."""
    return f"v LIKE '{type_}/%' OR v LIKE '%/{type_}/%'"


def _least_value(kind: str, key: IndexKey, type_: str, down: bool) -> str:
    """Return SQL: the least value under a key, or the greatest."""
    function, found = "max" if down else "min", f"r.index->{literal(key.name)}"
    match kind:
        case "token":
            return f'(SELECT {function}(v COLLATE "C") FROM jsonb_object_keys({found}) AS v)'
        case "uri" | "reference":
            fits = "true" if key.target_type is None else _refers_to_type(key.target_type)
            return f'(SELECT {function}(v COLLATE "C") FROM jsonb_array_elements_text({found}) AS v WHERE {fits})'
        case "quantity":
            value = "coalesce({0}->>6, {0}->>0)::numeric"
        case "string":
            value = '({0}->>0) COLLATE "C"'
        case _:
            value = "({0}->>0)::" + type_
    if not key.many:
        return value.format(f"({found}->0)")
    return f"(SELECT {function}({value.format('v')}) FROM jsonb_array_elements({found}) AS v)"

"""One SQL statement over the resources of one person.

The same resource may be there from several sources. The one shown is the latest of those that may be seen, and a
search must look at that one only: so first the shown rows are found, in the order of the table's key and hence
without sorting, and what is searched for is told of each.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from esante.core.fhir import parse_logical_id
from esante.core.fhir.search.indexing.dates import microseconds
from esante.core.fhir.search.model import Chain, Condition, Has, Match, Missing, Moments, Query, Scope, Sort, Token
from esante.core.fhir.search.parameters import Key
from esante.core.fhir.search.sql.conditions import Comparisons, any_of, literal, some, texts

#: References that chains found outside of the record, by type, name and value of the rest of the chain.
Outsiders = Mapping[tuple[str, str, str], Sequence[str]]
_HEX = "replace(r.id::text, '-', '')"


@dataclass(frozen=True, slots=True)
class Order:
    """A key to sort by: its SQL over a row `r`, its PostgreSQL type, and its direction."""

    sql: str
    type: str
    descending: bool


class Statement:
    """Collects the parameters and the common table expressions of a statement."""

    def __init__(self, scope: Scope, outsiders: Outsiders) -> None:
        self._scope, self._outsiders = scope, outsiders
        self._tables: list[str] = []
        self.arguments: list[object] = []
        self.person = self.argument(scope.person_id, "uuid")
        self._at = self.argument(scope.at, "timestamptz")
        self._sources = None if scope.sources is None else self.argument(list(scope.sources), "uuid[]")
        self._comparisons = Comparisons(self.argument, microseconds(scope.at))
        self._granting = False

    def argument(self, value: object, type_: str) -> str:
        """The place of a value in the statement."""
        self.arguments.append(value)
        return f"${len(self.arguments)}::{type_}"

    def table(self, sql: str) -> str:
        """The name of a new common table expression."""
        name = f"t{len(self._tables)}"
        self._tables.append(f"{name} AS MATERIALIZED ({sql})")
        return name

    def whole(self, sql: str) -> str:
        """The statement with its common table expressions."""
        return f"WITH {', '.join(self._tables)} {sql}" if self._tables else sql

    def shown(
        self, types: Sequence[str], columns: str = "", condition: str = "true", ids: Sequence[UUID] | None = None
    ) -> str:
        """The rows shown of some types that meet a condition on a row `r`: type, id, source, version, since and more
        columns, each with a name. With `ids` only of those resources."""
        readable = [type_ for type_ in types if self.readable(type_)]
        for type_ in readable:
            granular = self._granular(type_)
            if granular:
                condition = f"({condition}) AND (r.type <> {self.argument(type_, 'text')} OR ({granular}))"
        tests = [
            f"r.person_id = {self.person}",
            self._one_of(readable),
            f"r.until > {self._at} AND r.since <= {self._at} AND NOT r.deleted",
        ]
        if ids is not None:
            tests.append(f"r.id = ANY ({self.argument(list(ids), 'uuid[]')})")
        if self._sources is not None:
            tests.append(f"r.source = ANY ({self._sources})")
        return (
            "SELECT * FROM (SELECT DISTINCT ON (r.type, r.id) r.type, r.id, r.source, r.version, r.since,"
            f" {columns}{', ' if columns else ''}({condition}) AS hit FROM fhir_resource AS r"
            f" WHERE {' AND '.join(tests)} ORDER BY r.type, r.id, r.since DESC, r.source DESC) AS s WHERE s.hit"
        )

    def _one_of(self, types: Sequence[str]) -> str:
        """Whether a row `r` is of one of the types; of a single one said so that the order of the key is kept."""
        if len(types) == 1:
            return f"r.type = {self.argument(types[0], 'text')}"
        return f"r.type = ANY ({self.argument(list(types), 'text[]')})"

    def search(self, query: Query, columns: str = "") -> str:
        """The rows shown that a search finds, with more columns."""
        ids = None
        for each in query.conditions:
            if isinstance(each, Match) and each.parameter.code == "_id" and each.modifier != "not":
                ids = self._ids(each)
        return self.shown([query.type], columns, self._all(query), ids)

    def with_bodies(self, rows: str, *, index: bool = False) -> str:
        """Rows of `shown` with their body, and with their index if that is asked for."""
        return (
            f"SELECT p.*, b.body{', b.index' if index else ''} FROM ({rows}) AS p JOIN fhir_resource AS b"
            f" ON b.person_id = {self.person}"
            " AND b.type = p.type AND b.id = p.id AND b.source = p.source AND b.version = p.version"
        )

    def readable(self, type_: str) -> bool:
        """Whether resources of a type may be seen at all."""
        return self._granting or self._scope.types is None or type_ in self._scope.types

    def _granular(self, type_: str) -> str:
        """The condition under which resources of a readable type may be seen; none for all.

        What such a condition itself looks at is not limited by others: they could limit one another without end.
        """
        if self._granting or self._scope.types is None:
            return ""
        queries = self._scope.types[type_]
        self._granting = True
        try:
            return any_of([self._all(query) for query in queries]) if queries else ""
        finally:
            self._granting = False

    def _all(self, query: Query) -> str:
        return " AND ".join(f"({self.condition(query.type, each)})" for each in query.conditions) or "true"

    def condition(self, type_: str, condition: Condition) -> str:
        """Whether a row `r` of a type meets a condition."""
        match condition:
            case Match():
                return self._match(condition)
            case Missing():
                return self._missing(condition)
            case Chain():
                return self._chain(condition)
            case Has():
                return self._has(type_, condition)

    def _match(self, match: Match) -> str:
        if match.parameter.code == "_id":
            found = f"r.id = ANY ({self.argument(self._ids(match), 'uuid[]')})"
            return f"NOT ({found})" if match.modifier == "not" else found
        if match.parameter.code == "_lastUpdated":
            moments = [value for value in match.values if isinstance(value, Moments)]
            return any_of([self._comparisons.moments(value, "r.since") for value in moments])
        return self._comparisons.match(match, "r.index")

    def _ids(self, match: Match) -> list[UUID]:
        """The keys in logical ids of this person, which begin with the person's own key."""
        found = []
        for value in match.values:
            if isinstance(value, Token) and not value.system and (keys := parse_logical_id(value.code or "")):
                found += [keys[1]] if keys[0] == self._scope.person_id else []
        return found

    def _missing(self, condition: Missing) -> str:
        parameter = condition.parameter
        if not parameter.keys:  # a column, which every row has
            return "false" if condition.missing else "true"
        there = [
            f"r.index ? {literal(key.name)}"
            if key.only is None
            else some(texts("r.index", key.name), _leads(key.only))
            for key in parameter.keys
        ]
        return f"({any_of(there)}) IS {'NOT ' if condition.missing else ''}TRUE"

    def _chain(self, chain: Chain) -> str:
        """The references to all that matches, and whether one of them is under a key of the parameter."""
        found = [
            self.table(f"SELECT {self._reference(type_)} AS reference FROM ({self._inner(type_, condition)}) AS r")
            for type_, condition in chain.targets.items()
            if self.readable(type_)
        ]
        outside = [r for type_ in chain.outside for r in self._outsiders[type_, chain.name, chain.value]]
        elsewhere = self.argument(outside, "text[]") if outside else None

        def meets(v: str) -> str:
            among = [f"{v} IN (SELECT reference FROM {table})" for table in found]
            return any_of([*among, *([f"{v} IN (SELECT unnest({elsewhere}))"] if elsewhere else [])])

        return any_of([_a_reference(key, meets) for key in chain.parameter.keys])

    def _inner(self, type_: str, condition: Condition, columns: str = "") -> str:
        return self.shown([type_], columns, self.condition(type_, condition))

    def _has(self, type_: str, has: Has) -> str:
        if not self.readable(has.type):
            return "false"
        keys = [f"coalesce(r.index->{literal(key.name)}, '[]')" for key in has.parameter.keys]
        inner = self._inner(has.type, has.condition, f"{' || '.join(keys)} AS targets")
        table = self.table(f"SELECT v AS reference FROM ({inner}) AS r, jsonb_array_elements_text(r.targets) AS v")
        return f"{self._reference(type_)} IN (SELECT reference FROM {table})"

    def _reference(self, type_: str) -> str:
        """The reference to a row `r`."""
        return f"{self.argument(f'{type_}/{self._scope.person_id.hex}', 'text')} || {_HEX}"


def order(sort: Sort) -> Order:
    """What a parameter sorts by: of several values the least, or, descending, the greatest."""
    parameter, down = sort.parameter, sort.descending
    if parameter.code == "_lastUpdated":
        return Order("r.since", "timestamptz", down)
    if parameter.code == "_id":
        return Order(f'{_HEX} COLLATE "C"', "text", down)
    type_ = {"date": "bigint", "number": "numeric", "quantity": "numeric"}.get(parameter.type, "text")
    keys = [_least(parameter.type, key, type_, down) for key in parameter.keys]
    found = f"{'GREATEST' if down else 'LEAST'}({', '.join(keys)})" if len(keys) > 1 else keys[0]
    return Order(found, type_, down)


def _a_reference(key: Key, condition: Callable[[str], str]) -> str:
    """Whether a reference under a key meets a condition; where there is but one, without looking for more."""
    if key.many:
        return some(texts("r.index", key.name), condition("v"))
    return condition(f"(r.index->{literal(key.name)}->>0)")


def _leads(type_: str) -> str:
    """Whether the reference `v` is to a type."""
    return f"v LIKE '{type_}/%' OR v LIKE '%/{type_}/%'"


def _least(kind: str, key: Key, type_: str, down: bool) -> str:
    """The least value under a key, or the greatest."""
    function, found = "max" if down else "min", f"r.index->{literal(key.name)}"
    match kind:
        case "token":
            return f'(SELECT {function}(v COLLATE "C") FROM jsonb_object_keys({found}) AS v)'
        case "uri" | "reference":
            fits = "true" if key.only is None else _leads(key.only)
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

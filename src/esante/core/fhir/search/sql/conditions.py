"""SQL conditions of search parameters, over the shapes of the index (see `indexing.extraction`).

Every value is a parameter of the statement; the text of the SQL contains names from the definitions of R4 only.
"""

from collections.abc import Callable, Sequence
from decimal import Decimal

import orjson

from esante.core.fhir.search.indexing.dates import approximate_range, from_microseconds
from esante.core.fhir.search.indexing.numbers import UCUM, bounds_around, convert_range, find_unit
from esante.core.fhir.search.model import (
    CompositeValue,
    DateValue,
    Match,
    NumberValue,
    ReferenceValue,
    StringValue,
    TokenValue,
    Value,
)
from esante.core.fhir.search.parameters import Alternative, IndexKey, Parameter

AddArgument = Callable[[object, str], str]
"""Adds a value of a PostgreSQL type to the parameters of the statement, and returns its placeholder."""
#: The part of a number that `ap` adds on both sides.
_APPROXIMATELY = Decimal("0.1")
#: For each prefix the end of a value's range that is compared with a number, and the operator.
_SIDES = {
    "gt": ("high", ">"),
    "ge": ("high", ">="),
    "lt": ("low", "<"),
    "le": ("low", "<="),
    "sa": ("low", ">"),
    "eb": ("high", "<"),
}


def literal(text: str) -> str:
    """Return a text of the definitions as an SQL literal."""
    return "'" + text.replace("'", "''") + "'"


def exists(entries: str, condition: str) -> str:
    """Return SQL: whether one row `v` of a set-returning function meets a condition."""
    return f"EXISTS (SELECT 1 FROM {entries} AS v WHERE {condition})"


def texts_under(source: str, name: str) -> str:
    """Return SQL: the texts under a key of the jsonb `source`."""
    return f"jsonb_array_elements_text({source}->{literal(name)})"


def any_of(conditions: Sequence[str]) -> str:
    """Return SQL: whether one of the conditions is true; false for none."""
    return " OR ".join(f"({each})" for each in conditions) or "false"


class Comparisons:
    """Writes the comparisons of one statement; `now` is the moment of the search, in microseconds since 1970."""

    def __init__(self, argument: AddArgument, now: int) -> None:
        self._argument, self._now = argument, now

    def match(self, match: Match, source: str) -> str:
        """Return SQL: whether the values under the keys of a parameter, in the jsonb `source`, match."""
        if match.parameter.type == "composite":
            return any_of([self._match_composite(match.parameter, value, source) for value in match.values])
        negated = match.modifier in ("not", "not-in")
        modifier = {"not": "", "not-in": "in"}.get(match.modifier, match.modifier)
        found = any_of(
            [
                self._match_key(match.parameter.type, modifier, key, match.values, source)
                for key in match.parameter.keys
            ]
        )
        return f"({found}) IS NOT TRUE" if negated else found

    def _match_key(self, kind: str, modifier: str, key: IndexKey, values: Sequence[Value], source: str) -> str:
        found = f"{source}->{literal(key.name)}"
        match kind, modifier:
            case "string", _:
                return self._match_strings(
                    modifier, [v for v in values if isinstance(v, StringValue)], found, key.many
                )
            case _, "text":
                return self._match_labels([v for v in values if isinstance(v, StringValue)], source, key)
            case _, "of-type":
                wanted = self._argument([v.given for v in values if isinstance(v, StringValue)], "text[]")
                return f"{source}->{literal(key.name + ':of-type')} ?| {wanted}"
            case _, "in":
                return self._match_listed_codes([v for v in values if isinstance(v, TokenValue)], found, key)
            case _, "identifier":
                tokens = [v for v in values if isinstance(v, TokenValue)]
                return self._match_tokens(tokens, f"{source}->{literal(key.name + ':identifier')}", IndexKey(key.name))
            case "token", _:
                return self._match_tokens([v for v in values if isinstance(v, TokenValue)], found, key)
            case (("uri" | "reference"), _):
                return self._match_references(
                    modifier, [t for v in values if isinstance(v, ReferenceValue) for t in v.texts], found
                )
            case _:
                ranges = [v for v in values if isinstance(v, DateValue | NumberValue)]
                return self._match_entries(
                    found, key.many, lambda v: any_of([self._match_range(kind, each, v) for each in ranges])
                )

    def _match_entries(self, found: str, many: bool, condition: Callable[[str], str]) -> str:
        """Return SQL: whether one of the entries meets a condition; without a loop where there is only one."""
        if not many:
            return condition(f"({found}->0)")
        return exists(f"jsonb_array_elements({found})", condition("v"))

    def _match_strings(self, modifier: str, values: Sequence[StringValue], found: str, many: bool) -> str:
        if modifier == "exact":
            wanted = self._argument([value.given for value in values], "text[]")
            return self._match_entries(found, many, lambda v: f"{v}->>1 = ANY ({wanted})")
        texts = [value.normal for value in values if value.normal]
        # Of "+" or "?" nothing remains, which every text would begin with: such a value is compared as it was given.
        symbols = [value.given for value in values if not value.normal]
        operator = "^@"
        if modifier == "contains":
            operator = "LIKE"
            texts, symbols = ([f"%{_escape_like(text)}%" for text in each] for each in (texts, symbols))
        compared = [(at, self._argument(each, "text[]")) for at, each in enumerate((texts, symbols)) if each]
        return self._match_entries(
            found, many, lambda v: any_of([f"{v}->>{at} {operator} ANY ({wanted})" for at, wanted in compared])
        )

    def _match_labels(self, values: Sequence[StringValue], source: str, key: IndexKey) -> str:
        wanted = self._argument([value.normal for value in values if value.normal], "text[]")
        return exists(texts_under(source, f"{key.name}:text"), f"v ^@ ANY ({wanted})")

    def _match_tokens(self, values: Sequence[TokenValue], found: str, key: IndexKey) -> str:
        codes, pairs, systems = [], [], []
        for system, code in values:
            implied = key.codes.get(system or "", frozenset())
            if system is None and code is not None:
                codes.append(code)
            elif code is None:
                systems.append(system)
                codes += sorted(implied)
            else:
                pairs.append({code: [system]})
                if code in implied:
                    codes.append(code)
        conditions = []
        if codes:
            conditions.append(f"{found} ?| {self._argument(codes, 'text[]')}")
        if pairs:
            wanted = self._argument([orjson.dumps(pair).decode() for pair in pairs], "jsonb[]")
            conditions.append(f"{found} @> ANY ({wanted})")
        if systems:
            wanted = self._argument(systems, "text[]")
            conditions.append(exists(f"jsonb_each({found})", f"v.value ?| {wanted}"))
        return any_of(conditions)

    def _match_listed_codes(self, values: Sequence[TokenValue], found: str, key: IndexKey) -> str:
        """Return SQL for long lists of codes: whether a code of the index is in the list."""
        pairs = [f"{system}|{code}" for system, code in values]
        pairs += [f"|{code}" for system, code in values if code in key.codes.get(system or "", ())]
        wanted = self._argument(pairs, "text[]")
        codes = f"jsonb_each({found}) AS c, jsonb_array_elements_text(c.value)"
        return exists(codes, f"v || '|' || c.key = ANY ({wanted})")

    def _match_references(self, modifier: str, wanted: Sequence[str], found: str) -> str:
        if modifier == "above":
            wanted = [above for text in wanted for above in _parent_addresses(text)]
        same = f"{found} ?| {self._argument(list(wanted), 'text[]')}"
        if modifier != "below":
            return same
        below = self._argument(
            [f"{text.removesuffix('/')}/" for text in wanted if "://" in text and "|" not in text], "text[]"
        )
        return f"{same} OR " + exists(f"jsonb_array_elements_text({found})", f"v ^@ ANY ({below})")

    def _match_range(self, kind: str, value: DateValue | NumberValue, v: str) -> str:
        if isinstance(value, DateValue):
            return self._match_dates(value, f"({v}->>0)::bigint", f"({v}->>1)::bigint", "bigint")
        if kind == "number":
            return self._match_number(value, v, 0)
        return self._match_quantity(value, v)

    def _match_quantity(self, value: NumberValue, v: str) -> str:
        """Return SQL that compares in base units where the unit is one of UCUM; else the units must be equal."""
        known = find_unit(value.system, value.unit) if value.system == UCUM else None
        if known is not None:
            low, middle, high = convert_range(value.low, value.value, value.high, known.factor)
            amount = self._match_number(NumberValue(value.prefix, middle, low, high), v, 6)
            return f"{v}->>5 = {self._argument(known.dimension, 'text')} AND ({amount})"
        amount = self._match_number(value, v, 0)
        if value.unit is not None:
            wanted = self._argument(value.unit, "text")
            same = f"{v}->>2 = {wanted}" if value.system else f"({v}->>2 = {wanted} OR {v}->>4 = {wanted})"
            amount = f"{same} AND ({amount})"
        if value.system is not None:
            amount = f"{v}->>3 = {self._argument(value.system, 'text')} AND ({amount})"
        return amount

    def _match_number(self, value: NumberValue, v: str, at: int) -> str:
        """Return SQL that compares the range at positions `at` and `at` + 1 of an entry with a number (search.html,
        "number")."""
        low, high = f"({v}->>{at})::numeric", f"({v}->>{at + 1})::numeric"
        if value.prefix in ("eq", "ne"):
            first, last = self._argument(value.low, "numeric"), self._argument(value.high, "numeric")
            within = f"{low} >= {first} AND {high} < {last}"
            return within if value.prefix == "eq" else f"NOT ({within})"
        if value.prefix == "ap":
            margin = Decimal(max(abs(value.value * _APPROXIMATELY), value.high - value.value))
            first, last = (self._argument(end, "numeric") for end in bounds_around(value.value, margin))
            return f"{low} <= {last} AND {high} >= {first}"
        wanted = self._argument(value.value, "numeric")
        side, sign = _SIDES[value.prefix]
        return f"{low if side == 'low' else high} {sign} {wanted}"

    def match_column(self, value: DateValue, column: str) -> str:
        """Return SQL that compares a timestamptz column with a date."""
        return self._match_dates(value, column, f"{column} + interval '1 microsecond'", "timestamptz")

    def _match_dates(self, value: DateValue, low: str, high: str, type_: str) -> str:
        """Return SQL that compares the range `low` to `high` (exclusive) with a date (search.html, "prefixes")."""
        first, last = value.low, value.high
        if value.prefix == "ap":
            first, last = approximate_range((first, last), self._now)

        def end(at: int) -> str:
            return self._argument(at if type_ == "bigint" else from_microseconds(at), type_)

        match value.prefix:
            case "gt":
                return f"{high} > {end(last)}"
            case "lt":
                return f"{low} < {end(first)}"
            case "sa":
                return f"{low} >= {end(last)}"
            case "eb":
                return f"{high} <= {end(first)}"
            case "ap":
                return f"{low} < {end(last)} AND {high} > {end(first)}"
        first_, last_ = end(first), end(last)
        within = f"{low} >= {first_} AND {high} <= {last_}"
        further = {"ge": f"{high} > {last_} OR ({within})", "le": f"{low} < {first_} OR ({within})"}
        return further.get(value.prefix) or (within if value.prefix == "eq" else f"NOT ({within})")

    def _match_composite(self, parameter: Parameter, value: Value, source: str) -> str:
        if not isinstance(value, CompositeValue):
            raise TypeError(f"a composite parameter needs a composite value, not {type(value).__name__}")
        return any_of([self._alternative(each, value, source) for each in parameter.alternatives])

    def _alternative(self, alternative: Alternative, value: CompositeValue, source: str) -> str:
        inner = source if alternative.nested is None else "v"
        parts = [
            any_of([self._match_key(component.kind, "", key, (part,), inner) for key in component.keys])
            for component, part in zip(alternative.components, value.values, strict=True)
        ]
        found = " AND ".join(f"({part})" for part in parts)
        if alternative.nested is None:
            return found
        return exists(f"jsonb_array_elements({source}->{literal(alternative.nested)})", found)


def _escape_like(text: str) -> str:
    """Return a text as a LIKE pattern that matches only itself."""
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def _parent_addresses(text: str) -> list[str]:
    """Return an address and its parents in the path.

    The version of a canonical, behind the bar, is no part of its path (search.html, "uri"; references.html,
    "canonical").
    """
    head, mark, rest = text.partition("|")[0].partition("://")
    if not mark:
        return [text]
    parts = rest.split("/")
    parents = ["/".join(parts[:n]) for n in range(1, len(parts))]
    return [text, *(f"{head}://{each}{end}" for each in parents for end in ("", "/"))]

"""FHIRPath as SQL of DuckDB: the part of it that views use most. What is not here is left to the reference engine."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from esante.core.fhir.fhirpath import (
    Call,
    Infix,
    Items,
    Literal,
    Name,
    Node,
    Option,
    Special,
    Step,
    Subscript,
    SyntaxTree,
    Temporal,
    TypeTest,
    Variable,
    resource_types,
)
from esante.services.research.views_sql.shape import Shape, options_of

TEXT, NUMBER, BOOLEAN = "text", "number", "boolean"
_NUMBERS = frozenset({"decimal", "integer", "positiveInt", "unsignedInt"})
_TEXTS = frozenset(
    {"string", "code", "id", "markdown", "uri", "url", "canonical", "oid", "uuid", "base64Binary", "xhtml"}
    | {"date", "dateTime", "instant", "time"}
)
_ORDERED = {"<": "<", ">": ">", "<=": "<=", ">=": ">="}


class NotCompiled(Exception):
    """An expression, or a part of a definition, that has no SQL here; the text says which."""


@dataclass(frozen=True, slots=True)
class Code:
    """An expression in SQL: a value, or (`many`) a list without nulls. `type`: of FHIR, or `TEXT` and the like.

    `shape`: where the elements that are read of it are noted. `choice`: an element of several types, of each its code.
    """

    sql: str
    type: str
    many: bool = False
    shape: Shape | None = None
    choice: tuple["Code", ...] = ()
    extensions: str = ""


class ExpressionWriter:
    """Writes expressions over elements in SQL; `constants` of the view."""

    def __init__(self, constants: Mapping[str, Items]) -> None:
        self._constants, self._lambdas = constants, 0

    def write(self, tree: SyntaxTree, on: Code, this: Code | None = None) -> Code:
        """Return an expression over an element. Raises: `NotCompiled`."""
        match tree:
            case Name():
                return self._named(tree, on)
            case Step(left, right):
                inner = self.write(left, on, this)
                return self._element(inner, right.name) if isinstance(right, Name) else self._call(right, inner, on)
            case Call():
                return self._call(tree, on, on)
            case Literal():
                return _literal(tree.value)
            case Variable():
                return self._constant(tree.name)
            case Subscript(left, Literal(int() as index)):
                inner = self.write(left, on, this)
                return (
                    replace(inner, sql=f"{inner.sql}[{index + 1}]", many=False) if inner.many else _only(inner, index)
                )
            case Infix():
                return self._infix(tree, on)
            case TypeTest("as", operand, type_):
                return _of_type(self.write(operand, on, this), type_.removeprefix("FHIR."))
            case Special("$this"):
                return on
        raise NotCompiled(type(tree).__name__)

    def condition(self, tree: SyntaxTree, on: Code) -> str:
        """Return a condition over an element in SQL; null counts as false."""
        found = self.write(tree, on)
        if found.many or found.choice:
            raise NotCompiled("a condition over several values")
        if found.type not in (BOOLEAN, "boolean"):
            raise NotCompiled("a condition that is no boolean")
        return found.sql

    def _named(self, tree: Name, on: Code) -> Code:
        if tree.name in resource_types() and on.type == tree.name:
            return on
        return self._element(on, tree.name)

    def _element(self, of: Code, name: str) -> Code:
        if of.choice or of.shape is None:
            raise NotCompiled(f"{name} of what has several types or none")
        options, many = options_of(of.type, name)
        if not options:
            raise NotCompiled(f"{of.type}.{name}")
        found = tuple(self._option(of, option, many) for option in options)
        return found[0] if len(found) == 1 else replace(found[0], sql="", type="", choice=found)

    def _option(self, of: Code, option: Option, many: bool) -> Code:
        if of.shape is None:
            raise NotCompiled(option.name)
        shape = of.shape.inside.setdefault(option.name, Shape(many))
        if option.type == "boolean":
            shape.type = "BOOLEAN"
        name = f'"{option.name}"'
        if not of.many:
            beside = f"{of.sql}.{option.extensions}" if option.extensions and not many else ""
            return Code(f"{of.sql}.{name}", option.type, many, shape, extensions=beside)
        one = self._lambda()
        inner = f"list_transform({of.sql}, lambda {one}: {one}.{name})"
        if many:
            return Code(f"flatten({inner})", option.type, True, shape)
        return Code(f"list_filter({inner}, lambda {one}: {one} IS NOT NULL)", option.type, True, shape)

    def _call(self, call: Call, of: Code, on: Code) -> Code:
        writers: dict[str, Callable[[Call, Code, Code], Code]] = {
            "first": lambda call, of, on: _only(of, 0) if not of.many else replace(of, sql=f"{of.sql}[1]", many=False),
            "exists": self._exists,
            "empty": lambda call, of, on: Code(f"NOT {self._exists(call, of, on).sql}", BOOLEAN),
            "not": lambda call, of, on: Code(f"NOT ({_boolean(of)})", BOOLEAN),
            "where": self._where,
            "ofType": lambda call, of, on: _of_type(of, _type_name(call.arguments[0])),
            "count": lambda call, of, on: Code(f"coalesce(len({_list(of)}), 0)", NUMBER),
            "toString": lambda call, of, on: _text(of),
            "substring": self._substring,
            "startsWith": lambda call, of, on: self._text_function("starts_with", call, of, on),
            "endsWith": lambda call, of, on: self._text_function("ends_with", call, of, on),
            "contains": lambda call, of, on: self._text_function("contains", call, of, on),
            "iif": self._iif,
            "join": self._join,
            "getResourceKey": _resource_key,
            "getReferenceKey": self._reference_key,
        }
        if call.name not in writers:
            raise NotCompiled(f"{call.name}()")
        return writers[call.name](call, of, on)

    def _exists(self, call: Call, of: Code, on: Code) -> Code:
        if call.arguments:
            of = self._where(call, of, on)
        if of.choice:
            return Code("(" + " OR ".join(_there(one) for one in of.choice) + ")", BOOLEAN)
        return Code(_there(of), BOOLEAN)

    def _where(self, call: Call, of: Code, on: Code) -> Code:
        if of.choice:
            raise NotCompiled("where() over several types")
        one = self._lambda() if of.many else of.sql
        condition = self.condition(call.arguments[0], Code(one, of.type, False, of.shape))
        if not of.many:
            return replace(of, sql=f"CASE WHEN {condition} THEN {of.sql} END", extensions="")
        return replace(of, sql=f"list_filter({of.sql}, lambda {one}: coalesce({condition}, false))")

    def _substring(self, call: Call, of: Code, on: Code) -> Code:
        text, places = _text(of).sql, [self._whole(one) for one in call.arguments]
        start = places[0]
        cut = f"substr({text}, {start + 1}" + (f", {places[1]})" if len(places) > 1 else ")")
        return Code(f"CASE WHEN length({text}) > {start} THEN {cut} END", TEXT)

    def _whole(self, tree: SyntaxTree) -> int:
        if isinstance(tree, Literal) and isinstance(tree.value, int) and tree.value >= 0:
            return tree.value
        raise NotCompiled("a place that is no whole number")

    def _text_function(self, name: str, call: Call, of: Code, on: Code) -> Code:
        argument = _text(self.write(call.arguments[0], on))
        return Code(f"{name}({_text(of).sql}, {argument.sql})", BOOLEAN)

    def _iif(self, call: Call, of: Code, on: Code) -> Code:
        condition = self.condition(call.arguments[0], of)
        codes = [self.write(one, of) for one in call.arguments[1:]]
        if any(one.many or one.choice for one in codes):
            raise NotCompiled("iif() of lists")
        kinds = {_kind(one) for one in codes}
        if len(kinds) != 1:
            raise NotCompiled("iif() of several types")
        (kind,) = kinds
        other = codes[1].sql if len(codes) > 1 else "NULL"
        return Code(f"CASE WHEN {condition} THEN {codes[0].sql} ELSE {other} END", kind)

    def _join(self, call: Call, of: Code, on: Code) -> Code:
        mark = _text(self.write(call.arguments[0], on)).sql if call.arguments else "''"
        return Code(f"array_to_string({_list(of)}, {mark})", TEXT)

    def _reference_key(self, call: Call, of: Code, on: Code) -> Code:
        if of.type != "Reference" or of.shape is None:
            raise NotCompiled("getReferenceKey() of what is no reference")
        wanted = [_type_name(one) for one in call.arguments]
        of.shape.inside.setdefault("reference", Shape())
        names = "|".join(sorted(wanted or resource_types()))
        key = (
            'regexp_extract({}."reference", \'(?:^|/)((?:'
            + names
            + ")/[A-Za-z0-9\\-.]{{1,64}})(?:/_history/[^/]+)?$', 1)"
        )
        if of.many:
            one = self._lambda()
            keys = f"list_transform({of.sql}, lambda {one}: nullif({key.format(one)}, ''))"
            return Code(f"list_filter({keys}, lambda {one}: {one} IS NOT NULL)", TEXT, True)
        return Code(f"nullif({key.format(of.sql)}, '')", TEXT)

    def _infix(self, tree: Infix, on: Code) -> Code:
        if tree.operator in ("and", "or"):
            left, right = (_boolean(self.write(one, on)) for one in (tree.left, tree.right))
            return Code(f"({left} {tree.operator.upper()} {right})", BOOLEAN)
        left_code, right_code = self.write(tree.left, on), self.write(tree.right, on)
        if any(one.many or one.choice for one in (left_code, right_code)):
            raise NotCompiled(f"{tree.operator} over several values")
        if tree.operator == "&":
            left, right = _text(left_code).sql, _text(right_code).sql
            return Code(f"(coalesce({left}, '') || coalesce({right}, ''))", TEXT)
        if {"date", "dateTime", "instant", "time"} & {
            left_code.type,
            right_code.type,
        } or "temporal" in right_code.type:
            return _compared_days(tree.operator, left_code, right_code)
        if _kind(left_code) != _kind(right_code):
            raise NotCompiled(f"{tree.operator} of several types")
        if tree.operator in ("=", "!="):
            return Code(f"({_value(left_code)} {tree.operator} {_value(right_code)})", BOOLEAN)
        if tree.operator in _ORDERED:
            return Code(f"({_value(left_code)} {tree.operator} {_value(right_code)})", BOOLEAN)
        if tree.operator == "+" and _kind(left_code) == TEXT:
            return Code(f"({left_code.sql} || {right_code.sql})", TEXT)
        raise NotCompiled(f"the operator {tree.operator}")

    def _constant(self, name: str) -> Code:
        items = self._constants.get(name, ())
        if len(items) != 1 or not isinstance(items[0], Node):
            raise NotCompiled(f"%{name}")
        return _literal(items[0].value, items[0].type)

    def _lambda(self) -> str:
        self._lambdas += 1
        return f"x{self._lambdas}"


def scalar(code: Code) -> str:
    """Return the value of a column; one that has several is an error of the resource, and ends the statement."""
    if code.choice:
        raise NotCompiled("a column of several types")
    if not code.many:
        return _value(code)
    first = _value(replace(code, sql=f"{code.sql}[1]", many=False))
    return f"CASE WHEN len({code.sql}) > 1 THEN error('several values where there is no list') ELSE {first} END"


def collection(code: Code) -> str:
    """Return the list of a column that holds one; it is empty where there is nothing."""
    if code.choice or _kind(code) == NUMBER:
        raise NotCompiled("a list of numbers or of several types")
    _check_plain(code)
    return f"coalesce({_list(code)}, [])"


def _check_plain(code: Code) -> None:
    if code.shape is not None and (code.type not in _TEXTS | _NUMBERS | {"boolean"}):
        raise NotCompiled(f"a column of {code.type}")


def _value(code: Code) -> str:
    _check_plain(code)
    if code.many or code.choice:
        raise NotCompiled("several values")
    return f"CAST({code.sql} AS DOUBLE)" if code.type in _NUMBERS else code.sql


def _kind(code: Code) -> str:
    if code.type in (NUMBER, *_NUMBERS):
        return NUMBER
    if code.type in (TEXT, *_TEXTS):
        return TEXT
    if code.type in (BOOLEAN, "boolean"):
        return BOOLEAN
    raise NotCompiled(f"a value of {code.type or 'several types'}")


def _text(code: Code) -> Code:
    if code.many or code.choice or (_kind(code) == NUMBER and code.type == NUMBER):
        raise NotCompiled("a text of several values")
    return Code(f"CAST({code.sql} AS VARCHAR)", TEXT) if _kind(code) == BOOLEAN else replace(code, type=TEXT)


def _boolean(code: Code) -> str:
    if code.many or code.choice or _kind(code) != BOOLEAN:
        raise NotCompiled("a boolean of other values")
    return code.sql


def _list(code: Code) -> str:
    if code.choice:
        raise NotCompiled("a list of several types")
    return code.sql if code.many else f"list_filter([{code.sql}], lambda v: v IS NOT NULL)"


def _there(code: Code) -> str:
    if code.many:
        return f"(coalesce(len({code.sql}), 0) > 0)"
    return f"({code.sql} IS NOT NULL)"


def _only(code: Code, index: int) -> Code:
    return code if index == 0 else replace(code, sql="NULL")


def _of_type(code: Code, type_: str) -> Code:
    if code.choice:
        found = [one for one in code.choice if one.type == type_]
        if not found:
            raise NotCompiled(f"ofType({type_})")
        return found[0]
    if code.type != type_:
        raise NotCompiled(f"ofType({type_}) of {code.type}")
    return code


def _type_name(tree: SyntaxTree) -> str:
    if isinstance(tree, Name):
        return tree.name
    if isinstance(tree, Literal) and isinstance(tree.value, str):
        return tree.value
    raise NotCompiled("a type that is not named")


def _literal(value: Any, type_: str = "") -> Code:
    if isinstance(value, bool):
        return Code("true" if value else "false", BOOLEAN)
    if isinstance(value, str) and type_ in ("date", "dateTime", "instant", "time"):
        raise NotCompiled("a constant of time")
    if isinstance(value, str):
        quoted = value.replace("'", "''")
        return Code(f"'{quoted}'", TEXT)
    if isinstance(value, Temporal):
        return Code(f"'{str(value).removeprefix('@')}'", "temporal")
    if value is None:
        raise NotCompiled("the empty collection")
    return Code(f"CAST({value} AS DOUBLE)", NUMBER)


def _resource_key(call: Call, of: Code, on: Code) -> Code:
    if of.type not in resource_types() or of.many or of.shape is None:
        raise NotCompiled("getResourceKey() of what is no resource")
    of.shape.inside.setdefault("id", Shape())
    return Code(f"('{of.type}/' || {of.sql}.\"id\")", TEXT)


def _compared_days(operator: str, left: Code, right: Code) -> Code:
    """Compare a date with a date that is written out, as far as both are known; beyond that nothing is known."""
    if left.type != "date" or right.type != "temporal" or operator not in (*_ORDERED, "=", "!="):
        raise NotCompiled(f"{operator} of times")
    a, b = left.sql, right.sql
    known = f"least(length({a}), length({b}))"
    cut = f"substr({a}, 1, {known})", f"substr({b}, 1, {known})"
    if operator in ("=", "!="):
        other = "false" if operator == "=" else "true"
        same = f"CASE WHEN length({a}) = length({b}) THEN {'true' if operator == '=' else 'false'} END"
        return Code(f"CASE WHEN {cut[0]} <> {cut[1]} THEN {other} ELSE {same} END", BOOLEAN)
    whole = f"CASE WHEN length({a}) = length({b}) THEN {a} {operator} {b} END"
    return Code(f"CASE WHEN {cut[0]} <> {cut[1]} THEN {cut[0]} {operator} {cut[1]} ELSE {whole} END", BOOLEAN)

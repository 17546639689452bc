"""Trees to code: each node becomes a closure over those below it, with what is known of the types of its result."""

from typing import NamedTuple

from esante.core.fhir.fhirpath import operators
from esante.core.fhir.fhirpath.functions import collections, references
from esante.core.fhir.fhirpath.model import (
    At,
    Call,
    Infix,
    Literal,
    Name,
    PathError,
    PathFailed,
    Sign,
    Special,
    Step,
    Tree,
    TypeTest,
    Variable,
)
from esante.core.fhir.fhirpath.registry import checked, together
from esante.core.fhir.fhirpath.runtime import Env, Run
from esante.core.fhir.fhirpath.types import (
    BOOLEAN,
    INTEGER,
    STRING,
    SYSTEM,
    Types,
    below,
    element_names,
    fits,
    known,
    named,
)
from esante.core.fhir.fhirpath.values.items import Items, is_type, single, step
from esante.core.fhir.fhirpath.variables import constant


class Code(NamedTuple):
    """Code with the types that its result may have."""

    run: Run
    types: Types


class Scope(NamedTuple):
    """What is known where a part of the expression stands: the types of `$this`."""

    this: Types


def compiled(tree: Tree, types: Types) -> Code:
    """The code of an expression over items of the given types. Raises `PathError` for what it cannot mean."""
    return _code(tree, Scope(types))


def _code(tree: Tree, scope: Scope) -> Code:
    match tree:
        case Literal(value):
            return _literal(value)
        case Name(name, column):
            return _first_name(name, column, scope)
        case Special(name):
            return _special(name, scope)
        case Variable(name):
            return _variable(name)
        case Call("is" | "as" | "ofType") as call:
            return _typed(call.name, Special("$this"), _argument_type(call), scope, call.column)
        case Step(left, Call("is" | "as" | "ofType") as call):
            return _typed(call.name, left, _argument_type(call), scope, call.column)
        case TypeTest(operator, operand, name, column):
            return _typed(operator, operand, name, scope, column)
        case Call():
            return _call(tree, Code(_this, scope.this), scope)
        case Step(left, Name(name, column)):
            return _element(_code(left, scope), name, column)
        case Step(left, Call() as call):
            return _call(call, _code(left, scope), scope)
        case At(left, index):
            return _at(_code(left, scope), _code(index, scope))
        case Sign(operator, operand, _):
            code = _code(operand, scope)
            return Code(operators.sign(operator, code.run), code.types)
        case Infix(operator, left, right):
            return _infix(operator, _code(left, scope), _code(right, scope))
    raise TypeError(tree)


def _this(env: Env) -> Items:
    return env.this


def _literal(value: object) -> Code:
    found = [] if value is None else [value]
    kind = operators.literal_type(value)
    return Code(lambda env: found, frozenset() if kind is None else frozenset({kind}))


def _special(name: str, scope: Scope) -> Code:
    match name:
        case "$this":
            return Code(_this, scope.this)
        case "$index":
            return Code(lambda env: [env.index], INTEGER)
        case _:
            return Code(lambda env: env.total, None)


def _variable(name: str) -> Code:
    match name:
        case "resource":
            return Code(lambda env: [env.resource], None)
        case "rootResource":
            return Code(lambda env: [env.root], None)
        case "context":
            return Code(lambda env: env.context, None)
    value = constant(name)
    if value is not None:
        found: Items = [value]
        return Code(lambda env: found, STRING)

    def given(env: Env) -> Items:
        if name not in env.variables:
            raise PathFailed(f"The variable %{name} has no value here")
        return env.variables[name]

    return Code(given, None)


def _first_name(name: str, column: int, scope: Scope) -> Code:
    """A name where a path begins: a type that `$this` has to be of, or an element of it."""
    if name[:1].isupper() and known(name) and (scope.this is None or not _has(scope.this, name)):
        fitting = scope.this is None or any(fits(t, name) for t in scope.this)
        if not fitting:
            return Code(lambda env: [], frozenset({name}))
        return Code(lambda env: [item for item in env.this if is_type(item, name)], frozenset({name}))
    return _element(Code(_this, scope.this), name, column)


def _has(types: Types, name: str) -> bool:
    return any(below(t, name) for t in types or ())


def _element(left: Code, name: str, column: int) -> Code:
    """The elements of this name. An element that none of the possible types has is an error."""
    if left.types is None:
        if name not in element_names():
            raise PathError(f"No type of FHIR R4 has an element '{name}'", column)
        types: Types = None
    else:
        types = together([below(t, name) for t in left.types])
        if not types and left.types:
            listed = ", ".join(sorted(left.types)[:4])
            raise PathError(f"'{name}' is not an element of {listed} in FHIR R4", column)
    run = left.run
    return Code(lambda env: step(run(env), name), types)


def _at(left: Code, index: Code) -> Code:
    items, position = left.run, index.run

    def run(env: Env) -> Items:
        at = single(position(env), "An index")
        if at is None:
            return []
        if not isinstance(at, int) or isinstance(at, bool):
            raise PathFailed("An index is an integer")
        return items(env)[at : at + 1] if at >= 0 else []

    return Code(run, left.types)


def _infix(operator: str, left: Code, right: Code) -> Code:
    if operator == "|":
        return Code(operators.union(left.run, right.run), together([left.types, right.types]))
    return Code(operators.binary(operator, left.run, right.run), operators.result(operator))


def _argument_type(call: Call) -> str:
    """The type that the argument of `is(...)` and its like names."""
    match call.arguments:
        case (Name(name),):
            return name
        case (Step(Name(namespace), Name(name)),):
            return f"{namespace}.{name}"
    raise PathError(f"{call.name}() takes the name of a type", call.column)


def _type(name: str, operator: str, column: int) -> str:
    found = named(name)
    if found is not None:
        return found
    if operator == "is" and name.startswith("System.") and known(name.removeprefix("System.")):
        return name
    raise PathError(f"'{name}' is not a type of FHIR R4 or FHIRPath", column)


def _typed(operator: str, operand: Tree, name: str, scope: Scope, column: int) -> Code:
    wanted = _type(name, operator, column)
    if operator == "is":
        return Code(_is(operand, wanted, scope), BOOLEAN)
    source = _code(operand, scope)
    if wanted in SYSTEM and source.types and not any(t in SYSTEM for t in source.types):
        message = f"{operator}({name}) finds nothing among elements of FHIR, whose types begin with a small letter"
        raise PathError(message, column)
    types = frozenset({wanted})
    if source.types is not None and not any(fits(t, wanted) for t in source.types):
        return Code(lambda env: [], types)
    return Code(operators.of_type(source.run, wanted, only_one=operator == "as"), types)


def _is(operand: Tree, wanted: str, scope: Scope) -> Run:
    """`x.resolve() is T` goes by what the reference says where its target is not at hand."""
    match operand:
        case Call("resolve", ()):
            return references.leads_to(_this, wanted)
        case Step(left, Call("resolve", ())):
            return references.leads_to(_code(left, scope).run, wanted)
    return operators.type_is(_code(operand, scope).run, wanted)


def _call(call: Call, source: Code, scope: Scope) -> Code:
    if call.name == "sort":
        return _sort(call, source)
    function = checked(call.name, source.types, len(call.arguments), call.column)
    # What `repeat` finds is searched again, so it may be of other types than its input.
    inner = Scope(None if call.name == "repeat" else source.types) if function.each else scope
    arguments = [_code(argument, inner) for argument in call.arguments]
    if function.check is not None:
        function.check(call)
    gives = function.gives
    types = gives(source.types, [a.types for a in arguments]) if callable(gives) else gives
    return Code(function.build(source.run, *[a.run for a in arguments]), types)


def _sort(call: Call, source: Code) -> Code:
    """A minus before a key of `sort` turns the order round."""
    keys: list[tuple[Run, bool]] = []
    for argument in call.arguments or (Special("$this"),):
        down = isinstance(argument, Sign) and argument.operator == "-"
        tree = argument.operand if isinstance(argument, Sign) and down else argument
        keys.append((_code(tree, Scope(source.types)).run, down))
    return Code(collections.in_order(source.run, keys), source.types)

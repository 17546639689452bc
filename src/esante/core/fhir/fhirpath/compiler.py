"""Compilation of syntax trees to closures: each node becomes a function, with the possible types of its result."""

from typing import NamedTuple

from esante.core.fhir.fhirpath import operators
from esante.core.fhir.fhirpath.functions import collections, references
from esante.core.fhir.fhirpath.model import (
    Call,
    Infix,
    Literal,
    Name,
    PathError,
    PathFailed,
    Sign,
    Special,
    Step,
    Subscript,
    SyntaxTree,
    TypeTest,
    Variable,
)
from esante.core.fhir.fhirpath.registry import find_function, union_types
from esante.core.fhir.fhirpath.runtime import Env, Evaluator
from esante.core.fhir.fhirpath.types import (
    BOOLEAN,
    INTEGER,
    STRING,
    SYSTEM,
    Types,
    are_compatible,
    element_names,
    element_types,
    is_fhir_type,
    resolve_type_name,
)
from esante.core.fhir.fhirpath.values.items import Items, is_type, navigate, singleton_value
from esante.core.fhir.fhirpath.variables import constant_value


class CompiledExpression(NamedTuple):
    """A function that evaluates an expression, and the types that its result may have (None: any)."""

    run: Evaluator
    types: Types


class StaticContext(NamedTuple):
    """The possible types of `$this` at a part of the expression."""

    this: Types


def compile_tree(tree: SyntaxTree, types: Types) -> CompiledExpression:
    """Compile an expression over items of the given types.

    Raises: `PathError` for an element, a type or a function that does not exist for these types.
    """
    return _compile(tree, StaticContext(types))


def _compile(tree: SyntaxTree, scope: StaticContext) -> CompiledExpression:
    match tree:
        case Literal(value):
            return _compile_literal(value)
        case Name(name, column):
            return _compile_first_name(name, column, scope)
        case Special(name):
            return _compile_special(name, scope)
        case Variable(name):
            return _compile_variable(name)
        case Call("is" | "as" | "ofType") as call:
            return _compile_type_operator(call.name, Special("$this"), _argument_type(call), scope, call.column)
        case Step(left, Call("is" | "as" | "ofType") as call):
            return _compile_type_operator(call.name, left, _argument_type(call), scope, call.column)
        case TypeTest(operator, operand, name, column):
            return _compile_type_operator(operator, operand, name, scope, column)
        case Call():
            return _compile_call(tree, CompiledExpression(_this, scope.this), scope)
        case Step(left, Name(name, column)):
            return _compile_element(_compile(left, scope), name, column)
        case Step(left, Call() as call):
            return _compile_call(call, _compile(left, scope), scope)
        case Subscript(left, index):
            return _compile_subscript(_compile(left, scope), _compile(index, scope))
        case Sign(operator, operand, _):
            code = _compile(operand, scope)
            return CompiledExpression(operators.compile_sign(operator, code.run), code.types)
        case Infix(operator, left, right):
            return _compile_infix(operator, _compile(left, scope), _compile(right, scope))
    raise TypeError(tree)


def _this(env: Env) -> Items:
    return env.this


def _compile_literal(value: object) -> CompiledExpression:
    found = [] if value is None else [value]
    kind = operators.literal_type(value)
    return CompiledExpression(lambda env: found, frozenset() if kind is None else frozenset({kind}))


def _compile_special(name: str, scope: StaticContext) -> CompiledExpression:
    match name:
        case "$this":
            return CompiledExpression(_this, scope.this)
        case "$index":
            return CompiledExpression(lambda env: [env.index], INTEGER)
        case _:
            return CompiledExpression(lambda env: env.total, None)


def _compile_variable(name: str) -> CompiledExpression:
    match name:
        case "resource":
            return CompiledExpression(lambda env: [env.resource], None)
        case "rootResource":
            return CompiledExpression(lambda env: [env.root], None)
        case "context":
            return CompiledExpression(lambda env: env.context, None)
    value = constant_value(name)
    if value is not None:
        found: Items = [value]
        return CompiledExpression(lambda env: found, STRING)

    def given(env: Env) -> Items:
        if name not in env.variables:
            raise PathFailed(f"The variable %{name} has no value here")
        return env.variables[name]

    return CompiledExpression(given, None)


def _compile_first_name(name: str, column: int, scope: StaticContext) -> CompiledExpression:
    """Compile the name at the beginning of a path: a type that `$this` must have, or an element of `$this`."""
    if name[:1].isupper() and is_fhir_type(name) and (scope.this is None or not _has_element(scope.this, name)):
        fitting = scope.this is None or any(are_compatible(t, name) for t in scope.this)
        if not fitting:
            return CompiledExpression(lambda env: [], frozenset({name}))
        return CompiledExpression(lambda env: [item for item in env.this if is_type(item, name)], frozenset({name}))
    return _compile_element(CompiledExpression(_this, scope.this), name, column)


def _has_element(types: Types, name: str) -> bool:
    return any(element_types(t, name) for t in types or ())


def _compile_element(left: CompiledExpression, name: str, column: int) -> CompiledExpression:
    """Compile the step to the elements of a name. Raises: `PathError` for one that none of the possible types has."""
    if left.types is None:
        if name not in element_names():
            raise PathError(f"No type of FHIR R4 has an element '{name}'", column)
        types: Types = None
    else:
        types = union_types([element_types(t, name) for t in left.types])
        if not types and left.types:
            listed = ", ".join(sorted(left.types)[:4])
            raise PathError(f"'{name}' is not an element of {listed} in FHIR R4", column)
    run = left.run
    return CompiledExpression(lambda env: navigate(run(env), name), types)


def _compile_subscript(left: CompiledExpression, index: CompiledExpression) -> CompiledExpression:
    items, position = left.run, index.run

    def run(env: Env) -> Items:
        at = singleton_value(position(env), "An index")
        if at is None:
            return []
        if not isinstance(at, int) or isinstance(at, bool):
            raise PathFailed("An index is an integer")
        return items(env)[at : at + 1] if at >= 0 else []

    return CompiledExpression(run, left.types)


def _compile_infix(operator: str, left: CompiledExpression, right: CompiledExpression) -> CompiledExpression:
    if operator == "|":
        return CompiledExpression(operators.compile_union(left.run, right.run), union_types([left.types, right.types]))
    return CompiledExpression(operators.compile_binary(operator, left.run, right.run), operators.result_type(operator))


def _argument_type(call: Call) -> str:
    """Return the type that the argument of `is(...)`, `as(...)` or `ofType(...)` names. Raises: `PathError`."""
    match call.arguments:
        case (Name(name),):
            return name
        case (Step(Name(namespace), Name(name)),):
            return f"{namespace}.{name}"
    raise PathError(f"{call.name}() takes the name of a type", call.column)


def _find_type(name: str, operator: str, column: int) -> str:
    found = resolve_type_name(name)
    if found is not None:
        return found
    if operator == "is" and name.startswith("System.") and is_fhir_type(name.removeprefix("System.")):
        return name
    raise PathError(f"'{name}' is not a type of FHIR R4 or FHIRPath", column)


def _compile_type_operator(
    operator: str, operand: SyntaxTree, name: str, scope: StaticContext, column: int
) -> CompiledExpression:
    wanted = _find_type(name, operator, column)
    if operator == "is":
        return CompiledExpression(_compile_is(operand, wanted, scope), BOOLEAN)
    source = _compile(operand, scope)
    if wanted in SYSTEM and source.types and not any(t in SYSTEM for t in source.types):
        message = f"{operator}({name}) never matches elements of FHIR; their types begin with a lower-case letter"
        raise PathError(message, column)
    types = frozenset({wanted})
    if source.types is not None and not any(are_compatible(t, wanted) for t in source.types):
        return CompiledExpression(lambda env: [], types)
    return CompiledExpression(operators.compile_of_type(source.run, wanted, only_one=operator == "as"), types)


def _compile_is(operand: SyntaxTree, wanted: str, scope: StaticContext) -> Evaluator:
    """Compile `is`; `x.resolve() is T` uses the type in the reference where its target is not available."""
    match operand:
        case Call("resolve", ()):
            return references.compile_resolves_to(_this, wanted)
        case Step(left, Call("resolve", ())):
            return references.compile_resolves_to(_compile(left, scope).run, wanted)
    return operators.compile_is(_compile(operand, scope).run, wanted)


def _compile_call(call: Call, source: CompiledExpression, scope: StaticContext) -> CompiledExpression:
    if call.name == "sort":
        return _compile_sort(call, source)
    function = find_function(call.name, source.types, len(call.arguments), call.column)
    # The results of `repeat` become its input again, so they may be of other types.
    inner = StaticContext(None if call.name == "repeat" else source.types) if function.per_item else scope
    arguments = [_compile(argument, inner) for argument in call.arguments]
    if function.check is not None:
        function.check(call)
    result = function.result
    types = result(source.types, [a.types for a in arguments]) if callable(result) else result
    return CompiledExpression(function.compile(source.run, *[a.run for a in arguments]), types)


def _compile_sort(call: Call, source: CompiledExpression) -> CompiledExpression:
    """Compile `sort`; a minus before a key means descending order."""
    keys: list[tuple[Evaluator, bool]] = []
    for argument in call.arguments or (Special("$this"),):
        down = isinstance(argument, Sign) and argument.operator == "-"
        tree = argument.operand if isinstance(argument, Sign) and down else argument
        keys.append((_compile(tree, StaticContext(source.types)).run, down))
    return CompiledExpression(collections.compile_sort(source.run, keys), source.types)

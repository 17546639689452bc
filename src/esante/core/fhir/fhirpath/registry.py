"""The registry of FHIRPath functions by name: number of arguments, type of the result, and compilation.

The modules of `functions` register them.
"""

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

from esante.core.fhir.fhirpath.model import Call, PathError, PathFailed
from esante.core.fhir.fhirpath.runtime import Env, Evaluator
from esante.core.fhir.fhirpath.types import SYSTEM_OF, Types
from esante.core.fhir.fhirpath.values.items import Items, singleton_value


class FunctionCompiler(Protocol):
    """Compiles a call from the compiled input and the compiled arguments."""

    def __call__(self, source: Evaluator, *arguments: Evaluator) -> Evaluator:
        """Compile one call."""


ResultType = Types | Callable[[Types, list[Types]], Types]
"""The types of the result: constant, or a function of the types of the input and of the arguments."""


class Function(NamedTuple):
    """A function of FHIRPath.

    `arity` is the least and the greatest number of arguments. With `per_item` arguments are evaluated for every item
    as `$this`, otherwise once, in the context of the whole call. With `text_input` the input is a text. `check`
    validates the call when it is compiled.
    """

    arity: tuple[int, int]
    result: ResultType
    compile: FunctionCompiler
    per_item: bool
    text_input: bool
    check: Callable[[Call], None] | None


FUNCTIONS: dict[str, Function] = {}


def input_type(source: Types, _: list[Types]) -> Types:
    """Return the types of the input."""
    return source


def input_or_argument_type(source: Types, arguments: list[Types]) -> Types:
    """Return the types of the input and of the arguments together."""
    return union_types([source, *arguments])


def first_argument_type(_: Types, arguments: list[Types]) -> Types:
    """Return the types of the first argument."""
    return arguments[0]


def union_types(found: list[Types]) -> Types:
    """Return every type that one of several collections may have; None where one may have any."""
    merged: set[str] = set()
    for types in found:
        if types is None:
            return None
        merged |= types
    return frozenset(merged)


def function(
    name: str, arity: int | tuple[int, int], result: ResultType, *, check: Callable[[Call], None] | None = None
) -> Callable[[Callable[..., Items]], Any]:
    """Register `f(items, env, *argument collections) -> items`: arguments are evaluated once."""

    def register(apply: Callable[..., Items]) -> Callable[..., Items]:
        def compile_call(source: Evaluator, *arguments: Evaluator) -> Evaluator:
            if not arguments:
                return lambda env: apply(source(env), env)
            return lambda env: apply(source(env), env, *[argument(env) for argument in arguments])

        _add_function(name, arity, result, compile_call, check=check)
        return apply

    return register


def iterator_function(
    name: str, arity: int | tuple[int, int], result: ResultType
) -> Callable[[Callable[..., Items]], Any]:
    """Register `f(items, env, *evaluators) -> items`: the function evaluates the arguments for each item."""

    def register(apply: Callable[..., Items]) -> Callable[..., Items]:
        def compile_call(source: Evaluator, *arguments: Evaluator) -> Evaluator:
            return lambda env: apply(source(env), env, *arguments)

        _add_function(name, arity, result, compile_call, per_item=True)
        return apply

    return register


def scalar_function(
    name: str,
    arity: int | tuple[int, int],
    result: Types,
    *,
    text_input: bool = False,
    check: Callable[[Call], None] | None = None,
) -> Callable[[Callable[..., Any]], Any]:
    """Register `f(value, *argument values) -> value or None` for a single item.

    The result of an empty input or of an empty argument is empty; several items are an error. With `text_input` the
    input has to be a text.
    """

    def register(apply: Callable[..., Any]) -> Callable[..., Any]:
        what = f"{name}()"

        def compile_call(source: Evaluator, *arguments: Evaluator) -> Evaluator:
            def run(env: Env) -> Items:
                value = singleton_value(source(env), what)
                given = [singleton_value(argument(env), what) for argument in arguments]
                if value is None or None in given:
                    return []
                if text_input and not isinstance(value, str):
                    raise PathFailed(f"{what} needs a text")
                found = apply(value, *given)
                return [] if found is None else found if isinstance(found, list) else [found]

            return run

        _add_function(name, arity, result, compile_call, text_input=text_input, check=check)
        return apply

    return register


def _add_function(
    name: str,
    arity: int | tuple[int, int],
    result: ResultType,
    compile_call: FunctionCompiler,
    *,
    per_item: bool = False,
    text_input: bool = False,
    check: Callable[[Call], None] | None = None,
) -> None:
    least_and_greatest = arity if isinstance(arity, tuple) else (arity, arity)
    FUNCTIONS[name] = Function(least_and_greatest, result, compile_call, per_item, text_input, check)


def find_function(name: str, source: Types, count: int, column: int) -> Function:
    """Return the function of a call.

    Raises: `PathError` for an unknown function, a wrong number of arguments, or input that is not a text.
    """
    found = FUNCTIONS.get(name)
    if found is None:
        raise PathError(f"{name}() is not a function of FHIRPath, or not supported", column)
    low, high = found.arity
    if not low <= count <= high:
        expected = str(low) if low == high else f"{low} to {high}"
        raise PathError(f"{name}() takes {expected} arguments; found {count}", column)
    if found.text_input and source and not any(t.startswith("System.") or t in SYSTEM_OF for t in source):
        raise PathError(f"{name}() needs a text; found {', '.join(sorted(source)[:4])}", column)
    return found

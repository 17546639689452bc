"""The functions of FHIRPath by name: how many arguments each takes, what it gives, and how it is compiled.

The modules of `functions` fill it.
"""

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

from esante.core.fhir.fhirpath.model import Call, PathError, PathFailed
from esante.core.fhir.fhirpath.runtime import Env, Evaluator
from esante.core.fhir.fhirpath.types import SYSTEM_OF, Types
from esante.core.fhir.fhirpath.values.items import Items, singleton_value


class FunctionCompiler(Protocol):
    """Makes a function's code from that of its input and its arguments."""

    def __call__(self, source: Evaluator, *arguments: Evaluator) -> Evaluator:
        """Compile one call."""


#: The type of the result: told, or worked out from the types of the input and of the arguments.
ResultType = Types | Callable[[Types, list[Types]], Types]


class Function(NamedTuple):
    """`takes`: least and most arguments. `each`: arguments are evaluated for every item as `$this`; otherwise once,
    in the context of the whole call. `texts`: the input is a text. `check` looks at the call when it is compiled."""

    takes: tuple[int, int]
    gives: ResultType
    build: FunctionCompiler
    each: bool
    texts: bool
    check: Callable[[Call], None] | None


FUNCTIONS: dict[str, Function] = {}


def input_type(source: Types, _: list[Types]) -> Types:
    """The type of the input."""
    return source


def input_or_argument_type(source: Types, arguments: list[Types]) -> Types:
    """The types of the input and of the arguments together."""
    return union_types([source, *arguments])


def first_argument_type(_: Types, arguments: list[Types]) -> Types:
    """The type of the first argument."""
    return arguments[0]


def union_types(found: list[Types]) -> Types:
    """Every type that one of several collections may hold."""
    merged: set[str] = set()
    for types in found:
        if types is None:
            return None
        merged |= types
    return frozenset(merged)


def function(
    name: str, takes: int | tuple[int, int], gives: ResultType, *, check: Callable[[Call], None] | None = None
) -> Callable[[Callable[..., Items]], Any]:
    """Register `f(items, env, *argument collections) -> items`."""

    def register(apply: Callable[..., Items]) -> Callable[..., Items]:
        def build(source: Evaluator, *arguments: Evaluator) -> Evaluator:
            if not arguments:
                return lambda env: apply(source(env), env)
            return lambda env: apply(source(env), env, *[argument(env) for argument in arguments])

        _add(name, takes, gives, build, check=check)
        return apply

    return register


def iterator_function(
    name: str, takes: int | tuple[int, int], gives: ResultType
) -> Callable[[Callable[..., Items]], Any]:
    """Register `f(items, env, *arguments) -> items`, the arguments as code that the function runs for each item."""

    def register(apply: Callable[..., Items]) -> Callable[..., Items]:
        def build(source: Evaluator, *arguments: Evaluator) -> Evaluator:
            return lambda env: apply(source(env), env, *arguments)

        _add(name, takes, gives, build, each=True)
        return apply

    return register


def scalar_function(
    name: str,
    takes: int | tuple[int, int],
    gives: Types,
    *,
    texts: bool = False,
    check: Callable[[Call], None] | None = None,
) -> Callable[[Callable[..., Any]], Any]:
    """Register `f(value, *argument values) -> value or None` for a single item: nothing in, nothing out, and several
    items are an error. An empty argument that was given makes the result empty."""

    def register(apply: Callable[..., Any]) -> Callable[..., Any]:
        what = f"{name}()"

        def build(source: Evaluator, *arguments: Evaluator) -> Evaluator:
            def run(env: Env) -> Items:
                value = singleton_value(source(env), what)
                given = [singleton_value(argument(env), what) for argument in arguments]
                if value is None or None in given:
                    return []
                if texts and not isinstance(value, str):
                    raise PathFailed(f"{what} needs a text")
                result = apply(value, *given)
                return [] if result is None else result if isinstance(result, list) else [result]

            return run

        _add(name, takes, gives, build, texts=texts, check=check)
        return apply

    return register


def _add(
    name: str,
    takes: int | tuple[int, int],
    gives: ResultType,
    build: FunctionCompiler,
    *,
    each: bool = False,
    texts: bool = False,
    check: Callable[[Call], None] | None = None,
) -> None:
    low_high = takes if isinstance(takes, tuple) else (takes, takes)
    FUNCTIONS[name] = Function(low_high, gives, build, each, texts, check)


def find_function(name: str, source: Types, count: int, column: int) -> Function:
    """The function of a call. Raises `PathError` for one that is unknown, or that cannot take this."""
    found = FUNCTIONS.get(name)
    if found is None:
        raise PathError(f"{name}() is not a function that is known here", column)
    low, high = found.takes
    if not low <= count <= high:
        expected = str(low) if low == high else f"{low} to {high}"
        raise PathError(f"{name}() takes {expected} arguments; found {count}", column)
    if found.texts and source and not any(t.startswith("System.") or t in SYSTEM_OF for t in source):
        raise PathError(f"{name}() needs a text; found {', '.join(sorted(source)[:4])}", column)
    return found

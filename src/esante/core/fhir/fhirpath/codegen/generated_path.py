"""Functions generated for a path, with its values and with their types."""

from collections.abc import Callable
from typing import Any, NamedTuple

from esante.core.fhir.fhirpath.codegen.source import SourceModule, TypedVariable
from esante.core.fhir.fhirpath.codegen.writer import PathWriter
from esante.core.fhir.fhirpath.model import SyntaxTree, split_union
from esante.core.fhir.fhirpath.runtime import Env
from esante.core.fhir.fhirpath.values.items import Node, distinct

Values = Callable[[Any, Env | None], list[Any]]
"""A generated function: takes an element and the `Env` where the code needs one, returns the results."""


class GeneratedPath(NamedTuple):
    """The generated functions of a path: its values, its (type, value) pairs, and whether they need an `Env`."""

    values: Values
    typed: Values
    needs_env: bool


def generate_path(tree: SyntaxTree, type_: str) -> GeneratedPath:
    """Generate the functions of a path over resources or elements of a type.

    Raises: `CodegenUnsupported` for a path that only the closures can evaluate.
    """
    module = SourceModule()
    writer = PathWriter(module)
    parts = split_union(tree)
    this = TypedVariable("d", type_)

    def write(entry: Callable[[TypedVariable], str]) -> Callable[[], None]:
        def body() -> None:
            module.emit(1, "out = []")
            for part in parts:
                writer.write_loops(
                    part, this, 1, lambda variable, at: module.emit(at, f"out.append({entry(variable)})")
                )
            module.emit(1, "return out")

        return body

    values = module.function(write(lambda variable: variable.name))
    typed = module.function(write(_typed_entry))
    space = module.link()
    if len(parts) == 1:
        return GeneratedPath(space[values], space[typed], module.needs_env)
    return GeneratedPath(
        _distinct_values(space[values], space[typed]), _distinct_typed(space[typed]), module.needs_env
    )


def _typed_entry(variable: TypedVariable) -> str:
    kind = f"{variable.name}.get('resourceType')" if variable.type == "Resource" else repr(variable.type)
    return f"({kind}, {variable.name})"


def _distinct_values(values: Values, typed: Values) -> Values:
    def run(element: Any, env: Env | None) -> list[Any]:
        found = values(element, env)
        return found if len(found) < 2 else [value for _, value in _distinct_pairs(typed(element, env))]

    return run


def _distinct_typed(typed: Values) -> Values:
    return lambda element, env: _distinct_pairs(typed(element, env))


def _distinct_pairs(pairs: list[tuple[str, Any]]) -> list[tuple[str, Any]]:
    if len(pairs) < 2:
        return pairs
    return [(node.type, node.value) for node in distinct(Node(value, type_) for type_, value in pairs)]

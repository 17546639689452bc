"""Compiled expressions."""

import functools
from collections.abc import Mapping
from typing import Any

from esante.core.fhir.fhirpath.codegen import CodegenUnsupported, GeneratedPath, generate_path
from esante.core.fhir.fhirpath.compiler import compile_tree
from esante.core.fhir.fhirpath.model import PathError, PathFailed, SyntaxTree
from esante.core.fhir.fhirpath.parser import parse_path
from esante.core.fhir.fhirpath.runtime import Env, Resolver
from esante.core.fhir.fhirpath.types import is_fhir_type
from esante.core.fhir.fhirpath.values.items import Items, Node, root_node, singleton_boolean, type_of

#: Raised by generated code for JSON that is not valid R4; the closures check every value before they use it.
_NOT_R4 = (AttributeError, TypeError)


class CompiledPath:
    """A compiled expression; safe to share between threads.

    `types` are the possible types of its result, None where any is possible.
    """

    __slots__ = ("_generated", "_run", "expression", "tree", "type", "types")

    def __init__(self, expression: str, type_: str | None) -> None:
        self.expression = expression
        self.type = type_
        self.tree: SyntaxTree = parse_path(expression)
        code = compile_tree(self.tree, None if type_ is None else frozenset({type_}))
        self._run = code.run
        self.types = code.types
        self._generated = _generate(self.tree, type_)

    def evaluate(
        self,
        element: Any,
        *,
        context: Mapping[str, Any] | None = None,
        resolver: Resolver | None = None,
    ) -> list[Any]:
        """Return the results as plain data: JSON values of the resource; calculated values as bool, int, Decimal, str,
        `Temporal` and `Quantity`.

        `element` is a resource, or an element of the compiled type. `context` holds `%resource` and `%rootResource`
        where the element is not the resource itself, and any other variable. `resolver` returns the resource at an
        address. Raises: `PathFailed`.
        """
        code = self._generated_for(element)
        if code is not None:
            try:
                return code.values(element, self._env(element, context, resolver) if code.needs_env else None)
            except _NOT_R4:
                pass
        found = self._items(element, context, resolver)
        values = [item.value if isinstance(item, Node) else item for item in found]
        return [value for value in values if value is not None]

    def typed(
        self,
        element: Any,
        *,
        context: Mapping[str, Any] | None = None,
        resolver: Resolver | None = None,
    ) -> list[tuple[str, Any]]:
        """Return the results of `evaluate`, each after its type: `code`, `HumanName`, `System.Boolean`."""
        code = self._generated_for(element)
        if code is not None:
            try:
                return code.typed(element, self._env(element, context, resolver) if code.needs_env else None)
            except _NOT_R4:
                pass
        found = self._items(element, context, resolver)
        pairs = [(type_of(item), item.value if isinstance(item, Node) else item) for item in found]
        return [pair for pair in pairs if pair[1] is not None]

    def test(
        self,
        element: Any,
        *,
        context: Mapping[str, Any] | None = None,
        resolver: Resolver | None = None,
    ) -> bool:
        """Return whether the expression is true; empty counts as false. Raises: `PathFailed`."""
        return singleton_boolean(self._items(element, context, resolver), "A condition") is True

    def _generated_for(self, element: Any) -> GeneratedPath | None:
        """Return the generated functions if they are for this type of resource or element."""
        fitting = type(element) is dict and element.get("resourceType", self.type) == self.type
        return self._generated if fitting else None

    def _env(self, element: Any, context: Mapping[str, Any] | None, resolver: Resolver | None) -> Env:
        this = element if isinstance(element, Node) else root_node(element, self.type)
        if not context:
            return Env([this], this, this, {}, resolver)
        resource = _node_of(context.get("resource", this))
        holder = _node_of(context.get("rootResource", resource))
        variables = {name: [value] for name, value in context.items() if name not in ("resource", "rootResource")}
        return Env([this], resource, holder, variables, resolver)

    def _items(self, element: Any, context: Mapping[str, Any] | None, resolver: Resolver | None) -> Items:
        try:
            return self._run(self._env(element, context, resolver))
        except RecursionError:
            raise PathFailed("The resource is nested too deeply for the expression") from None

    def __repr__(self) -> str:
        return f"Path({self.expression!r}, {self.type!r})"


def _generate(tree: SyntaxTree, type_: str | None) -> GeneratedPath | None:
    if type_ is None:
        return None
    try:
        return generate_path(tree, type_)
    except CodegenUnsupported:
        return None


def _node_of(value: Any) -> Node:
    return value if isinstance(value, Node) else root_node(value)


@functools.lru_cache(4096)
def compile_path(expression: str, type_: str | None = None) -> CompiledPath:
    """Compile an expression over resources, or elements, of a type of R4; without a type, over any resource.

    With a type, an element that R4 does not have is an error here, not an empty result later. Raises: `PathError`
    with the column.
    """
    if type_ is not None and not is_fhir_type(type_):
        raise PathError(f"'{type_}' is not a type of FHIR R4")
    return CompiledPath(expression, type_)

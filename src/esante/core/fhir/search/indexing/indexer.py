"""The index of a resource, by one generated function for each resource type over all paths of its parameters."""

import functools
from collections.abc import Callable
from typing import Any

from esante.core.fhir.fhirpath import (
    CodegenUnsupported,
    PathFailed,
    PathWriter,
    SourceModule,
    SyntaxTree,
    TypedVariable,
    compile_path,
    generate_path,
    unparse_path,
)
from esante.core.fhir.json_codec import encode
from esante.core.fhir.search.indexing.extraction import IndexValues, find_extractor
from esante.core.fhir.search.parameters import KeyPlan, NestedKeyPlan, type_parameters
from esante.core.types import Json

IndexFunction = Callable[[Json], IndexValues]

#: Raised for JSON that is not valid R4.
_NOT_R4 = (AttributeError, TypeError, KeyError, ValueError, ArithmeticError, PathFailed)


def index_resource(resource: Json) -> IndexValues:
    """Return the search values of a resource by key (`parameters`), in the shapes that `extraction` describes.

    Elements that are not valid R4 are left out. Raises: `KeyError` for a resource of no type of R4.
    """
    function = _index_function(resource["resourceType"])
    try:
        return function(resource)
    except _NOT_R4:
        return index_by_paths(resource)


def index_json(resource: Json) -> str:
    """Return `index_resource` as JSON text for the column of the database, which cannot store U+0000."""
    text = encode(index_resource(resource)).decode()
    return text.replace("\\u0000", "\\ufffd") if "\\u0000" in text else text


@functools.cache
def _index_function(type_: str) -> IndexFunction:
    """Return the generated function of a type. Raises: `KeyError` for no type of R4."""
    return _IndexFunctionWriter(type_).compile_function()


class _IndexFunctionWriter:
    """Generates the function that indexes resources of a type."""

    def __init__(self, type_: str) -> None:
        self._type = type_
        self._types = type_parameters(type_)
        self._module = SourceModule()
        self._writer = PathWriter(self._module)

    def compile_function(self) -> IndexFunction:
        name = self._module.function(self._write)
        found = self._module.link()[name]
        return lambda resource: found(resource, None)

    def _write(self) -> None:
        emit = self._module.emit
        emit(1, "out = {}")
        for plan in self._types.plans:
            self._write_plan(plan, TypedVariable("d", self._type), "out", 1)
        for nested in self._types.nested:
            self._write_nested(nested)
        emit(1, "return out")

    def _write_plan(self, plan: KeyPlan, this: TypedVariable, out: str, indent: int) -> None:
        for path in plan.paths:
            if _can_generate(path, this.type):
                self._writer.write_loops(
                    path, this, indent, lambda variable, at: self._write_value(plan, variable, out, at)
                )
            else:
                slow = self._module.name("slow", _closure_extractor(plan, path, this.type))
                self._module.emit(indent, f"{slow}({out}, {this.name}, d)")

    def _write_value(self, plan: KeyPlan, variable: TypedVariable, out: str, indent: int) -> None:
        extract = find_extractor(plan.kind, variable.type)
        if extract is None:
            self._module.emit(indent, "pass")
        else:
            name = f"x_{extract.__name__}"
            self._module.namespace[name] = extract
            self._module.emit(indent, f"{name}({out}, {plan.name!r}, {variable.name})")

    def _write_nested(self, nested: NestedKeyPlan) -> None:
        def each(variable: TypedVariable, at: int) -> None:
            sub = self._module.name("sub")
            self._module.emit(at, f"{sub} = {{}}")
            for plan in nested.components:
                self._write_plan(plan, variable, sub, at)
            self._module.emit(at, f"out.setdefault({nested.name!r}, []).append({sub})")

        self._writer.write_loops(nested.path, TypedVariable("d", self._type), 1, each)


def _can_generate(path: SyntaxTree, type_: str) -> bool:
    try:
        return not generate_path(path, type_).needs_env
    except CodegenUnsupported:
        return False


def _closure_extractor(plan: KeyPlan, path: SyntaxTree, type_: str) -> Callable[[IndexValues, Any, Json], None]:
    """Return a function that adds the values of a path for which no code can be generated."""
    compiled = compile_path(unparse_path(path), type_)

    def add(out: IndexValues, element: Any, resource: Json) -> None:
        for type_, value in compiled.typed(element, context={"resource": resource}):
            extract = find_extractor(plan.kind, "Resource" if "resourceType" in _names_in(value) else type_)
            if extract is not None:
                extract(out, plan.name, value)

    return add


def _names_in(value: Any) -> Any:
    return value if isinstance(value, dict) else ()


def index_by_paths(resource: Json) -> IndexValues:
    """Return the index without nested keys, evaluated path by path: slower, for resources that are not valid R4.

    A key whose elements are not valid is left out.
    """
    out: IndexValues = {}
    type_ = resource["resourceType"]
    for plan in type_parameters(type_).plans:
        for path in plan.paths:
            try:
                _closure_extractor(plan, path, type_)(out, resource, resource)
            except _NOT_R4:
                out.pop(plan.name, None)
    return out

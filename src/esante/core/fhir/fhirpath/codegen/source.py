"""Python source that is being written for paths and conditions."""

from collections.abc import Callable
from typing import Any, NamedTuple

from esante.core.fhir.fhirpath.functions.references import reference_resolves_to
from esante.core.fhir.fhirpath.runtime import Env, Evaluator
from esante.core.fhir.fhirpath.values.items import Node, singleton_boolean

MAX_INDENT = 14


class CodegenUnsupported(Exception):
    """The expression needs the closures."""


class TypedVariable(NamedTuple):
    """A variable of the generated code, and the FHIR type of what it holds."""

    variable: str
    type: str


class PythonCondition(NamedTuple):
    """Python conditions: when it is true, and when it is false."""

    true: str
    false: str

    def negated(self) -> "PythonCondition":
        """The opposite."""
        return PythonCondition(self.false, self.true)


class SourceModule:
    """Source that is being written, and the values that it refers to."""

    def __init__(self) -> None:
        self.space: dict[str, Any] = {"slow": _evaluate_by_closure, "leads": reference_resolves_to, "nothing": {}}
        self.needs_env = False
        self._functions: list[str] = []
        self._lines: list[str] = []
        self._count = 0

    def name(self, stem: str, value: Any = None) -> str:
        """A name not used before; with a value, one that the code can use for it."""
        self._count += 1
        name = f"{stem}{self._count}"
        if value is not None:
            self.space[name] = value
        return name

    def emit(self, indent: int, text: str) -> None:
        """One line."""
        if indent > MAX_INDENT:
            raise CodegenUnsupported
        self._lines.append("    " * indent + text)

    def function(self, write: Callable[[], None], stem: str = "f") -> str:
        """The name of a new function `(d, env)` whose body `write` emits at indent 1."""
        outer, self._lines = self._lines, []
        name = self.name(stem)
        try:
            write()
            self._functions.append("\n".join([f"def {name}(d, env):", *self._lines]))
        finally:
            self._lines = outer
        return name

    def link(self) -> dict[str, Any]:
        """Run the source; gives its namespace. Names of elements come from the definitions, and a text of the
        expression stands in the source as a Python literal or not at all."""
        exec(compile("\n".join(self._functions), "<fhirpath>", "exec"), self.space)  # noqa: S102 - made from a tree
        return self.space


def _evaluate_by_closure(run: Evaluator, value: Any, type_: str, env: Env) -> bool | None:
    """A part of a condition by the closures."""
    outer, env.this = env.this, [Node(value, type_)]
    try:
        return singleton_boolean(run(env), "A condition")
    finally:
        env.this = outer

"""Python source code under construction, and the values that it refers to."""

from collections.abc import Callable
from typing import Any, NamedTuple

from esante.core.fhir.fhirpath.functions.references import reference_resolves_to
from esante.core.fhir.fhirpath.runtime import Env, Evaluator
from esante.core.fhir.fhirpath.values.items import Node, singleton_boolean

MAX_INDENT = 14


class CodegenUnsupported(Exception):
    """An expression for which no code can be generated: the closures of `compiler` evaluate it."""


class TypedVariable(NamedTuple):
    """A variable of the generated code, and the FHIR type of its value."""

    name: str
    type: str


class PythonCondition(NamedTuple):
    """The source of two Python conditions: one for true, one for false (neither: FHIRPath's empty)."""

    true: str
    false: str

    def negated(self) -> "PythonCondition":
        """Return the opposite condition."""
        return PythonCondition(self.false, self.true)


class SourceModule:
    """A module under construction: its functions as source code, and the names that they use."""

    def __init__(self) -> None:
        self.namespace: dict[str, Any] = {"slow": _evaluate_by_closure, "leads": reference_resolves_to, "nothing": {}}
        self.needs_env = False
        self._functions: list[str] = []
        self._lines: list[str] = []
        self._count = 0

    def name(self, stem: str, value: Any = None) -> str:
        """Return a name that is not in use; with a value, bind the name to it for the generated code."""
        self._count += 1
        name = f"{stem}{self._count}"
        if value is not None:
            self.namespace[name] = value
        return name

    def emit(self, indent: int, text: str) -> None:
        """Append one line to the current function. Raises: `CodegenUnsupported` beyond `MAX_INDENT`."""
        if indent > MAX_INDENT:
            raise CodegenUnsupported
        self._lines.append("    " * indent + text)

    def function(self, write: Callable[[], None], stem: str = "f") -> str:
        """Add a function `(d, env)`, whose body `write` emits at indent 1, and return its name."""
        outer, self._lines = self._lines, []
        name = self.name(stem)
        try:
            write()
            self._functions.append("\n".join([f"def {name}(d, env):", *self._lines]))
        finally:
            self._lines = outer
        return name

    def link(self) -> dict[str, Any]:
        """Execute the source code and return its namespace.

        Names of elements come from R4's definitions; a text of the expression is in the source as a Python literal or
        not at all.
        """
        exec(compile("\n".join(self._functions), "<fhirpath>", "exec"), self.namespace)  # noqa: S102 - made from a tree
        return self.namespace


def _evaluate_by_closure(run: Evaluator, value: Any, type_: str, env: Env) -> bool | None:
    """Evaluate a part of a condition by its closure."""
    outer, env.this = env.this, [Node(value, type_)]
    try:
        return singleton_boolean(run(env), "A condition")
    finally:
        env.this = outer

"""The third pass: the constraints of R4, compiled to one function for each type.

A function checks one object and calls those of the objects below it. The structure of the resource must be valid.
"""

import functools
from collections import defaultdict
from collections.abc import Callable, Iterator
from math import inf
from time import thread_time
from typing import Any

from esante.core.fhir.definitions import Invariant, invariants, load_definitions
from esante.core.fhir.fhirpath import (
    MAX_WORK,
    Env,
    Field,
    Node,
    Option,
    PathError,
    PathFailed,
    PathWriter,
    SourceModule,
    TypedVariable,
    compile_path,
    fields,
    has_content,
    has_only_basic_html,
    lineage,
    parse_path,
    root_node,
)
from esante.core.fhir.json_codec import encode_compact
from esante.core.fhir.model import ElementPath, Finding
from esante.core.fhir.primitives import PRIMITIVES
from esante.core.fhir.validation.rules import local_references
from esante.core.types import Json

#: Constraints that `rules` checks in any case, with a more precise location.
COVERED_BY_RULES = frozenset(
    {"bdl-2", "bdl-3", "bdl-4", "bdl-5", "bdl-7", "bdl-8", "bdl-9", "bdl-10", "bdl-11", "bdl-12", "dom-2", "ref-1"}
)

_CLOCK_INTERVAL = 64
"""Objects in a list after which the clock is checked."""

InvariantCheck = Callable[[Any, "InvariantRun"], None]
#: `hasValue() or (children().count() > id.count())` for an object.
NOT_EMPTY = "len(d) > 1 or (d and 'id' not in d)"


def _has_references_to_contained(resource: Json) -> bool:
    """Return whether there is a reference to each contained resource, which suffices for dom-3."""
    inner = resource.get("contained", ())
    references = local_references(encode_compact(resource) or b"") if inner else ()
    return {each.get("id") for each in inner}.issubset(references)


#: Cheap tests that are true for most objects for which the constraint holds, and for no others.
_SUFFICIENT: dict[str, Callable[[Any], bool]] = {
    "dom-3": _has_references_to_contained,
    # Both are published as htmlChecks(), which does not distinguish them.
    "txt-1": has_only_basic_html,
    "txt-2": has_content,
}


class Violation:
    """A constraint that does not hold, or could not be checked (`failure`).

    `reversed_path` leads from the object up to the root; each caller adds its step as the functions return.
    """

    __slots__ = ("failure", "invariant", "reversed_path")

    def __init__(self, invariant: Invariant, reversed_path: tuple[str | int, ...], failure: str) -> None:
        self.invariant = invariant
        self.reversed_path = list(reversed_path)
        self.failure = failure

    @property
    def is_error(self) -> bool:
        """Whether the resource is invalid because of it."""
        return self.invariant.severity == "error" and not self.failure

    def finding(self, others: int = 0) -> Finding:
        """Return the finding; `others` is the number of further places with the same violation."""
        path: ElementPath = tuple(reversed(self.reversed_path))
        key = self.invariant.key
        more = f" Also at {others:,} other place{'s' * (others > 1)}." if others else ""
        if self.failure:
            return Finding("warning", "processing", path, f"{key} could not be checked: {self.failure}.{more}")
        text = self.invariant.human.rstrip(". ")
        return Finding(self.invariant.severity, "invariant", path, f"{text} ({key}).{more}")


class OutOfTime(Exception):
    """The time for the run is over."""


class InvariantRun(Env):
    """The state of one run over a resource, and the violations found."""

    __slots__ = ("_end", "violations")

    def __init__(self, resource: Node, seconds: float) -> None:
        super().__init__([resource], resource, resource, {})
        self.violations: list[Violation] = []
        self._end = thread_time() + seconds

    @property
    def is_late(self) -> bool:
        """Whether the time is over."""
        return thread_time() > self._end

    def spend(self, amount: int) -> None:
        """Count work done by an expression.

        Raises: PathFailed when it is too much, or the time is over.
        """
        super().spend(amount)
        if self.is_late:
            raise PathFailed("it takes too long")


def check_invariants(resource: Json, seconds: float = inf) -> Iterator[Finding]:
    """Yield a finding for every constraint of R4 that the resource breaks.

    Errors come first, in the order of the document, then the warnings, each once with the number of places (a Bundle
    may have hundreds of resources without a narrative). A run that would take more than `seconds` of processor time
    ends with a warning.

    Raises: DefinitionsMissing when the definitions were not built.
    """
    run = InvariantRun(root_node(resource), seconds)
    functions = invariant_checks()
    try:
        functions["Resource"](resource, run)
    except OutOfTime:
        text = f"Not every constraint was checked: that would take more than {seconds} seconds of processor time."
        yield Finding("warning", "too-costly", (), text)
    warnings: dict[str, list[Violation]] = {}
    for violation in run.violations:
        if violation.is_error:
            yield violation.finding()
        else:
            warnings.setdefault(violation.invariant.key + violation.failure, []).append(violation)
    for first, *more in warnings.values():
        yield first.finding(others=len(more))


class InvariantChecks(dict[str, InvariantCheck]):
    """The function of each type, compiled on the first access together with those that it needs."""

    def __init__(self) -> None:
        super().__init__({"Resource": self._check_resource, "": self._check_extensions})
        self._invariants: defaultdict[str, list[Invariant]] = defaultdict(list)
        for invariant in invariants():
            if invariant.key not in COVERED_BY_RULES:
                self._invariants[invariant.path.removesuffix("[x]")].append(invariant)

    def __missing__(self, type_: str) -> InvariantCheck:
        pending, needed = [type_], {type_: self._properties(type_)}
        while pending:
            for below in needed[pending.pop()].values():
                if below not in self and below not in needed:
                    needed[below] = self._properties(below)
                    pending.append(below)
        module = SourceModule()
        module.namespace.update(note=_report, PathFailed=PathFailed, each=_check_children, parts=_element_values)
        tables: dict[str, dict[str, InvariantCheck]] = {each: {} for each in needed}
        names = {each: self._write(module, each, tables[each]) for each in needed}
        space = module.link()
        functions: dict[str, InvariantCheck] = {each: space[name] for each, name in names.items()}
        for each, table in tables.items():
            for name, below in needed[each].items():
                table[name] = self._check_contained if name == "contained" else functions.get(below) or self[below]
        # Only now: another thread must not get a function whose table is incomplete.
        self.update(functions)
        return functions[type_]

    def _properties(self, type_: str) -> dict[str, str]:
        """Return the JSON properties of a type that are objects, with their type; "" for extensions of primitives."""
        found: dict[str, str] = {}
        for field in fields(type_).values():
            for option in field.options:
                if option.type not in PRIMITIVES:
                    found[option.name] = option.type
                elif option.extensions:
                    found[option.extensions] = ""
        return found

    def _write(self, module: SourceModule, type_: str, table: dict[str, InvariantCheck]) -> str:
        """Write the function of a type, and return its name in the module."""

        def body() -> None:
            if "Element" in lineage(type_):
                not_empty = next(i for i in self._invariants["Element"] if i.key == "ele-1")
                self._write_report(module, not_empty, f"({NOT_EMPTY})", 1, "d", "()")
            for owner in reversed(lineage(type_)):
                for invariant in self._invariants[owner] if owner != "Element" else ():
                    self._write_invariant(module, invariant, type_)
            for name, field in fields(type_).items():
                path = f"{type_}.{name}"
                for invariant in self._invariants.get(path, ()) if path not in load_definitions().types else ():
                    for option in _options_of(invariant, field):
                        self._write_element_invariant(module, invariant, option.name, option.type)
            below = self._properties(type_)
            check_children = f"each(d, {module.name('t', [table])}[0], env)"
            # A type that has only primitives has objects below it only in extensions.
            is_leaf = all(name == "extension" or not inner for name, inner in below.items())
            names = module.name("n", frozenset(below))
            module.emit(1, f"if not {names}.isdisjoint(d): {check_children}" if is_leaf and below else check_children)

        return module.function(body, "check")

    def _write_invariant(self, module: SourceModule, invariant: Invariant, type_: str) -> None:
        """Write the check of a constraint about the object itself."""
        condition = PathWriter(module).compile_condition(parse_path(invariant.expression), TypedVariable("d", type_))
        self._write_report(module, invariant, condition.true, 1, "d", "()")

    def _write_element_invariant(self, module: SourceModule, invariant: Invariant, name: str, type_: str) -> None:
        """Write the check of a constraint about each value of one property of the object."""
        condition = PathWriter(module).compile_condition(parse_path(invariant.expression), TypedVariable("v", type_))
        module.emit(1, f"for v, way in parts(d, {name!r}):")
        self._write_report(module, invariant, condition.true, 2, "v", "way")

    def _write_report(
        self, module: SourceModule, invariant: Invariant, holds: str, indent: int, about: str, steps: str
    ) -> None:
        """Write the lines that report a violation unless the condition `holds`."""
        key = module.name("k", invariant)
        if invariant.key in _SUFFICIENT:
            holds = f"({module.name('q', _SUFFICIENT[invariant.key])}({about}) or {holds})"
        if "slow(" not in holds:
            module.emit(indent, f"if not {holds}: note(env, {key}, {steps})")
            return
        module.emit(indent, "try:")
        module.emit(indent + 1, f"if not {holds}: note(env, {key}, {steps})")
        module.emit(indent, "except PathFailed as error:")
        module.emit(indent + 1, f"note(env, {key}, {steps}, error)")

    def _check_resource(self, value: Json, run: InvariantRun) -> None:
        """Check a resource that is not contained in another: its references with # are relative to it."""
        outer = run.resource, run.root
        run.resource = run.root = root_node(value)
        run.work = MAX_WORK
        self[run.resource.type](value, run)
        run.resource, run.root = outer

    def _check_contained(self, value: Json, run: InvariantRun) -> None:
        outer = run.resource
        run.resource = root_node(value)
        self[run.resource.type](value, run)
        run.resource = outer

    def _check_extensions(self, value: Json | None, run: InvariantRun) -> None:
        """Check the object beside a primitive; None for an item of a list that has none."""
        if value is not None and "extension" in value:
            _check_children({"extension": value["extension"]}, {"extension": self["Extension"]}, run)


def _options_of(invariant: Invariant, field: Field) -> list[Option]:
    """Return the types of an element to which a constraint applies: of a choice, only some may have what it names.

    Raises: PathError when it applies to none.
    """
    compiled: list[Option] = []
    for option in field.options:
        try:
            compile_path(invariant.expression, option.type)
            compiled.append(option)
        except PathError as error:
            failure = error
    if not compiled:
        raise failure
    return compiled


def _check_children(value: Json, table: dict[str, InvariantCheck], run: InvariantRun) -> None:
    """Check the objects below an object."""
    violations = run.violations
    known = len(violations)
    for name, child in value.items():
        check = table.get(name)
        if check is None:
            continue
        if type(child) is list:
            for index, one in enumerate(child):
                if not index % _CLOCK_INTERVAL and run.is_late:
                    raise OutOfTime
                check(one, run)
                if len(violations) != known:
                    known = _extend_paths(violations, known, index, name)
        else:
            check(child, run)
            if len(violations) != known:
                known = _extend_paths(violations, known, name)


def _extend_paths(violations: list[Violation], known: int, *steps: str | int) -> int:
    """Add steps to the paths of the violations found below an object, and return the number of all violations."""
    for each in violations[known:]:
        each.reversed_path += steps
    return len(violations)


def _element_values(value: Json, name: str) -> Iterator[tuple[Any, tuple[str | int, ...]]]:
    """Yield the values of an element, each with its reversed path."""
    found = value.get(name)
    if isinstance(found, list):
        yield from ((each, (index, name)) for index, each in enumerate(found) if each is not None)
    elif found is not None:
        yield found, (name,)


def _report(
    run: InvariantRun, invariant: Invariant, reversed_path: tuple[str | int, ...], failure: object = ""
) -> None:
    run.violations.append(Violation(invariant, reversed_path, str(failure)))


@functools.cache
def invariant_checks() -> InvariantChecks:
    """Return the functions; the first resource of a type takes some tens of milliseconds more."""
    return InvariantChecks()

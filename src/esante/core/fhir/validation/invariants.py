"""The third pass: the constraints of R4, compiled to one function for each type.

A function looks at one object and goes on to the objects below it. The resource has to be right in structure.
"""

import functools
from collections import defaultdict
from collections.abc import Callable, Iterator
from math import inf
from time import thread_time
from typing import Any

from esante.core.fhir.definitions import Invariant, invariants, load
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
from esante.core.fhir.json_codec import compact
from esante.core.fhir.model import Finding, Path
from esante.core.fhir.primitives import PRIMITIVES
from esante.core.fhir.validation.rules import local_references

#: Constraints that `rules` tells of in any case, with a closer place.
TOLD_ALREADY = frozenset(
    {"bdl-2", "bdl-3", "bdl-4", "bdl-5", "bdl-7", "bdl-8", "bdl-9", "bdl-10", "bdl-11", "bdl-12", "dom-2", "ref-1"}
)

#: Of how many objects in a list one looks at the clock.
_OFTEN = 64

Check = Callable[[Any, "Pass"], None]
#: `hasValue() or (children().count() > id.count())` said of an object.
NOT_EMPTY = "len(d) > 1 or (d and 'id' not in d)"


def _contained_are_referred_to(resource: dict[str, Any]) -> bool:
    """Enough for dom-3: there is a reference to each contained resource."""
    inner = resource.get("contained", ())
    told = local_references(compact(resource) or b"") if inner else ()
    return {each.get("id") for each in inner}.issubset(told)


#: Quick looks that say yes to most objects for which the constraint holds, and to no other.
_ENOUGH: dict[str, Callable[[Any], bool]] = {
    "dom-3": _contained_are_referred_to,
    # Both are published as htmlChecks(), which does not tell them apart.
    "txt-1": has_only_basic_html,
    "txt-2": has_content,
}


class Broken:
    """A constraint that does not hold, or could not be checked (`failure`), and where: the way up to the root, which
    is written as the pass comes back along it."""

    __slots__ = ("failure", "invariant", "way_up")

    def __init__(self, invariant: Invariant, way_up: tuple[str | int, ...], failure: str) -> None:
        self.invariant = invariant
        self.way_up = list(way_up)
        self.failure = failure

    @property
    def is_error(self) -> bool:
        """Whether it keeps the resource from being accepted."""
        return self.invariant.severity == "error" and not self.failure

    def finding(self, further: int = 0) -> Finding:
        """In the terms of the other passes; `further` places are not told one by one."""
        path: Path = tuple(reversed(self.way_up))
        key = self.invariant.key
        more = f" Also at {further:,} other place{'s' * (further > 1)}." if further else ""
        if self.failure:
            return Finding("warning", "processing", path, f"{key} could not be checked: {self.failure}.{more}")
        human = self.invariant.human.rstrip(". ")
        return Finding(self.invariant.severity, "invariant", path, f"{human} ({key}).{more}")


class OutOfTime(Exception):
    """The pass has had its time."""


class Pass(Env):
    """The state of one pass over a resource, and what was found."""

    __slots__ = ("_end", "broken")

    def __init__(self, resource: Node, seconds: float) -> None:
        super().__init__([resource], resource, resource, {})
        self.broken: list[Broken] = []
        self._end = thread_time() + seconds

    @property
    def late(self) -> bool:
        """Whether the time is over."""
        return thread_time() > self._end

    def spend(self, amount: int) -> None:
        """Count work done by an expression. Raises `PathFailed` when it is too much, or takes too long."""
        super().spend(amount)
        if self.late:
            raise PathFailed("it takes too long")


def findings(resource: dict[str, Any], seconds: float = inf) -> Iterator[Finding]:
    """Every constraint of R4 that the resource breaks: the errors in the order of the document, then the warnings,
    each once with the number of places (a Bundle may hold hundreds of resources without a narrative).

    A pass that would take more than so many seconds of processor time is ended with a warning. Raises
    `DefinitionsMissing`.
    """
    state = Pass(root_node(resource), seconds)
    made = checks()
    try:
        made["Resource"](resource, state)
    except OutOfTime:
        text = f"Not every constraint was checked: that would take more than {seconds} seconds of processor time."
        yield Finding("warning", "too-costly", (), text)
    warnings: dict[str, list[Broken]] = {}
    for broken in state.broken:
        if broken.is_error:
            yield broken.finding()
        else:
            warnings.setdefault(broken.invariant.key + broken.failure, []).append(broken)
    for first, *more in warnings.values():
        yield first.finding(further=len(more))


class Checks(dict[str, Check]):
    """The function of each type, made when it is first asked for together with those it needs."""

    def __init__(self) -> None:
        super().__init__({"Resource": self._resource, "": self._extensions})
        self._stated: defaultdict[str, list[Invariant]] = defaultdict(list)
        for invariant in invariants():
            if invariant.key not in TOLD_ALREADY:
                self._stated[invariant.path.removesuffix("[x]")].append(invariant)

    def __missing__(self, type_: str) -> Check:
        pending, needed = [type_], {type_: self._properties(type_)}
        while pending:
            for below in needed[pending.pop()].values():
                if below not in self and below not in needed:
                    needed[below] = self._properties(below)
                    pending.append(below)
        module = SourceModule()
        module.namespace.update(note=_note, PathFailed=PathFailed, each=_each, parts=_parts)
        tables: dict[str, dict[str, Check]] = {each: {} for each in needed}
        names = {each: self._write(module, each, tables[each]) for each in needed}
        space = module.link()
        made: dict[str, Check] = {each: space[name] for each, name in names.items()}
        for each, table in tables.items():
            for name, below in needed[each].items():
                table[name] = self._contained if name == "contained" else made.get(below) or self[below]
        # Only now: another thread must not meet a function that does not know those below it.
        self.update(made)
        return made[type_]

    def _properties(self, type_: str) -> dict[str, str]:
        """The JSON properties of a type that hold objects, with their type; "" for the extensions of primitives."""
        found: dict[str, str] = {}
        for field in fields(type_).values():
            for option in field.options:
                if option.type not in PRIMITIVES:
                    found[option.name] = option.type
                elif option.extensions:
                    found[option.extensions] = ""
        return found

    def _write(self, module: SourceModule, type_: str, table: dict[str, Check]) -> str:
        def body() -> None:
            if "Element" in lineage(type_):
                not_empty = next(i for i in self._stated["Element"] if i.key == "ele-1")
                self._noting(module, not_empty, f"({NOT_EMPTY})", 1, "d", "()")
            for owner in reversed(lineage(type_)):
                for invariant in self._stated[owner] if owner != "Element" else ():
                    self._whole(module, invariant, type_)
            for name, field in fields(type_).items():
                stated = self._stated.get(f"{type_}.{name}", ()) if f"{type_}.{name}" not in load().types else ()
                for invariant in stated:
                    for option in _concerned(invariant, field):
                        self._part(module, invariant, option.name, option.type)
            below = self._properties(type_)
            go_on = f"each(d, {module.name('t', [table])}[0], env)"
            # A type of primitives alone has objects below it only where it has extensions.
            leaf = all(name == "extension" or not inner for name, inner in below.items())
            names = module.name("n", frozenset(below))
            module.emit(1, f"if not {names}.isdisjoint(d): {go_on}" if leaf and below else go_on)

        return module.function(body, "check")

    def _whole(self, module: SourceModule, invariant: Invariant, type_: str) -> None:
        """A constraint about the object itself."""
        condition = PathWriter(module).compile_condition(parse_path(invariant.expression), TypedVariable("d", type_))
        self._noting(module, invariant, condition.true, 1, "d", "()")

    def _part(self, module: SourceModule, invariant: Invariant, name: str, type_: str) -> None:
        """A constraint about each value of one property of the object."""
        condition = PathWriter(module).compile_condition(parse_path(invariant.expression), TypedVariable("v", type_))
        module.emit(1, f"for v, way in parts(d, {name!r}):")
        self._noting(module, invariant, condition.true, 2, "v", "way")

    def _noting(
        self, module: SourceModule, invariant: Invariant, holds: str, indent: int, about: str, way: str
    ) -> None:
        key = module.name("k", invariant)
        if invariant.key in _ENOUGH:
            holds = f"({module.name('q', _ENOUGH[invariant.key])}({about}) or {holds})"
        if "slow(" not in holds:
            module.emit(indent, f"if not {holds}: note(env, {key}, {way})")
            return
        module.emit(indent, "try:")
        module.emit(indent + 1, f"if not {holds}: note(env, {key}, {way})")
        module.emit(indent, "except PathFailed as error:")
        module.emit(indent + 1, f"note(env, {key}, {way}, error)")

    def _resource(self, value: dict[str, Any], state: Pass) -> None:
        """A resource that stands by itself: its references with # lead into it."""
        outer = state.resource, state.root
        state.resource = state.root = root_node(value)
        state.work = MAX_WORK
        self[state.resource.type](value, state)
        state.resource, state.root = outer

    def _contained(self, value: dict[str, Any], state: Pass) -> None:
        outer = state.resource
        state.resource = root_node(value)
        self[state.resource.type](value, state)
        state.resource = outer

    def _extensions(self, value: dict[str, Any] | None, state: Pass) -> None:
        """What stands beside a primitive; None for one of a list that has nothing."""
        if value is not None and "extension" in value:
            _each({"extension": value["extension"]}, {"extension": self["Extension"]}, state)


def _concerned(invariant: Invariant, field: Field) -> list[Option]:
    """The types of an element that a constraint on it is about: it may speak of what only some of a choice have.
    Raises `PathError` when it is about none."""
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


def _each(value: dict[str, Any], table: dict[str, Check], state: Pass) -> None:
    """Check the objects below an object."""
    broken = state.broken
    known = len(broken)
    for name, child in value.items():
        check = table.get(name)
        if check is None:
            continue
        if type(child) is list:
            for index, one in enumerate(child):
                if not index % _OFTEN and state.late:
                    raise OutOfTime
                check(one, state)
                if len(broken) != known:
                    known = _leading(broken, known, index, name)
        else:
            check(child, state)
            if len(broken) != known:
                known = _leading(broken, known, name)


def _leading(broken: list[Broken], known: int, *way: str | int) -> int:
    """Add a piece to the way up of what was found below it."""
    for each in broken[known:]:
        each.way_up += way
    return len(broken)


def _parts(value: dict[str, Any], name: str) -> Iterator[tuple[Any, tuple[str | int, ...]]]:
    """The values of an element, each with its way up."""
    found = value.get(name)
    if isinstance(found, list):
        yield from ((each, (index, name)) for index, each in enumerate(found) if each is not None)
    elif found is not None:
        yield found, (name,)


def _note(state: Pass, invariant: Invariant, way_up: tuple[str | int, ...], failure: object = "") -> None:
    state.broken.append(Broken(invariant, way_up, str(failure)))


@functools.cache
def checks() -> Checks:
    """The functions; the first resource of a type takes some tens of milliseconds more."""
    return Checks()

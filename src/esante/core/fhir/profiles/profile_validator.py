"""Checking a resource against a profile: a walk down its rules. The resource has to be right R4 in structure."""

import functools
from collections.abc import Iterator, Sequence
from math import inf
from time import thread_time

from msgspec.structs import replace

from esante.core.fhir.definitions import Invariant, load
from esante.core.fhir.fhirpath import Node, PathError, PathFailed, compile_path, reference_type
from esante.core.fhir.model import Finding, Path
from esante.core.fhir.profiles.definitions import RESOLVE, Mark, Rule, Slice, read, rule_of
from esante.core.fhir.profiles.expected_values import Item, Json, is_coded, is_expected, shown
from esante.core.fhir.profiles.reference_targets import Targets

#: Of how many elements one looks at the clock.
_OFTEN = 64
#: Profiles that lead into each other by references are followed this far.
_MAX_DEPTH = 20


class _OutOfTime(Exception):
    """The walk has had its time."""


def findings(resource: Json, url: str, seconds: float = inf) -> Iterator[Finding]:
    """Every rule of the profile (its address without a version) that the resource breaks, each once.

    A walk that would take more than so many seconds of processor time ends with a warning. Raises
    `DefinitionsMissing`.
    """
    walk = _Walk(resource, seconds)
    try:
        yield from walk.whole(url)
        if walk.deeper:
            text = f"Whether references fit {url} was checked {_MAX_DEPTH} resources deep, and not further."
            yield Finding("warning", "too-costly", (), text)
    except _OutOfTime:
        text = f"Not every rule of {url} was checked: that would take more than {seconds} seconds of processor time."
        yield Finding("warning", "too-costly", (), text)


def unchecked(url: str) -> str | None:
    """What of a profile, and of those that its elements have to fit, is not checked here."""
    involved = _involved(url)
    left_out = [f"{text} ({each.rpartition('/')[2]})" for each in involved for text in _left_out(each)]
    if not left_out:
        return None
    checked = sum(map(rules, involved))
    count = f"{len(left_out)} rules of the profile {url} and of those that it names are not checked, {checked} are"
    return f"{count}. Not checked: {'; '.join(left_out)}."


def rules(url: str) -> int:
    """How many rules a profile has, those that it names not counted."""
    return len(rule_of(url))


@functools.cache
def _involved(url: str) -> tuple[str, ...]:
    found, pending = {url: None}, [url]
    while pending:
        for each in _named(rule_of(pending.pop())):
            if each not in found:
                found[each] = None
                pending.append(each)
    return tuple(found)


def _named(rule: Rule) -> Iterator[str]:
    """The profiles that a rule asks of values and targets, all the way down."""
    for urls in (*rule.profiles.values(), *rule.target_profiles.values()):
        yield from urls
    for part in rule.slices:
        for mark in part.marks:
            yield from mark.value if mark.kind == "profile" else ()
        yield from _named(part.rule)
    for each in rule.below:
        yield from _named(each)


def _left_out(url: str) -> Sequence[str]:
    head = read().profiles.get(url)
    return head.left_out if head else ()


class _Walk:
    """One walk; what fits which profile is remembered, as the same resource may be looked at for several slices and
    references."""

    def __init__(self, resource: Json, seconds: float) -> None:
        self._targets = Targets(resource)
        self._codes = load().codes | read().codes
        self._end = thread_time() + seconds
        self._steps = 0
        self._holders: list[Json] = [resource]
        self._known: dict[tuple[int, str], tuple[Finding, ...]] = {}
        self._depth = 0
        #: Whether there was more to follow than is.
        self.deeper = False

    def whole(self, url: str) -> Iterator[Finding]:
        """What of a profile the resource breaks, each once, as it is found."""
        resource = self._holders[0]
        self._known[id(resource), url] = ()
        told: set[Finding] = set()
        for finding in self._element(rule_of(url), Item(resource, str(resource.get("resourceType")), ()), ""):
            if finding not in told:
                told.add(finding)
                yield finding

    def profile(self, url: str, item: Item) -> tuple[Finding, ...]:
        """What of a profile a value breaks; nothing while that is being found out, which happens in circles."""
        key = id(item.value), url
        if key not in self._known:
            self._known[key] = ()
            self._depth += 1
            self.deeper = self.deeper or self._depth > _MAX_DEPTH
            if self._depth <= _MAX_DEPTH:
                self._known[key] = tuple(self._element(rule_of(url), item, ""))
            self._depth -= 1
        return self._known[key]

    def _look_at_clock(self) -> None:
        if thread_time() > self._end:
            raise _OutOfTime

    def _element(self, rule: Rule, item: Item, name: str) -> Iterator[Finding]:
        """One value and what is below it; `name` is that of the element for messages."""
        self._steps += 1
        if not self._steps % _OFTEN:
            self._look_at_clock()
        is_resource = isinstance(item.value, dict) and "resourceType" in item.value
        if is_resource:
            self._targets.enter(item)
            self._holders.append(item.value)
        yield from self._type(rule, item, name)
        if item.value is not None:
            yield from self._value(rule, item, name)
        yield from self._profiles(rule, item, name)
        yield from self._reference(rule, item)
        for invariant in rule.invariants:
            yield from self._invariant(invariant, item)
        for each in rule.below:
            yield from self._below(each, item, f"{name or item.type}.{each.name}")
        if is_resource:
            self._holders.pop()

    def _below(self, rule: Rule, item: Item, name: str) -> Iterator[Finding]:
        """All values of one element."""
        found = item.below(rule.name)
        here = (*item.path, rule.name)
        yield from _counted(rule, found, here, name)
        for each in found:
            yield from self._element(rule, each, name)
        taken: set[Path] = set()
        for part in rule.slices:
            members = [each for each in found if self._is_member(part, each)]
            taken.update(each.path for each in members)
            yield from self._slice(part, members, found, here, f"{name}:{part.name}")
        for each in found if rule.closed else ():
            if each.path not in taken:
                text = f"{shown(each.value)} is in none of the slices of {name}, which allows no others."
                yield _broken("structure", each.path, text)

    def _slice(self, part: Slice, members: list[Item], found: list[Item], here: Path, name: str) -> Iterator[Finding]:
        if any(mark.steps[-1:] == (RESOLVE,) for mark in part.marks) and not all(map(self._is_at_hand, found)):
            part = Slice(part.name, part.marks, replace(part.rule, min=0))
        for finding in _counted(part.rule, members, here, name):
            yield Finding("error", finding.code, finding.path, f"{finding.diagnostics} {_told(part)}")
        if len(members) < part.rule.min:
            yield from self._nearly(part, found)
        for each in members:
            yield from self._element(part.rule, each, name)

    def _nearly(self, part: Slice, found: list[Item]) -> Iterator[Finding]:
        """Why the first value with all other marks of a slice does not fit its profile."""
        others = [mark for mark in part.marks if mark.kind != "profile"]
        near = [each for each in found if all(self._has(mark, each) for mark in others)]
        for mark in part.marks if near else ():
            for inner in self._along(near[0], mark.steps) if mark.kind == "profile" else ():
                yield from self.profile(mark.value[0], inner)

    def _is_member(self, part: Slice, item: Item) -> bool:
        self._look_at_clock()  # One value may hold thousands of codings.
        return all(self._has(mark, item) for mark in part.marks)

    def _has(self, mark: Mark, item: Item) -> bool:
        found = any(self._marked(mark, each) for each in self._along(item, mark.steps))
        return found == mark.value if mark.kind == "exists" else found

    def _along(self, item: Item, steps: tuple[str, ...]) -> list[Item]:
        """The values some steps below one, or what the references there lead to."""
        if steps[-1:] != (RESOLVE,):
            return item.along(steps)
        found = [self._targets.of(each.value, self._holders[-1]) for each in item.along(steps[:-1])]
        return [target for target in found if target]

    def _is_at_hand(self, item: Item) -> bool:
        return self._targets.of(item.value, self._holders[-1]) is not None

    def _marked(self, mark: Mark, item: Item) -> bool:
        match mark.kind:
            case "exists":
                return True
            case "type":
                return item.type in mark.value
            case "profile":
                return not all(_wrong(self.profile(url, item)) for url in mark.value)
            case "codes":
                return is_coded(item, self._codes[mark.value])
            case _:
                return is_expected(item.value, mark.value, whole=mark.kind == "fixed")

    def _type(self, rule: Rule, item: Item, name: str) -> Iterator[Finding]:
        if rule.types and item.type not in rule.types:
            text = f"{name} is {item.type} here. Allowed by the profile: {', '.join(rule.types)}."
            yield _broken("structure", item.path, text)

    def _value(self, rule: Rule, item: Item, name: str) -> Iterator[Finding]:
        expected = rule.expected
        if expected and not is_expected(item.value, expected.value, whole=expected.kind == "fixed"):
            what = "exactly" if expected.kind == "fixed" else "at least"
            text = f"{name} is {shown(item.value)}. Allowed by the profile: {what} {shown(expected.value)}."
            yield _broken("value", item.path, text)
        if rule.max_length is not None and isinstance(item.value, str) and len(item.value) > rule.max_length:
            text = f"{name} has {len(item.value):,} characters; the profile allows {rule.max_length:,}."
            yield _broken("value", item.path, text)
        if rule.codes and not is_coded(item, self._codes[rule.codes]):
            systems = self._codes[rule.codes]
            allowed = [f"{system}|{code}" for system, codes in systems.items() for code in codes]
            listed = ", ".join(allowed) if len(allowed) <= 20 else f"the {len(allowed)} codes of {rule.codes}"
            yield _broken(
                "code-invalid", item.path, f"{name} is {shown(item.value)}. Allowed by the profile: {listed}."
            )

    def _profiles(self, rule: Rule, item: Item, name: str) -> Iterator[Finding]:
        urls = rule.profiles.get(item.type, ())
        broken = [self.profile(url, item) for url in urls]
        if len(urls) == 1:
            yield from broken[0]
        elif urls and all(map(_wrong, broken)):
            yield _broken("structure", item.path, f"{name} fits none of the profiles {', '.join(urls)}.")

    def _reference(self, rule: Rule, item: Item) -> Iterator[Finding]:
        if not (rule.targets or rule.target_profiles) or item.type != "Reference":
            return
        target = self._targets.of(item.value, self._holders[-1])
        told = target.type if target else reference_type(Node(item.value, "Reference"))
        if told is not None and rule.targets and told not in rule.targets:
            text = f"The reference leads to {told}. Allowed by the profile: {', '.join(rule.targets)}."
            yield _broken("structure", item.path, text)
        urls = rule.target_profiles.get(target.type, ()) if target else ()
        broken = [self.profile(url, target) for url in urls if target]
        if broken and all(map(_wrong, broken)):
            first = next(finding for finding in broken[0] if finding.severity == "error")
            text = f"What the reference leads to does not fit {' or '.join(urls)}: {first.diagnostics}"
            yield _broken("structure", item.path, text)

    def _invariant(self, invariant: Invariant, item: Item) -> Iterator[Finding]:
        context = {"resource": self._holders[-1], "rootResource": self._targets.root_of(self._holders[-1])}
        try:
            path = compile_path(invariant.expression, item.type)
        except PathError:  # An expression on a choice that only its other types have; seen to at the build.
            return
        human = f"{invariant.human.rstrip('. ')} ({invariant.key})."
        try:
            if not path.test(item.value, context=context):
                yield Finding(invariant.severity, "invariant", item.path, human)
        except PathFailed as error:
            yield Finding("warning", "processing", item.path, f"{invariant.key} could not be checked: {error}.")


def _wrong(found: tuple[Finding, ...]) -> bool:
    return any(finding.severity == "error" for finding in found)


def _counted(rule: Rule, found: list[Item], here: Path, name: str) -> Iterator[Finding]:
    if len(found) < rule.min:
        yield _broken("required", here, f"{name} is needed at least {_times(rule.min)}; found {len(found)}.")
    if rule.max is not None and len(found) > rule.max:
        allowed = f"at most {_times(rule.max)}" if rule.max else "not"
        where = found[rule.max].path
        yield _broken("structure", where, f"{name} is allowed {allowed} by the profile; found {len(found)}.")


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"


def _told(part: Slice) -> str:
    """By what the members of a slice are known."""
    marks = []
    for mark in part.marks:
        where = ".".join(mark.steps) or "it"
        match mark.kind:
            case "exists":
                marks.append(f"{where} is there" if mark.value else f"{where} is absent")
            case "type":
                marks.append(f"{where} is {' or '.join(mark.value)}")
            case "profile":
                marks.append(f"{where} fits {' or '.join(mark.value)}")
            case "codes":
                marks.append(f"{where} is of {mark.value}")
            case _:
                marks.append(f"{where} has {shown(mark.value)}")
    return f"One is known by: {', '.join(marks)}."


def _broken(code: str, path: Path, text: str) -> Finding:
    return Finding("error", code, path, text)

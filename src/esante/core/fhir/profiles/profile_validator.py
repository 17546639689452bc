"""Validation of a resource against a profile, along its rules. The structure of the resource must be valid R4."""

import functools
from collections.abc import Iterable, Iterator, Sequence
from math import inf
from time import thread_time
from typing import NamedTuple

from msgspec.structs import replace

from esante.core.fhir.definitions import Invariant, load_definitions
from esante.core.fhir.fhirpath import Node, PathError, PathFailed, compile_path, reference_type
from esante.core.fhir.model import ElementPath, Finding
from esante.core.fhir.profiles.definitions import RESOLVE, Discriminator, Rule, Slice, load_profiles, load_rule
from esante.core.fhir.profiles.expected_values import ElementValue, format_value, has_code_of, matches_expected
from esante.core.fhir.profiles.reference_targets import ReferenceTargets
from esante.core.types import Json

_CLOCK_INTERVAL = 64
"""Elements after which the clock is checked."""
_MAX_DEPTH = 20
"""Profiles that are checked within each other, as references lead from one to the next."""


class _OutOfTime(Exception):
    """The time for the validation is over."""


def check_profile(resource: Json, url: str, seconds: float = inf) -> Iterator[Finding]:
    """Yield a finding for every rule of the profile `url` (without a version) that the resource breaks, each once.

    A validation that would take more than `seconds` of processor time ends with a warning.

    Raises: DefinitionsMissing when the profiles were not built.
    """
    walk = _ProfileWalk(resource, seconds)
    try:
        yield from walk.check(url)
        if walk.is_cut_off:
            text = f"References were checked against {url} to a depth of {_MAX_DEPTH} resources, and not further."
            yield Finding("warning", "too-costly", (), text)
    except _OutOfTime:
        text = f"Not every rule of {url} was checked: that would take more than {seconds} seconds of processor time."
        yield Finding("warning", "too-costly", (), text)


class ProfiledValue(NamedTuple):
    """A value inside a resource that has to fit the profile `url`; `resource` is the one that the value is in."""

    url: str
    value: ElementValue
    resource: Json


def check_values(top: Json, values: Iterable[ProfiledValue], seconds: float = inf) -> Iterator[Finding]:
    """Yield a finding for every rule that one of the values inside the resource `top` breaks.

    A validation that would take more than `seconds` of processor time ends with a warning.

    Raises: DefinitionsMissing when the profiles were not built.
    """
    walk = _ProfileWalk(top, seconds)
    try:
        for each in values:
            yield from walk.check_value(each)
    except _OutOfTime:
        text = "Not every extension and vital sign was checked: that would take too long. Send smaller parts."
        yield Finding("warning", "too-costly", (), text)


def describe_unchecked_rules(url: str) -> str | None:
    """Return a text about the unchecked rules of a profile and of those that it names; None when all are checked."""
    involved = _involved_profiles(url)
    not_checked = [f"{text} ({each.rpartition('/')[2]})" for each in involved for text in _not_checked(each)]
    if not not_checked:
        return None
    checked = sum(map(count_rules, involved))
    count = f"{len(not_checked)} rules of the profile {url} and of those that it names are not checked, {checked} are"
    return f"{count}. Not checked: {'; '.join(not_checked)}."


def count_rules(url: str) -> int:
    """Return the number of rules of a profile, without those of the profiles that it names."""
    return len(load_rule(url))


@functools.cache
def _involved_profiles(url: str) -> tuple[str, ...]:
    """Return a profile and all that it names, directly or through others."""
    found, pending = {url: None}, [url]
    while pending:
        for each in _named_profiles(load_rule(pending.pop())):
            if each not in found:
                found[each] = None
                pending.append(each)
    return tuple(found)


def _named_profiles(rule: Rule) -> Iterator[str]:
    """Yield the profiles that a rule and those below it demand of values and targets."""
    for urls in (*rule.profiles.values(), *rule.target_profiles.values()):
        yield from urls
    for part in rule.slices:
        for discriminator in part.discriminators:
            yield from discriminator.value if discriminator.kind == "profile" else ()
        yield from _named_profiles(part.rule)
    for each in rule.children:
        yield from _named_profiles(each)


def _not_checked(url: str) -> Sequence[str]:
    header = load_profiles().profiles.get(url)
    return header.not_checked if header else ()


class _ProfileWalk:
    """The validation of one resource.

    Results are kept by resource and profile, since the same resource may be checked for several slices and references.
    """

    def __init__(self, resource: Json, seconds: float) -> None:
        self._targets = ReferenceTargets(resource)
        self._codes = load_definitions().codes | load_profiles().codes
        self._end = thread_time() + seconds
        self._steps = 0
        self._resources: list[Json] = [resource]
        self._results: dict[tuple[int, str], tuple[Finding, ...]] = {}
        self._depth = 0
        #: Whether references led deeper than `_MAX_DEPTH`.
        self.is_cut_off = False

    def check(self, url: str) -> Iterator[Finding]:
        """Yield what the resource breaks of a profile, each once."""
        resource = self._resources[0]
        self._results[id(resource), url] = ()
        reported: set[Finding] = set()
        root = ElementValue(resource, str(resource.get("resourceType")), ())
        for finding in self._check_value(load_rule(url), root, ""):
            if finding not in reported:
                reported.add(finding)
                yield finding

    def check_value(self, part: ProfiledValue) -> tuple[Finding, ...]:
        """Return what a value inside the resource breaks of its profile."""
        self._targets.add(ElementValue(part.resource, str(part.resource["resourceType"]), ()))
        self._resources.append(part.resource)
        found = self.profile_findings(part.url, part.value)
        self._resources.pop()
        return found

    def profile_findings(self, url: str, element: ElementValue) -> tuple[Finding, ...]:
        """Return what a value breaks of a profile; nothing while it is being checked, as in cycles of references."""
        key = id(element.value), url
        if key not in self._results:
            self._results[key] = ()
            self._depth += 1
            self.is_cut_off = self.is_cut_off or self._depth > _MAX_DEPTH
            if self._depth <= _MAX_DEPTH:
                self._results[key] = tuple(self._check_value(load_rule(url), element, ""))
            self._depth -= 1
        return self._results[key]

    def _check_clock(self) -> None:
        if thread_time() > self._end:
            raise _OutOfTime

    def _check_value(self, rule: Rule, element: ElementValue, name: str) -> Iterator[Finding]:
        """Check one value and what is below it; `name` is that of the element for messages."""
        self._steps += 1
        if not self._steps % _CLOCK_INTERVAL:
            self._check_clock()
        is_resource = isinstance(element.value, dict) and "resourceType" in element.value
        if is_resource:
            self._targets.add(element)
            self._resources.append(element.value)
        yield from self._check_type(rule, element, name)
        if element.value is not None:
            yield from self._check_content(rule, element, name)
        yield from self._check_profiles(rule, element, name)
        yield from self._check_reference(rule, element)
        for invariant in rule.invariants:
            yield from self._check_invariant(invariant, element)
        for each in rule.children:
            yield from self._check_element(each, element, f"{name or element.type}.{each.name}")
        if is_resource:
            self._resources.pop()

    def _check_element(self, rule: Rule, element: ElementValue, name: str) -> Iterator[Finding]:
        """Check all values of one element."""
        found = element.children(rule.name)
        here = (*element.path, rule.name)
        yield from _check_count(rule, found, here, name)
        for each in found:
            yield from self._check_value(rule, each, name)
        taken: set[ElementPath] = set()
        for part in rule.slices:
            members = [each for each in found if self._is_member(part, each)]
            taken.update(each.path for each in members)
            yield from self._check_slice(part, members, found, here, f"{name}:{part.name}")
        for each in found if rule.closed else ():
            if each.path not in taken:
                text = f"{format_value(each.value)} is in none of the slices of {name}, which are closed."
                yield _error("structure", each.path, text)

    def _check_slice(
        self, part: Slice, members: list[ElementValue], found: list[ElementValue], here: ElementPath, name: str
    ) -> Iterator[Finding]:
        if any(discriminator.steps[-1:] == (RESOLVE,) for discriminator in part.discriminators) and not all(
            map(self._has_target, found)
        ):
            part = Slice(part.name, part.discriminators, replace(part.rule, min=0))
        for finding in _check_count(part.rule, members, here, name):
            yield Finding("error", finding.code, finding.path, f"{finding.diagnostics} {_describe_slice(part)}")
        if len(members) < part.rule.min:
            yield from self._explain_missing_member(part, found)
        for each in members:
            yield from self._check_value(part.rule, each, name)

    def _explain_missing_member(self, part: Slice, found: list[ElementValue]) -> Iterator[Finding]:
        """Yield why the first value that all other discriminators select does not fit the profile of the slice."""
        others = [discriminator for discriminator in part.discriminators if discriminator.kind != "profile"]
        candidates = [
            each for each in found if all(self._is_selected(discriminator, each) for discriminator in others)
        ]
        for discriminator in part.discriminators if candidates else ():
            for selected in (
                self._select(candidates[0], discriminator.steps) if discriminator.kind == "profile" else ()
            ):
                yield from self.profile_findings(discriminator.value[0], selected)

    def _is_member(self, part: Slice, element: ElementValue) -> bool:
        self._check_clock()  # One value may have thousands of codings.
        return all(self._is_selected(discriminator, element) for discriminator in part.discriminators)

    def _is_selected(self, discriminator: Discriminator, element: ElementValue) -> bool:
        found = any(self._fits(discriminator, each) for each in self._select(element, discriminator.steps))
        return found == discriminator.value if discriminator.kind == "exists" else found

    def _select(self, element: ElementValue, steps: tuple[str, ...]) -> list[ElementValue]:
        """Return the values some steps below one, or the targets of the references there."""
        if steps[-1:] != (RESOLVE,):
            return element.descendants(steps)
        found = [self._targets.resolve(each.value, self._resources[-1]) for each in element.descendants(steps[:-1])]
        return [target for target in found if target]

    def _has_target(self, element: ElementValue) -> bool:
        return self._targets.resolve(element.value, self._resources[-1]) is not None

    def _fits(self, discriminator: Discriminator, element: ElementValue) -> bool:
        match discriminator.kind:
            case "exists":
                return True
            case "type":
                return element.type in discriminator.value
            case "profile":
                return not all(_has_errors(self.profile_findings(url, element)) for url in discriminator.value)
            case "codes":
                return has_code_of(element, self._codes[discriminator.value])
            case _:
                return matches_expected(element.value, discriminator.value, exact=discriminator.kind == "fixed")

    def _check_type(self, rule: Rule, element: ElementValue, name: str) -> Iterator[Finding]:
        if rule.types and element.type not in rule.types:
            text = f"{name} is {element.type} here. Allowed by the profile: {', '.join(rule.types)}."
            yield _error("structure", element.path, text)

    def _check_content(self, rule: Rule, element: ElementValue, name: str) -> Iterator[Finding]:
        expected = rule.expected
        if expected and not matches_expected(element.value, expected.value, exact=expected.kind == "fixed"):
            what = "exactly" if expected.kind == "fixed" else "at least"
            allowed = f"{what} {format_value(expected.value)}"
            text = f"{name} is {format_value(element.value)}. Allowed by the profile: {allowed}."
            yield _error("value", element.path, text)
        if rule.max_length is not None and isinstance(element.value, str) and len(element.value) > rule.max_length:
            text = f"{name} has {len(element.value):,} characters; the profile allows {rule.max_length:,}."
            yield _error("value", element.path, text)
        if rule.codes and not has_code_of(element, self._codes[rule.codes]):
            systems = self._codes[rule.codes]
            codes = [f"{system}|{code}" for system, listed in systems.items() for code in listed]
            allowed = ", ".join(codes) if len(codes) <= 20 else f"the {len(codes)} codes of {rule.codes}"
            yield _error(
                "code-invalid",
                element.path,
                f"{name} is {format_value(element.value)}. Allowed by the profile: {allowed}.",
            )

    def _check_profiles(self, rule: Rule, element: ElementValue, name: str) -> Iterator[Finding]:
        urls = rule.profiles.get(element.type, ())
        results = [self.profile_findings(url, element) for url in urls]
        if len(urls) == 1:
            yield from results[0]
        elif urls and all(map(_has_errors, results)):
            yield _error("structure", element.path, f"{name} fits none of the profiles {', '.join(urls)}.")

    def _check_reference(self, rule: Rule, element: ElementValue) -> Iterator[Finding]:
        if not (rule.targets or rule.target_profiles) or element.type != "Reference":
            return
        target = self._targets.resolve(element.value, self._resources[-1])
        target_type = target.type if target else reference_type(Node(element.value, "Reference"))
        if target_type is not None and rule.targets and target_type not in rule.targets:
            allowed = ", ".join(rule.targets)
            text = f"The target of the reference is of type {target_type}. Allowed by the profile: {allowed}."
            yield _error("structure", element.path, text)
        urls = rule.target_profiles.get(target.type, ()) if target else ()
        results = [self.profile_findings(url, target) for url in urls if target]
        if results and all(map(_has_errors, results)):
            first = next(finding for finding in results[0] if finding.severity == "error")
            text = f"The target of the reference does not fit {' or '.join(urls)}: {first.diagnostics}"
            yield _error("structure", element.path, text)

    def _check_invariant(self, invariant: Invariant, element: ElementValue) -> Iterator[Finding]:
        context = {"resource": self._resources[-1], "rootResource": self._targets.root_of(self._resources[-1])}
        try:
            path = compile_path(invariant.expression, element.type)
        except (
            PathError
        ):  # The expression is about other types of a choice; the build checks that it compiles for one.
            return
        text = f"{invariant.human.rstrip('. ')} ({invariant.key})."
        try:
            if not path.test(element.value, context=context):
                yield Finding(invariant.severity, "invariant", element.path, text)
        except PathFailed as error:
            yield Finding("warning", "processing", element.path, f"{invariant.key} could not be checked: {error}.")


def _has_errors(found: tuple[Finding, ...]) -> bool:
    return any(finding.severity == "error" for finding in found)


def _check_count(rule: Rule, found: list[ElementValue], here: ElementPath, name: str) -> Iterator[Finding]:
    if len(found) < rule.min:
        yield _error("required", here, f"{name} is needed at least {_times(rule.min)}; found {len(found)}.")
    if rule.max is not None and len(found) > rule.max:
        allowed = f"allowed at most {_times(rule.max)}" if rule.max else "not allowed"
        where = found[rule.max].path
        yield _error("structure", where, f"{name} is {allowed} by the profile; found {len(found)}.")


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"


def _describe_slice(part: Slice) -> str:
    """Return what distinguishes the members of a slice."""
    criteria = []
    for discriminator in part.discriminators:
        where = ".".join(discriminator.steps) or "it"
        match discriminator.kind:
            case "exists":
                criteria.append(f"{where} is present" if discriminator.value else f"{where} is absent")
            case "type":
                criteria.append(f"{where} is {' or '.join(discriminator.value)}")
            case "profile":
                criteria.append(f"{where} fits {' or '.join(discriminator.value)}")
            case "codes":
                criteria.append(f"{where} is of {discriminator.value}")
            case _:
                criteria.append(f"{where} has {format_value(discriminator.value)}")
    return f"Members of this slice: {', '.join(criteria)}."


def _error(code: str, path: ElementPath, text: str) -> Finding:
    return Finding("error", code, path, text)

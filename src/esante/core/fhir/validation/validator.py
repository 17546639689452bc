"""Checking the bytes of a resource: a fast pass that says yes, a slow one that says what is wrong."""

import functools
import itertools
from collections.abc import Container, Iterable, Sequence
from typing import Any

import msgspec

from esante.core.fhir import json_codec, profiles
from esante.core.fhir.location_expressions import expression
from esante.core.fhir.model import MAX_DEPTH, Checked, Finding, Issue, Path
from esante.core.fhir.source_locations import places
from esante.core.fhir.validation import invariants as constraints
from esante.core.fhir.validation import rules
from esante.core.fhir.validation.decoded_checks import Seen
from esante.core.fhir.validation.decoder_types import shapes
from esante.core.fhir.validation.fast_rules import nothing_to_tell
from esante.core.fhir.validation.structure_validator import explain
from esante.core.web import readable

#: A sender who has this many problems learns nothing from more of them.
MAX_ISSUES = 200
#: Texts above this size are not searched for the line of a problem.
MAX_LOCATED = 10_000_000

#: Processor time for the constraints of one resource, or of one Bundle with all that is in it.
MAX_SECONDS = 0.8
#: What the types let through and the slow pass has to look at: control characters, which JSON writes as escapes.
_CONTROL = b"\\u00"

#: After these the rules over several elements cannot rely on what they find.
_UNSOUND = frozenset({"structure", "too-costly"})
_MORE_LATER = "Constraints and rules over several elements are checked once the structure is right."

#: The address and type of a profile.
_Profile = tuple[str, str]


def check(
    data: bytes,
    *,
    expect: str | None = None,
    invariants: bool = False,
    seconds: float = MAX_SECONDS,
    profile: Sequence[str] = (),
) -> Checked:
    """Check one FHIR R4 resource in JSON: text, structure, formats, required codes, Bundle and reference
    rules; with `invariants` also the constraints that R4 states in FHIRPath, as far as they can be checked in
    `seconds` of processor time (a warning tells when that was not enough); and the rules of each `profile`, by
    its address, in as much time again for all of them.

    Every problem is found in one pass (up to `MAX_ISSUES`). `expect` names the resource type that it has to
    be. Never raises for what the bytes hold; `DefinitionsMissing` when the definitions were not built,
    `profiles.UnknownProfile`.
    """
    asked = [profiles.of_type(each) for each in dict.fromkeys(profile)]
    try:
        return _check(data, expect, seconds if invariants else None, asked)
    except RecursionError:
        return _unreadable(json_codec.NotJson(json_codec.TOO_DEEP), "too-costly")


def check_all(resources: Sequence[tuple[bytes, str]]) -> list[Checked]:
    """`check` of resources, each with the type that it has to be.

    Looked at together they cost a third of it; where that does not say yes to all of them, each is checked by itself.
    """
    if _all_certain(resources):
        return [Checked(functools.partial(json_codec.decode, data)) for data, _ in resources]
    return [check(data, expect=expect) for data, expect in resources]


def accept(data: bytes) -> bool:
    """The fast pass alone: whether structure, formats and required codes are certainly right.

    False means "look closer" (`check`), not "wrong". Repeated names and rules over several elements are not
    seen here.
    """
    return shapes().look(data) is not None


def _check(data: bytes, expect: str | None, seconds: float | None, asked: list[_Profile]) -> Checked:
    seen = _certain(data)
    quiet = seen is not None and seen.levels <= MAX_DEPTH and nothing_to_tell(seen)
    if seen is not None and quiet and seconds is None and not asked and expect in (None, seen.type):
        return Checked(functools.partial(json_codec.decode, data))
    return _look_closer(data, expect, seconds, asked, certain=seen is not None, quiet=quiet)


def _certain(data: bytes) -> Seen | None:
    """What is seen in bytes that are certainly right in all that concerns single elements; None of others."""
    return _without_surprise(shapes().look(data), data)


def _all_certain(resources: Sequence[tuple[bytes, str]]) -> bool:
    """Whether all are certainly right, and of their types; no answer where one has to be a Bundle, which has rules of
    its own."""
    bodies = [data for data, _ in resources]
    try:
        seen = _without_surprise(shapes().look_at_all(bodies), b"".join(bodies))
    except RecursionError:
        return False
    if seen is None or seen.levels > MAX_DEPTH or not nothing_to_tell(seen):
        return False
    expected = [expect for _, expect in resources]
    return "Bundle" not in expected and [type(each).__name__ for each in seen.resource] == expected


def _without_surprise(seen: Seen | None, data: bytes) -> Seen | None:
    """What was seen in bytes that hold nothing that the decoder passes over."""
    if seen is None or json_codec.may_repeat_names(data, json_codec.encode(seen.resource)):
        return None
    return None if b"\\" in data and _CONTROL in data else seen


def _look_closer(
    data: bytes, expect: str | None, seconds: float | None, asked: list[_Profile], certain: bool, quiet: bool
) -> Checked:
    """All passes over plain data but those that have nothing to say: of structure where it is `certain`, of rules
    where they are `quiet`, of constraints where they have no time."""
    try:
        resource = json_codec.decode(data)
    except json_codec.NotJson as error:
        return _unreadable(error)
    compacted = json_codec.compact(resource)
    found: list[Finding] = []
    if not certain or compacted is None:
        resource = json_codec.decode_marking_repeats(data)
        known = _CertainEntries(data) if compacted is not None else ()
        found = list(itertools.islice(explain(resource, known), MAX_ISSUES + 1))
    for type_ in dict.fromkeys([expect, *(type_ for _, type_ in asked)]):
        found += _unexpected(resource, type_)
    sound = compacted is not None and not any(f.code in _UNSOUND for f in found)
    if compacted is not None and sound:
        if not quiet:
            found += itertools.islice(rules.findings(resource, compacted), MAX_ISSUES + 1)
        if seconds is not None:
            found += itertools.islice(constraints.findings(resource, seconds), MAX_ISSUES + 1)
        share = (MAX_SECONDS if seconds is None else seconds) / max(1, len(asked))
        for url in (url for url, type_ in asked if type_ == resource["resourceType"]):
            found += itertools.islice(profiles.findings(resource, url, share), MAX_ISSUES + 1)
    issues = _issues(data, resource, found) if found else []
    if not sound and (seconds is not None or asked):
        issues.append(_incomplete(_MORE_LATER))
    issues += [_incomplete(text) for url, _ in asked for text in [profiles.unchecked(url)] if text]
    return Checked(lambda: resource if isinstance(resource, dict) else {}, tuple(issues))


class _Entry(msgspec.Struct):
    resource: msgspec.Raw = msgspec.Raw(b"")


class _Bundle(msgspec.Struct, tag_field="resourceType", tag="Bundle"):
    entry: list[_Entry] = []


_entries = msgspec.json.Decoder(_Bundle)


class _CertainEntries(Container[Path]):
    """Where in a Bundle the resources stand that are right by themselves, so that only the others are explained. Told
    when it is asked, as the explanation may end before the Bundle does."""

    def __init__(self, data: bytes) -> None:
        try:
            self._entries = _entries.decode(data).entry
        except msgspec.MsgspecError:
            self._entries = []

    def __contains__(self, path: object) -> bool:
        match path:
            case ("entry", int(index), "resource") if index < len(self._entries):
                return _certain(bytes(self._entries[index].resource)) is not None
        return False


def _unexpected(resource: Any, expect: str | None) -> Iterable[Finding]:
    found = resource.get("resourceType") if isinstance(resource, dict) else None
    if expect is not None and isinstance(found, str) and found != expect:
        yield Finding("error", "invalid", ("resourceType",), f"Expected the type {expect}; found {found[:64]}.")


def _issues(data: bytes, resource: Any, found: list[Finding]) -> list[Issue]:
    told = found[:MAX_ISSUES]
    located = places(data, {_there(resource, f.path) for f in told}) if len(data) <= MAX_LOCATED else {}
    issues = [_issue(finding, resource, located) for finding in told]
    issues.sort(key=_urgency)
    if len(found) > MAX_ISSUES:
        issues.append(_incomplete(f"Only the first {MAX_ISSUES} problems are listed."))
    if not located:
        issues.append(_incomplete(f"Lines are not told in texts of more than {MAX_LOCATED:,} bytes."))
    return issues


def _urgency(issue: Issue) -> tuple[bool, int, int]:
    """Errors come first; then the order of the text."""
    return issue.severity not in ("fatal", "error"), issue.line or 0, issue.column or 0


def _incomplete(text: str) -> Issue:
    return Issue("information", "incomplete", "", text)


def _issue(finding: Finding, resource: Any, located: dict[Path, tuple[int, int]]) -> Issue:
    """The finding in FHIR's terms; a missing element is placed where its parent begins."""
    place = located.get(_there(resource, finding.path), (None, None))
    where, text = readable(expression(resource, finding.path)), readable(finding.diagnostics)
    return Issue(finding.severity, finding.code, where, text, *place)


def _there(resource: Any, path: Path) -> Path:
    """As much of a path as is in the resource."""
    value = resource
    for length, step in enumerate(path):
        match value, step:
            case dict(), str() if step in value:
                value = value[step]
            case list(), int() if step < len(value):
                value = value[step]
            case _:
                return path[:length]
    return path


def _unreadable(error: json_codec.NotJson, code: str = "structure") -> Checked:
    return Checked(dict, (Issue("fatal", code, "", str(error), *(error.place or (None, None))),))

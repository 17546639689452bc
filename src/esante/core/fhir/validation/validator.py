"""Validation of the bytes of a resource: a fast pass that accepts, and slow passes that find what is wrong."""

import functools
import itertools
from collections.abc import Container, Iterable, Sequence
from typing import Any

import msgspec

from esante.core.fhir import json_codec
from esante.core.fhir.location_expressions import location_expression
from esante.core.fhir.model import MAX_DEPTH, CheckResult, ElementPath, Finding, Issue
from esante.core.fhir.profiles import check_profile, describe_unchecked_rules, resolve_profile
from esante.core.fhir.source_locations import locate
from esante.core.fhir.validation.decoded_checks import DecodedResource
from esante.core.fhir.validation.decoder_types import resource_decoder
from esante.core.fhir.validation.elements import check_elements
from esante.core.fhir.validation.fast_rules import rules_hold
from esante.core.fhir.validation.invariants import check_invariants
from esante.core.fhir.validation.rules import check_rules
from esante.core.fhir.validation.structure_validator import check_structure
from esante.core.web import readable

MAX_ISSUES = 200
"""Problems that are reported of one resource; more would not help its sender."""
MAX_LOCATED = 10_000_000
"""Bytes of a text up to which problems get line and column."""
MAX_SECONDS = 0.8
"""Seconds of processor time for the constraints of one resource, or of one Bundle with everything in it."""

#: What the types accept and the slow pass has to check: control characters, which JSON writes as escapes.
_CONTROL_ESCAPE = b"\\u00"

#: Codes of findings after which the rules over several elements cannot rely on the structure.
_UNSOUND = frozenset({"structure", "too-costly"})
_SOUND_STRUCTURE_FIRST = "Constraints and rules over several elements are checked once the structure is valid."

_Profile = tuple[str, str]
"""The URL and resource type of a profile."""


def check(
    data: bytes,
    *,
    expect: str | None = None,
    invariants: bool = False,
    seconds: float = MAX_SECONDS,
    profile: Sequence[str] = (),
) -> CheckResult:
    """Check one FHIR R4 resource in JSON: text, structure, formats, required codes, Bundle and reference rules.

    Every problem is found in one call, up to `MAX_ISSUES`; `data` itself never leads to an exception.

    Args:
        data: the JSON text.
        expect: the resource type that it must have.
        invariants: whether the constraints that R4 states in FHIRPath are checked too.
        seconds: processor time for the constraints, and again for all profiles; a warning says when it was not enough.
        profile: URLs of profiles whose rules are checked.

    Raises: DefinitionsMissing when the definitions were not built; profiles.UnknownProfile for an unknown profile.
    """
    profiles = [resolve_profile(each) for each in dict.fromkeys(profile)]
    try:
        return _check(data, expect, seconds if invariants else None, profiles)
    except RecursionError:
        return _undecodable(json_codec.NotJson(json_codec.TOO_DEEP), "too-costly")


def check_all(resources: Sequence[tuple[bytes, str]]) -> list[CheckResult]:
    """Check several resources, each with its expected type.

    Together they cost a third of single checks; where that does not accept all of them, each is checked by itself.
    """
    if _are_all_valid(resources):
        return [CheckResult(functools.partial(json_codec.decode, data)) for data, _ in resources]
    return [check(data, expect=expect) for data, expect in resources]


def passes_fast_check(data: bytes) -> bool:
    """Return whether the fast pass alone finds structure, formats and required codes valid.

    False means that `check` has to decide, not that `data` is invalid. Repeated names and rules over several elements
    are not checked.
    """
    return resource_decoder().decode(data) is not None


def _check(data: bytes, expect: str | None, seconds: float | None, profiles: list[_Profile]) -> CheckResult:
    decoded = _decode_valid(data)
    obeys_rules = decoded is not None and decoded.levels <= MAX_DEPTH and rules_hold(decoded)
    if decoded is not None and obeys_rules and seconds is None and not profiles and expect in (None, decoded.type):
        return CheckResult(functools.partial(json_codec.decode, data))
    return _check_slowly(data, expect, seconds, profiles, is_valid=decoded is not None, obeys_rules=obeys_rules)


def _decode_valid(data: bytes) -> DecodedResource | None:
    """Return the decoded resource if it is certainly valid in everything about single elements, else None."""
    return _unless_doubtful(resource_decoder().decode(data), data)


def _are_all_valid(resources: Sequence[tuple[bytes, str]]) -> bool:
    """Return whether all are certainly valid and of their expected types.

    False where one has to be a Bundle, which has rules of its own.
    """
    bodies = [data for data, _ in resources]
    try:
        decoded = _unless_doubtful(resource_decoder().decode_all(bodies), b"".join(bodies))
    except RecursionError:
        return False
    if decoded is None or decoded.levels > MAX_DEPTH or not rules_hold(decoded):
        return False
    expected = [expect for _, expect in resources]
    return "Bundle" not in expected and [type(each).__name__ for each in decoded.resource] == expected


def _unless_doubtful(decoded: DecodedResource | None, data: bytes) -> DecodedResource | None:
    """Return `decoded` unless `data` may have what the decoder ignores: repeated names or control characters."""
    if decoded is None or (b"\\" in data and _CONTROL_ESCAPE in data):
        return None
    # A quote that is written as an escape was ruled out with the control characters.
    return None if json_codec.has_lost_quotes(data, json_codec.encode(decoded.resource)) else decoded


def _check_slowly(
    data: bytes, expect: str | None, seconds: float | None, profiles: list[_Profile], is_valid: bool, obeys_rules: bool
) -> CheckResult:
    """Run the slow passes over plain data, without those that cannot find anything: that of structure if `is_valid`,
    that of rules if `obeys_rules`, that of constraints if there is no time for it."""
    try:
        resource = json_codec.decode(data)
    except json_codec.NotJson as error:
        return _undecodable(error)
    compacted = json_codec.encode_compact(resource)
    found: list[Finding] = []
    if not is_valid or compacted is None:
        resource = json_codec.decode_marking_repeats(data)
        valid_paths = _ValidEntries(data) if compacted is not None else ()
        found = list(itertools.islice(check_structure(resource, valid_paths), MAX_ISSUES + 1))
    for type_ in dict.fromkeys([expect, *(type_ for _, type_ in profiles)]):
        found += _check_type(resource, type_)
    is_sound = compacted is not None and not any(finding.code in _UNSOUND for finding in found)
    if compacted is not None and is_sound:
        if not obeys_rules:
            found += itertools.islice(check_rules(resource, compacted), MAX_ISSUES + 1)
        if seconds is not None:
            found += itertools.islice(check_elements(resource, seconds / 2), MAX_ISSUES + 1)
            found += itertools.islice(check_invariants(resource, seconds), MAX_ISSUES + 1)
        share = (MAX_SECONDS if seconds is None else seconds) / max(1, len(profiles))
        for url in (url for url, type_ in profiles if type_ == resource["resourceType"]):
            found += itertools.islice(check_profile(resource, url, share), MAX_ISSUES + 1)
    issues = _issues_of(data, resource, found) if found else []
    if not is_sound and (seconds is not None or profiles):
        issues.append(_incomplete(_SOUND_STRUCTURE_FIRST))
    issues += [_incomplete(text) for url, _ in profiles for text in [describe_unchecked_rules(url)] if text]
    return CheckResult(lambda: resource if isinstance(resource, dict) else {}, tuple(issues))


class _Entry(msgspec.Struct):
    resource: msgspec.Raw = msgspec.Raw(b"")


class _Bundle(msgspec.Struct, tag_field="resourceType", tag="Bundle"):
    entry: list[_Entry] = []


_bundle_decoder = msgspec.json.Decoder(_Bundle)


class _ValidEntries(Container[ElementPath]):
    """The paths of the resources in a Bundle that are valid by themselves, so that only the others are checked slowly.

    Each is decided on request, since the slow check may end before the Bundle does.
    """

    def __init__(self, data: bytes) -> None:
        try:
            self._entries = _bundle_decoder.decode(data).entry
        except msgspec.MsgspecError:
            self._entries = []

    def __contains__(self, path: object) -> bool:
        match path:
            case ("entry", int(index), "resource") if index < len(self._entries):
                return _decode_valid(bytes(self._entries[index].resource)) is not None
        return False


def _check_type(resource: Any, expect: str | None) -> Iterable[Finding]:
    found = resource.get("resourceType") if isinstance(resource, dict) else None
    if expect is not None and isinstance(found, str) and found != expect:
        yield Finding("error", "invalid", ("resourceType",), f"Expected the type {expect}; found {found[:64]}.")


def _issues_of(data: bytes, resource: Any, found: list[Finding]) -> list[Issue]:
    reported = found[:MAX_ISSUES]
    located = locate(data, {_existing_part(resource, f.path) for f in reported}) if len(data) <= MAX_LOCATED else {}
    issues = [_issue(finding, resource, located) for finding in reported]
    issues.sort(key=_sort_key)
    if len(found) > MAX_ISSUES:
        issues.append(_incomplete(f"Only the first {MAX_ISSUES} problems are listed."))
    if not located:
        issues.append(_incomplete(f"Texts of more than {MAX_LOCATED:,} bytes are reported without line and column."))
    return issues


def _sort_key(issue: Issue) -> tuple[bool, int, int]:
    """Return a key that sorts errors first, then by position."""
    return issue.severity not in ("fatal", "error"), issue.line or 0, issue.column or 0


def _incomplete(text: str) -> Issue:
    return Issue("information", "incomplete", "", text)


def _issue(finding: Finding, resource: Any, located: dict[ElementPath, tuple[int, int]]) -> Issue:
    """Return the issue of a finding; a missing element has the position at which its parent begins."""
    position = located.get(_existing_part(resource, finding.path), (None, None))
    where, text = readable(location_expression(resource, finding.path)), readable(finding.diagnostics)
    return Issue(finding.severity, finding.code, where, text, *position)


def _existing_part(resource: Any, path: ElementPath) -> ElementPath:
    """Return as much of a path as exists in the resource."""
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


def _undecodable(error: json_codec.NotJson, code: str = "structure") -> CheckResult:
    return CheckResult(dict, (Issue("fatal", code, "", str(error), *(error.position or (None, None))),))

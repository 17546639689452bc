"""Checking the bytes of a resource: a fast pass that says yes, a slow one that says what is wrong."""

import itertools
from collections.abc import Iterable
from typing import Any

from esante.fhir import invariants as constraints
from esante.fhir import jsontext, rules
from esante.fhir.explain import explain
from esante.fhir.fhirpath import expression
from esante.fhir.model import Checked, Finding, Issue, Path
from esante.fhir.shapes import shapes

#: A sender who has this many problems learns nothing from more of them.
MAX_ISSUES = 200
#: Texts above this size are not searched for the line of a problem.
MAX_LOCATED = 2_000_000

#: What the types let through and the slow pass has to look at: empty objects, nulls in lists, and control
#: characters, which JSON writes as escapes.
_DOUBTFUL = (b"{}", b"null", b"\\u00")

#: After these the rules over several elements cannot rely on what they find.
_UNSOUND = frozenset({"structure", "too-costly"})


def check(data: bytes, *, expect: str | None = None, invariants: bool = False) -> Checked:
    """Check one FHIR R4 resource in JSON: text, structure, formats, required codes, Bundle and reference
    rules; with `invariants` also the constraints that R4 states in FHIRPath.

    Every problem is found in one pass (up to `MAX_ISSUES`). `expect` names the resource type that it has to
    be. Never raises for what the bytes hold; `DefinitionsMissing` when the definitions were not built.
    """
    try:
        return _check(data, expect, invariants)
    except RecursionError:
        return _unreadable(jsontext.NotJson(jsontext.TOO_DEEP), "too-costly")


def accept(data: bytes) -> bool:
    """The fast pass alone: whether structure, formats and required codes are certainly right.

    False means "look closer" (`check`), not "wrong". Repeated names and rules over several elements are not
    seen here.
    """
    return shapes().accept(data)


def _check(data: bytes, expect: str | None, invariants: bool) -> Checked:
    accepted = accept(data)
    try:
        resource = jsontext.decode(data)
    except jsontext.NotJson as error:
        return _unreadable(error)
    compacted = jsontext.compact(resource)
    found: list[Finding] = []
    if not accepted or compacted is None or _is_doubtful(data, compacted):
        resource = jsontext.decode_marking_repeats(data)
        found = list(itertools.islice(explain(resource), MAX_ISSUES + 1))
    found += _unexpected(resource, expect)
    if compacted is not None and not any(f.code in _UNSOUND for f in found):
        found += itertools.islice(rules.findings(resource, compacted), MAX_ISSUES + 1)
        if invariants:
            found += itertools.islice(constraints.findings(resource), MAX_ISSUES + 1)
    if not found:
        return Checked(resource)
    return Checked(resource if isinstance(resource, dict) else {}, _issues(data, resource, found))


def _is_doubtful(data: bytes, compacted: bytes) -> bool:
    return jsontext.may_repeat_names(data, compacted) or any(sign in compacted for sign in _DOUBTFUL)


def _unexpected(resource: Any, expect: str | None) -> Iterable[Finding]:
    found = resource.get("resourceType") if isinstance(resource, dict) else None
    if expect is not None and isinstance(found, str) and found != expect:
        yield Finding("error", "invalid", ("resourceType",), f"Expected a {expect}; found a {found[:64]}.")


def _issues(data: bytes, resource: Any, found: list[Finding]) -> tuple[Issue, ...]:
    told = found[:MAX_ISSUES]
    wanted: set[Path] = {f.path[:n] for f in told for n in range(len(f.path) + 1)}
    places = jsontext.places(data, wanted) if len(data) <= MAX_LOCATED else {}
    issues = [_issue(finding, resource, places) for finding in told]
    if len(found) > MAX_ISSUES:
        issues.append(Issue("information", "incomplete", "", f"Only the first {MAX_ISSUES} problems are listed."))
    return tuple(issues)


def _issue(finding: Finding, resource: Any, places: dict[Path, tuple[int, int]]) -> Issue:
    """The finding in FHIR's terms; a missing element is placed where its parent begins."""
    path = finding.path
    place = next((places[path[:n]] for n in range(len(path), -1, -1) if path[:n] in places), (None, None))
    return Issue(finding.severity, finding.code, expression(resource, path), finding.diagnostics, *place)


def _unreadable(error: jsontext.NotJson, code: str = "structure") -> Checked:
    return Checked(issues=(Issue("fatal", code, "", str(error), *(error.place or (None, None))),))

"""Rules over a whole resource that no single type can state: Bundles, documents, references, contained
resources.

Source of each rule: FHIR R4 4.0.1, Bundle (constraints bdl-*), Documents (section 3.3.1), References (2.3)
and DomainResource (2.4). A rule that published European documents break is a warning here, and its docstring
says so.
"""

import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

from esante.core.fhir.json_codec import compact
from esante.core.fhir.model import Finding, Path, Severity
from esante.core.fhir.validation.tolerances import CODES, Deviation

_REFERENCE = b'"reference":"'
_RESTFUL = re.compile(r"^(?:(?P<base>https?://.+)/)?(?P<local>[A-Z][A-Za-z]+/[A-Za-z0-9\-.]{1,64})(?:/_history/.+)?$")

#: The types of Bundle whose entries have a request (bdl-3), or a response (bdl-4).
WITH_REQUEST = frozenset({"batch", "transaction", "history"})
WITH_RESPONSE = frozenset({"batch-response", "transaction-response", "history"})

#: Elements of R4 named `reference` that hold an address of their own and not a reference to a resource.
_NOT_REFERENCES = ("DetectedIssue.reference", "Immunization.education.reference")

Json = dict[str, Any]


def findings(resource: Json, compacted: bytes) -> Iterator[Finding]:
    """Every broken rule. `resource` is right in structure; `compacted` is its JSON without white space."""
    if resource["resourceType"] == "Bundle":
        yield from _bundle(resource, compacted)
    for deviation in CODES:
        if f'"{deviation.resource}"'.encode() in compacted:
            yield from _tolerated(resource, deviation)
    local = compacted.count(_REFERENCE + b"#")
    if local or b'"contained":' in compacted:
        yield from _local(resource, local)


def _tolerated(resource: Json, deviation: Deviation) -> Iterator[Finding]:
    """A warning for each code that is let in although R4 does not have it."""
    for holder, path in _resources(resource):
        inner = (((*path, "contained", index), each) for index, each in enumerate(holder.get("contained", [])))
        for where, each in [(path, holder), *inner]:
            name = each["resourceType"], each.get(deviation.element)
            if name == (deviation.resource, deviation.code):
                text = f"'{deviation.code}' is not an R4 code here; use '{deviation.instead}'. Accepted all the same."
                yield _warning("code-invalid", (*where, deviation.element), text)


def _bundle(bundle: Json, compacted: bytes) -> Iterator[Finding]:
    kind = bundle.get("type")
    entries = bundle.get("entry", [])
    yield from _full_urls(entries, repeated=kind == "history")
    yield from _entry_parts(kind, entries)
    if kind == "document":
        yield from _document(bundle, entries)
    if kind == "message" and not _first_is(entries, "MessageHeader"):
        yield _error("invariant", ("entry", 0), "The first entry of a message is its MessageHeader (bdl-12).")
    if kind in ("document", "transaction"):
        yield from _unresolved(entries, compacted, kind)


def _document(bundle: Json, entries: list[Json]) -> Iterator[Finding]:
    """What makes a Bundle a document. R4 lets a Composition be about nobody: that is a warning."""
    identifier = bundle.get("identifier", {})
    if "system" not in identifier or "value" not in identifier:
        yield _error("invariant", ("identifier",), "A document has an identifier with system and value (bdl-9).")
    if "timestamp" not in bundle:
        text = "A document has a timestamp: when it was put together (bdl-10). Add Bundle.timestamp."
        yield _error("invariant", ("timestamp",), text)
    if not _first_is(entries, "Composition"):
        yield _error("invariant", ("entry", 0), "The first entry of a document is its Composition (bdl-11).")
        return
    if "subject" not in entries[0]["resource"]:
        text = "Nobody can tell whom the document is about. Add Composition.subject."
        yield _warning("business-rule", ("entry", 0, "resource", "subject"), text)
    for index, entry in enumerate(entries):
        if "resource" not in entry:
            yield _error("required", ("entry", index, "resource"), "Each entry of a document holds a resource.")
        elif "fullUrl" not in entry:
            text = "Each entry of a document has a fullUrl, so that the others can refer to it."
            yield _error("required", ("entry", index, "fullUrl"), text)


def _full_urls(entries: list[Json], *, repeated: bool) -> Iterator[Finding]:
    """bdl-7, bdl-8, and that an http fullUrl ends with the type and id of its resource. `repeated`: a resource may be
    there more than once, as in a history."""
    seen: dict[tuple[str, Any], int] = {}
    ids: Counter[str] = Counter()
    for index, entry in enumerate(entries):
        url, resource = entry.get("fullUrl"), entry.get("resource", {})
        local = f"{resource.get('resourceType')}/{resource.get('id')}"
        if "id" in resource:
            ids[local] += 1
            if ids[local] == 2 and url is None and not repeated:
                text = f"{local} is in the Bundle more than once, without a fullUrl to tell them apart."
                yield _error("invariant", ("entry", index, "resource", "id"), text)
        if url is None:
            continue
        where: Path = ("entry", index, "fullUrl")
        key = (url, resource.get("meta", {}).get("versionId"))
        if key in seen and not repeated:
            yield _error("invariant", where, f"The same fullUrl is at entry {seen[key]} already (bdl-7): {url[:120]}")
        seen.setdefault(key, index)
        if "/_history/" in url:
            yield _error("invariant", where, "A fullUrl does not name a version (bdl-8).")
        elif url.startswith(("http:", "https:")) and "id" in resource and not url.endswith(f"/{local}"):
            yield _error("invariant", where, f"The fullUrl does not end with the resource's type and id, {local}.")


def _entry_parts(kind: Any, entries: list[Json]) -> Iterator[Finding]:
    """bdl-2 to bdl-5: which parts an entry has depends on the type of the Bundle."""
    needs_request = kind in WITH_REQUEST
    needs_response = kind in WITH_RESPONSE
    for index, entry in enumerate(entries):
        where: Path = ("entry", index)
        if needs_request and "request" not in entry:
            yield _error("invariant", (*where, "request"), f"Each entry of a {kind} has a request (bdl-3).")
        if not needs_request and "request" in entry:
            yield _error("invariant", (*where, "request"), f"An entry of a {kind} has no request (bdl-3).")
        if needs_response and "response" not in entry:
            yield _error("invariant", (*where, "response"), f"Each entry of a {kind} has a response (bdl-4).")
        if not needs_response and "response" in entry:
            yield _error("invariant", (*where, "response"), f"An entry of a {kind} has no response (bdl-4).")
        if "search" in entry and kind != "searchset":
            yield _error("invariant", (*where, "search"), "Only an entry of a searchset has search (bdl-2).")
        if not {"resource", "request", "response"} & entry.keys():
            yield _error("invariant", where, "An entry holds a resource, or a request or response (bdl-5).")


def _unresolved(entries: list[Json], compacted: bytes, kind: str) -> Iterator[Finding]:
    """References that lead nowhere. What the Composition refers to has to be in the document (3.3.1), and a
    urn: in a transaction has to be one of its entries. Elsewhere in a document a missing target is a warning:
    published hospital discharge reports refer to medications that they leave out."""
    known = _addresses(entries)
    if all(address in known or address.startswith("#") for address in _told(compacted, b"")):
        return
    for index, entry in enumerate(entries):
        resource = entry.get("resource", {})
        base = _base(entry.get("fullUrl", ""))
        from_composition = kind == "document" and index == 0
        for reference, path in _references(resource, ("entry", index, "resource")):
            local = reference.partition("/_history/")[0]
            if reference.startswith("#") or local in known or f"{base}/{local}" in known:
                continue
            severity = _severity_of_unresolved(reference, kind, from_composition)
            if severity:
                text = f"No entry has the address {reference[:120]}. Add the resource or mend the reference."
                yield Finding(severity, "not-found", path, text)


def _severity_of_unresolved(reference: str, kind: str, from_composition: bool) -> Severity | None:
    if kind == "transaction":
        return "error" if reference.startswith("urn:") else None
    if from_composition:
        return "error"
    return None if reference.startswith(("http:", "https:")) else "warning"


def _addresses(entries: list[Json]) -> set[str]:
    """What a reference in the Bundle may say to mean one of its entries."""
    found: set[str] = set()
    for entry in entries:
        resource = entry.get("resource", {})
        if "fullUrl" in entry:
            found.add(entry["fullUrl"])
        if "id" in resource:
            found.add(f"{resource['resourceType']}/{resource['id']}")
    return found


def _base(full_url: str) -> str:
    """The server part of an http fullUrl, "" of any other."""
    match = _RESTFUL.match(full_url)
    return (match["base"] or "") if match else ""


def _local(resource: Json, references: int) -> Iterator[Finding]:
    """Contained resources and the given number of references to them. Resources that contain no others are looked at
    only if some of the references are there."""
    plain = []
    for holder, path in _resources(resource):
        if "contained" in holder:
            told = local_references(compact(holder) or b"")
            references -= len(told)
            yield from _contained(holder, path, told)
        else:
            plain.append((holder, path))
    for holder, path in plain if references else ():
        yield from _contained(holder, path, ["?"])


def _contained(holder: Json, path: Path, told: list[str]) -> Iterator[Finding]:
    """Contained resources hold no others, have ids that differ, and each `#id` leads to one of them. `told` are the
    ids that references name; only if one of them is unknown the place of it is looked for."""
    ids: set[str] = set()
    for index, inner in enumerate(holder.get("contained", [])):
        where: Path = (*path, "contained", index)
        if "contained" in inner:
            yield _error("invariant", (*where, "contained"), "A contained resource contains no others (dom-2).")
        name = inner.get("id")
        if name is None:
            yield _error("required", (*where, "id"), "A contained resource has an id, by which it is referred to.")
        elif name in ids:
            yield _error("invariant", (*where, "id"), f"Two contained resources have the id '{name}'.")
        else:
            ids.add(name)
    if ids.issuperset(name for name in told if name):
        return
    for reference, where in _references(holder, path):
        if reference.startswith("#") and reference != "#" and reference[1:] not in ids:
            text = f"No contained resource has the id '{reference[1:65]}' (ref-1)."
            yield _error("not-found", where, text)


def local_references(compacted: bytes) -> list[str]:
    """The ids that the references with # say in compact JSON, "" for the resource itself; as `_told` one may be cut
    short."""
    return _told(compacted, b"#")


def _told(compacted: bytes, prefix: bytes) -> list[str]:
    """What the references in compact JSON say, for a quick look that may err on the side of looking closer: an address
    with a backslash is cut short here. `prefix` picks and is taken off."""
    return [part[: part.index(b'"')].decode() for part in compacted.split(_REFERENCE + prefix)[1:]]


def _resources(resource: Json) -> Iterator[tuple[Json, Path]]:
    """The resources that may contain others: the resource itself, or those in a Bundle or Parameters, all the
    way."""
    pending: list[tuple[Json, Path]] = [(resource, ())]
    while pending:
        current, path = pending.pop()
        yield current, path
        if current["resourceType"] not in ("Bundle", "Parameters"):
            continue
        stack: list[tuple[Any, Path]] = [(current, path)]
        while stack:
            value, here = stack.pop()
            for key, child in _children(value):
                if isinstance(child, dict) and "resourceType" in child:
                    pending.append((child, (*here, key)))
                elif isinstance(child, list | dict):
                    stack.append((child, (*here, key)))


def _references(resource: Json, path: Path) -> Iterator[tuple[str, Path]]:
    """Every Reference.reference below a resource, in document order, resources of an inner Bundle left
    out."""
    stack: list[tuple[Any, Path, str]] = [(resource, path, str(resource.get("resourceType")))]
    while stack:
        value, here, element = stack.pop()
        if isinstance(value, dict):
            reference = value.get("reference")
            if isinstance(reference, str) and f"{element}.reference" not in _NOT_REFERENCES:
                yield reference, (*here, "reference")
        below = [_step(element, key, child, here) for key, child in _children(value)]
        stack.extend(step for step in reversed(below) if step is not None)


def _step(element: str, key: str | int, child: Any, here: Path) -> tuple[Any, Path, str] | None:
    """One level down: the child, its path and its element path; None where there is nothing below to look
    at."""
    if isinstance(child, dict) and "resourceType" in child:
        inside = element not in ("Bundle.entry", "Parameters.parameter")
        return (child, (*here, key), str(child["resourceType"])) if inside else None
    if isinstance(child, list | dict):
        return child, (*here, key), element if isinstance(key, int) else f"{element}.{key}"
    return None


def _children(value: Any) -> Iterator[tuple[str | int, Any]]:
    yield from value.items() if isinstance(value, dict) else enumerate(value)


def _first_is(entries: list[Json], name: str) -> bool:
    return bool(entries) and entries[0].get("resource", {}).get("resourceType") == name


def _error(code: str, path: Path, text: str) -> Finding:
    return Finding("error", code, path, text)


def _warning(code: str, path: Path, text: str) -> Finding:
    return Finding("warning", code, path, text)

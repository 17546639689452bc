"""Rules over several elements: Bundles, documents, references, contained resources.

Source of each rule: FHIR R4 4.0.1, Bundle (constraints bdl-*), Documents (section 3.3.1), References (2.3) and
DomainResource (2.4). A rule that published European documents break is a warning here, and its docstring says so.
"""

import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

from esante.core.fhir.fhirpath import resource_types
from esante.core.fhir.json_codec import encode_compact
from esante.core.fhir.model import ElementPath, Finding, Severity
from esante.core.fhir.primitives import ABSOLUTE
from esante.core.fhir.validation.attachments import find_attachment_faults
from esante.core.fhir.validation.tolerances import TOLERATED_CODES, Deviation
from esante.core.types import Json

_REFERENCE = b'"reference":"'
_DATA = b'"data":"'
_ABSOLUTE = re.compile(ABSOLUTE)
_RESTFUL = re.compile(r"^(?:(?P<base>https?://.+)/)?(?P<local>[A-Z][A-Za-z]+/[A-Za-z0-9\-.]{1,64})(?:/_history/.+)?$")

#: The types of Bundle whose entries have a request (bdl-3), or a response (bdl-4).
WITH_REQUEST = frozenset({"batch", "transaction", "history"})
WITH_RESPONSE = frozenset({"batch-response", "transaction-response", "history"})

#: Relations of links for paging: each leads to one page, so it occurs once (Bundle.link; RFC 5988).
PAGING = frozenset({"self", "first", "prev", "previous", "next", "last"})

#: Elements of R4 named `reference` that are URLs of their own and no references to resources.
_NOT_REFERENCES = ("DetectedIssue.reference", "Immunization.education.reference")


def check_rules(resource: Json, compacted: bytes) -> Iterator[Finding]:
    """Yield a finding for every broken rule.

    The structure of `resource` must be valid; `compacted` is its JSON without white space.
    """
    if resource["resourceType"] == "Bundle":
        yield from _check_bundle(resource, compacted)
    for deviation in TOLERATED_CODES:
        if f'"{deviation.resource}"'.encode() in compacted:
            yield from _warn_of_tolerated(resource, deviation)
    local = compacted.count(_REFERENCE + b"#")
    if local or b'"contained":' in compacted:
        yield from _check_local_references(resource, local)
    if _DATA in compacted and (b'"size":' in compacted or b'"hash":"' in compacted):
        yield from _check_attachments(resource)


def _check_attachments(resource: Json) -> Iterator[Finding]:
    """Check size and hash of attachments with data; R4 has no other elements of these three names in one object."""
    stack: list[tuple[Any, ElementPath]] = [(resource, ())]
    while stack:
        value, path = stack.pop()
        if isinstance(value, dict) and "data" in value and ("size" in value or "hash" in value):
            yield from find_attachment_faults(value, path)
        stack.extend((child, (*path, key)) for key, child in _children(value) if isinstance(child, list | dict))


def _warn_of_tolerated(resource: Json, deviation: Deviation) -> Iterator[Finding]:
    """Yield a warning for each code that is accepted although R4 does not have it."""
    for container, path in _resources(resource):
        inner = (((*path, "contained", index), each) for index, each in enumerate(container.get("contained", [])))
        for where, each in [(path, container), *inner]:
            name = each["resourceType"], each.get(deviation.element)
            if name == (deviation.resource, deviation.code):
                text = f"'{deviation.code}' is not an R4 code here; use '{deviation.instead}'. It is accepted."
                yield _warning("code-invalid", (*where, deviation.element), text)


def _check_bundle(bundle: Json, compacted: bytes) -> Iterator[Finding]:
    kind = bundle.get("type")
    entries = bundle.get("entry", [])
    yield from _check_links(bundle)
    yield from _check_full_urls(entries, kind)
    yield from _check_entry_parts(kind, entries)
    if kind == "document":
        yield from _check_document(bundle, entries)
    if kind == "message" and not _first_is(entries, "MessageHeader"):
        yield _error("invariant", ("entry", 0), "The first entry of a message must be its MessageHeader (bdl-12).")
    if kind == "searchset":
        yield from _check_results(entries)
    if kind in ("document", "transaction"):
        yield from _check_references(entries, compacted, kind)


def _check_links(bundle: Json) -> Iterator[Finding]:
    """Check that a Bundle has one link at most to each page."""
    found: set[str] = set()
    for index, link in enumerate(bundle.get("link", [])):
        relation = link.get("relation")
        if relation in found and relation in PAGING:
            text = f"The relation '{relation}' occurs more than once. A Bundle has one link of this relation."
            yield _error("value", ("link", index, "relation"), text)
        found.add(relation)


def _check_results(entries: list[Json]) -> Iterator[Finding]:
    """Check results of a search: they have ids, as all resources on a server (Resource.id), and an entry of the mode
    outcome has an OperationOutcome, which needs no id (Search, section 3.1.1.2)."""
    for index, entry in enumerate(entries):
        resource = entry.get("resource", {})
        is_outcome = resource.get("resourceType") == "OperationOutcome"
        where: ElementPath = ("entry", index, "resource")
        if entry.get("search", {}).get("mode") == "outcome" and not is_outcome:
            yield _error("value", where, "An entry of the mode outcome must have an OperationOutcome.")
        if resource and not is_outcome and "id" not in resource:
            yield _error("required", (*where, "id"), "A resource that was found by a search must have an id.")


def _check_document(bundle: Json, entries: list[Json]) -> Iterator[Finding]:
    """Check what makes a Bundle a document. R4 allows a Composition without a subject: that is a warning."""
    identifier = bundle.get("identifier", {})
    if "system" not in identifier or "value" not in identifier:
        yield _error("invariant", ("identifier",), "A document must have an identifier with system and value (bdl-9).")
    if "timestamp" not in bundle:
        text = "A document must have a timestamp, the time when it was assembled (bdl-10). Add Bundle.timestamp."
        yield _error("invariant", ("timestamp",), text)
    if not _first_is(entries, "Composition"):
        yield _error("invariant", ("entry", 0), "The first entry of a document must be its Composition (bdl-11).")
        return
    if "subject" not in entries[0]["resource"]:
        text = "The document does not name its subject. Add Composition.subject."
        yield _warning("business-rule", ("entry", 0, "resource", "subject"), text)
    for index, entry in enumerate(entries):
        if "resource" not in entry:
            yield _error("required", ("entry", index, "resource"), "Each entry of a document must have a resource.")
        elif "fullUrl" not in entry:
            text = "Each entry of a document must have a fullUrl, so that others can refer to it."
            yield _error("required", ("entry", index, "fullUrl"), text)


def _check_full_urls(entries: list[Json], kind: Any) -> Iterator[Finding]:
    """Check bdl-7, bdl-8, that a fullUrl is absolute, and that one of a RESTful server names its resource.

    In a history a resource may occur more than once.
    """
    repeated = kind == "history"
    first_at: dict[tuple[str, Any], int] = {}
    ids: Counter[str] = Counter()
    for index, entry in enumerate(entries):
        url, resource = entry.get("fullUrl"), entry.get("resource", {})
        local = f"{resource.get('resourceType')}/{resource.get('id')}"
        if "id" in resource:
            ids[local] += 1
            if ids[local] == 2 and url is None and not repeated:
                text = (
                    f"{local} occurs more than once in the Bundle, without a fullUrl to distinguish them. Add fullUrl."
                )
                yield _error("invariant", ("entry", index, "resource", "id"), text)
        if url is None:
            continue
        where: ElementPath = ("entry", index, "fullUrl")
        key = (url, resource.get("meta", {}).get("versionId"))
        if key in first_at and not repeated:
            yield _error(
                "invariant", where, f"Entry {first_at[key]} has the same fullUrl already (bdl-7): {url[:120]}"
            )
        first_at.setdefault(key, index)
        if not _ABSOLUTE.match(url):
            text = f"The fullUrl {url[:120]} is not absolute. Write the whole address, or urn:uuid: and a UUID."
            yield _error("value", where, text)
        elif "/_history/" in url:
            yield _error("invariant", where, "A fullUrl must not name a version (bdl-8). Remove /_history/.")
        elif resource and _is_restful(url) and not url.endswith(f"/{local}"):
            if "id" in resource:
                text = f"The fullUrl is that of a resource on a server; it must end with type and id, {local}."
                yield _error("invariant", where, text)
            elif kind not in ("batch", "transaction"):
                text = "The fullUrl is that of a resource on a server, and this resource has no id. Add the id."
                yield _error("invariant", where, text)


def _check_entry_parts(kind: Any, entries: list[Json]) -> Iterator[Finding]:
    """Check bdl-2 to bdl-5: the parts that an entry has by the type of the Bundle."""
    needs_request = kind in WITH_REQUEST
    needs_response = kind in WITH_RESPONSE
    for index, entry in enumerate(entries):
        where: ElementPath = ("entry", index)
        if needs_request and "request" not in entry:
            yield _error("invariant", (*where, "request"), f"Each entry of a {kind} must have a request (bdl-3).")
        if not needs_request and "request" in entry:
            yield _error("invariant", (*where, "request"), f"An entry of a {kind} must not have a request (bdl-3).")
        if needs_response and "response" not in entry:
            yield _error("invariant", (*where, "response"), f"Each entry of a {kind} must have a response (bdl-4).")
        if not needs_response and "response" in entry:
            yield _error("invariant", (*where, "response"), f"An entry of a {kind} must not have a response (bdl-4).")
        if "search" in entry and kind != "searchset":
            yield _error("invariant", (*where, "search"), "Only an entry of a searchset may have search (bdl-2).")
        if not {"resource", "request", "response"} & entry.keys():
            yield _error("invariant", where, "An entry must have a resource, a request or a response (bdl-5).")


def _check_references(entries: list[Json], compacted: bytes, kind: str) -> Iterator[Finding]:
    """Yield a finding for each reference without a target in the Bundle.

    The targets of the Composition must be in the document (3.3.1), and a urn: in a transaction must be one of its
    entries. Elsewhere in a document a missing target is a warning: published hospital discharge reports refer to
    medications that they leave out. A reference in a document that two entries answer is an error: nobody could tell
    which is meant (Bundle, section 2.36.4.1).
    """
    known = _addresses(entries)
    versions = _versions(entries) if kind == "document" else {}
    if not versions and all(
        address in known or address.startswith("#") for address in _quick_references(compacted, b"")
    ):
        return
    for index, entry in enumerate(entries):
        resource = entry.get("resource", {})
        base = base_of(entry.get("fullUrl", ""))
        from_composition = kind == "document" and index == 0
        for reference, path in iterate_references(resource, ("entry", index, "resource")):
            local, _, version = reference.partition("/_history/")
            address = next((each for each in (f"{base}/{local}", local) if each in known), None)
            matches = [each for each in versions.get(address, ()) if not version or each == version]
            if len(matches) > 1:
                text = f"{len(matches)} entries answer to {reference[:120]}. Give each a fullUrl, or name the version."
                yield _error("invariant", path, text)
            if reference.startswith("#") or (address is not None and (matches or address not in versions)):
                continue
            severity = _severity_of_unresolved(reference, kind, from_composition)
            if severity:
                text = f"No entry has the address {reference[:120]}. Add the resource, or correct the reference."
                yield Finding(severity, "not-found", path, text)


def _severity_of_unresolved(reference: str, kind: str, from_composition: bool) -> Severity | None:
    if kind == "transaction":
        return "error" if reference.startswith("urn:") else None
    if from_composition:
        return "error"
    return None if reference.startswith(("http:", "https:")) else "warning"


def _addresses(entries: list[Json]) -> set[str]:
    """Return the addresses by which references in the Bundle may name its entries."""
    found: set[str] = set()
    for entry in entries:
        resource = entry.get("resource", {})
        if "fullUrl" in entry:
            found.add(entry["fullUrl"])
        if "id" in resource:
            found.add(f"{resource['resourceType']}/{resource['id']}")
    return found


def _versions(entries: list[Json]) -> dict[str | None, list[str]]:
    """Return the addresses that several entries have, with the versions of these entries ("" for none)."""
    found: dict[str | None, list[str]] = {}
    for entry in entries:
        resource = entry.get("resource", {})
        version = resource.get("meta", {}).get("versionId", "")
        for address in _addresses([entry]):
            found.setdefault(address, []).append(version)
    return {address: versions for address, versions in found.items() if len(versions) > 1}


def _is_restful(url: str) -> bool:
    """Return whether an address has the form of a resource's on a RESTful server (References, section 2.3.0.3)."""
    match = _RESTFUL.match(url)
    return match is not None and bool(match["base"]) and match["local"].partition("/")[0] in resource_types()


def base_of(full_url: str) -> str:
    """Return the server's base of an http fullUrl, "" of any other."""
    match = _RESTFUL.match(full_url)
    return (match["base"] or "") if match else ""


def _check_local_references(resource: Json, references: int) -> Iterator[Finding]:
    """Check contained resources and the references to them, of which there are `references`.

    Resources that contain no others are checked only if some of the references are in them.
    """
    plain = []
    for container, path in _resources(resource):
        if "contained" in container:
            local_ids = local_references(encode_compact(container) or b"")
            references -= len(local_ids)
            yield from _check_contained(container, path, local_ids)
        else:
            plain.append((container, path))
    for container, path in plain if references else ():
        yield from _check_contained(container, path, ["?"])


def _check_contained(container: Json, path: ElementPath, local_ids: list[str]) -> Iterator[Finding]:
    """Check that contained resources contain no others and have distinct ids, and that each `#id` names one of them.

    `local_ids` are the ids in references; only if one of them is unknown, its location is searched for.
    """
    ids: set[str] = set()
    for index, inner in enumerate(container.get("contained", [])):
        where: ElementPath = (*path, "contained", index)
        if "contained" in inner:
            yield _error("invariant", (*where, "contained"), "A contained resource must not contain others (dom-2).")
        name = inner.get("id")
        if name is None:
            yield _error(
                "required", (*where, "id"), "A contained resource must have an id, by which references name it."
            )
        elif name in ids:
            yield _error("invariant", (*where, "id"), f"Two contained resources have the id '{name}'.")
        else:
            ids.add(name)
    if ids.issuperset(name for name in local_ids if name):
        return
    for reference, where in iterate_references(container, path):
        if reference.startswith("#") and reference != "#" and reference[1:] not in ids:
            text = f"No contained resource has the id '{reference[1:65]}' (ref-1)."
            yield _error("not-found", where, text)


def local_references(compacted: bytes) -> list[str]:
    """Return the ids in references with # in compact JSON, "" for the resource itself.

    An id may be cut off, as in `_quick_references`.
    """
    return _quick_references(compacted, b"#")


def _quick_references(compacted: bytes, prefix: bytes) -> list[str]:
    """Return the addresses in references that begin with `prefix`, without it, from compact JSON.

    An address with a backslash is cut off there, so the result serves only to decide whether a closer check is needed.
    """
    return [part[: part.index(b'"')].decode() for part in compacted.split(_REFERENCE + prefix)[1:]]


def _resources(resource: Json) -> Iterator[tuple[Json, ElementPath]]:
    """Yield the resources that may contain others: the resource itself, and those in a Bundle or Parameters at any
    depth."""
    pending: list[tuple[Json, ElementPath]] = [(resource, ())]
    while pending:
        current, path = pending.pop()
        yield current, path
        if current["resourceType"] not in ("Bundle", "Parameters"):
            continue
        stack: list[tuple[Any, ElementPath]] = [(current, path)]
        while stack:
            value, here = stack.pop()
            for key, child in _children(value):
                if isinstance(child, dict) and "resourceType" in child:
                    pending.append((child, (*here, key)))
                elif isinstance(child, list | dict):
                    stack.append((child, (*here, key)))


def iterate_references(resource: Json, path: ElementPath) -> Iterator[tuple[str, ElementPath]]:
    """Yield every Reference.reference below a resource, in document order, without resources of an inner Bundle."""
    stack: list[tuple[Any, ElementPath, str]] = [(resource, path, str(resource.get("resourceType")))]
    while stack:
        value, here, element = stack.pop()
        if isinstance(value, dict):
            reference = value.get("reference")
            if isinstance(reference, str) and f"{element}.reference" not in _NOT_REFERENCES:
                yield reference, (*here, "reference")
        below = [_descend(element, key, child, here) for key, child in _children(value)]
        stack.extend(step for step in reversed(below) if step is not None)


def _descend(element: str, key: str | int, child: Any, here: ElementPath) -> tuple[Any, ElementPath, str] | None:
    """Return a child, its path and its element path; None where there is nothing below to check."""
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


def _error(code: str, path: ElementPath, text: str) -> Finding:
    return Finding("error", code, path, text)


def _warning(code: str, path: ElementPath, text: str) -> Finding:
    return Finding("warning", code, path, text)

"""Rules of Bundles that documents are deposited in spite of: addresses of entries, paging, unused entries.

Source: FHIR R4, Bundle (fullUrl; section 2.36.4.1, resolving references), Documents (section 3.3.1, content),
RESTful API (section 3.1.0.1.7, paging).
"""

from collections.abc import Iterator

from esante.core.fhir.model import ElementPath, Finding, Severity
from esante.core.fhir.validation.elements.addresses import is_absolute_address
from esante.core.fhir.validation.rules import base_of, iterate_references
from esante.core.types import Json

_PAGING = frozenset({"first", "prev", "previous", "next", "last"})
_PAGED = frozenset({"searchset", "history"})
#: The types of Bundle whose entries may have no address: new resources, and results of operations.
_UNADDRESSED = frozenset({"batch", "transaction", "batch-response", "transaction-response"})


def check_bundle(bundle: Json, path: ElementPath) -> Iterator[Finding]:
    """Yield a finding for every rule that a Bundle breaks."""
    kind, entries = bundle.get("type"), bundle.get("entry", ())
    for index, link in enumerate(bundle.get("link", ())):
        if link.get("relation") in _PAGING and kind not in _PAGED:
            text = f"The relation {link['relation']} is for pages of a searchset or history. Remove the link."
            yield Finding("error", "value", (*path, "link", index, "relation"), text)
    if kind not in _UNADDRESSED and kind != "document":
        for index, entry in enumerate(entries):
            type_ = entry.get("resource", {}).get("resourceType", "OperationOutcome")
            if "fullUrl" not in entry and type_ != "OperationOutcome":
                text = f"An entry of a {kind} has a fullUrl, the address of its resource. Add it."
                yield Finding("error", "required", (*path, "entry", index, "fullUrl"), text)
    if kind == "document" and not path:
        yield from _check_document(entries)


def _check_document(entries: list[Json]) -> Iterator[Finding]:
    """Check that the references of the Composition resolve by R4's rules, and that each entry is used."""
    numbers = {entry["fullUrl"]: index for index, entry in enumerate(entries) if "fullUrl" in entry}
    named = {name: index for index, entry in enumerate(entries) for name in [_type_and_id(entry)] if name}
    forward: dict[int, set[int]] = {index: set() for index in range(len(entries))}
    for index, entry in enumerate(entries):
        base = base_of(entry.get("fullUrl", ""))
        for reference, path in iterate_references(entry.get("resource", {}), ("entry", index, "resource")):
            local = reference.partition("/_history/")[0]
            target = numbers.get(local if is_absolute_address(local) else f"{base}/{local}")
            if target is None and index == 0 and not base and local in named:
                text = f"{reference[:120]} names no entry: a relative reference is completed by the fullUrl of its own"
                text += " entry, which is no address of a server. Write the fullUrl of the target."
                yield Finding("error", "not-found", path, text)
            target = named.get(local) if target is None else target
            forward[index] |= set() if target is None else {target}
    yield from _check_use(entries, forward)


def _type_and_id(entry: Json) -> str:
    """Return type and id of the resource of an entry, "" where it has none."""
    resource = entry.get("resource", {})
    return f"{resource['resourceType']}/{resource['id']}" if "id" in resource else ""


def _check_use(entries: list[Json], forward: dict[int, set[int]]) -> Iterator[Finding]:
    """Check that references lead to each entry: from the Composition, or from a Provenance about such an entry."""
    both: dict[int, set[int]] = {index: set(targets) for index, targets in forward.items()}
    for index, targets in forward.items():
        for target in targets:
            both[target].add(index)
    types = [entry.get("resource", {}).get("resourceType") for entry in entries]
    used = _reachable({0}, forward)
    used = _reachable(used | {n for n in both if types[n] == "Provenance" and forward[n] & used}, forward)
    connected = _reachable({0}, both)
    unused = [index for index in range(len(entries)) if index not in connected]
    text = "No reference leads to the entry, and none from it to the rest of the document. Remove it."
    yield from _one_finding("error", text, unused)
    backward = [index for index in range(len(entries)) if index in connected and index not in used]
    text = "References lead from this entry to the rest of the document only, as R4 has it for Provenance alone."
    yield from _one_finding("warning", text, backward)


def _one_finding(severity: Severity, text: str, entries: list[int]) -> Iterator[Finding]:
    """Yield one finding for all entries of a kind."""
    if entries:
        more = f" Also {len(entries) - 1:,} other{'s' * (len(entries) > 2)}." if len(entries) > 1 else ""
        yield Finding(severity, "business-rule", ("entry", entries[0]), text + more)


def _reachable(start: set[int], edges: dict[int, set[int]]) -> set[int]:
    found, pending = set(start), list(start)
    while pending:
        new = edges.get(pending.pop(), set()) - found
        found |= new
        pending += new
    return found

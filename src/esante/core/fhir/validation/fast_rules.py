"""A glance at a resource as the types have it: whether `rules` can have anything to say about it.

It errs on the side of looking closer. Most documents have nothing to tell, and for them this is a tenth of the work.
"""

from typing import Any

from msgspec import UNSET

from esante.core.fhir.json_codec import encode
from esante.core.fhir.validation.decoded_checks import Seen
from esante.core.fhir.validation.rules import WITH_REQUEST, WITH_RESPONSE, local_references


def nothing_to_tell(seen: Seen) -> bool:
    """True only if no rule over several elements is broken."""
    if seen.odd:
        return False
    references = {found.reference for found in seen.references}
    references.discard(UNSET)
    if (any(reference.startswith("#") for reference in references) or seen.holders) and not _are_contained(seen):
        return False
    return seen.type != "Bundle" or _is_sound(seen.resource, references)


def _are_contained(seen: Seen) -> bool:
    """Whether contained resources have ids that differ, hold no others, and are all that local references mean."""
    local: int = sum(found.reference is not UNSET and found.reference.startswith("#") for found in seen.references)
    for holder in seen.holders:
        ids = {inner.id for inner in holder.contained}
        if len(ids) < len(holder.contained) or UNSET in ids:
            return False
        if any(inner.contained is not UNSET for inner in holder.contained if hasattr(inner, "contained")):
            return False
        told = local_references(encode(holder))
        if not ids.issuperset(filter(None, told)):
            return False
        local -= len(told)
    return not local


def _is_sound(bundle: Any, references: set[str]) -> bool:
    entries = () if bundle.entry is UNSET else bundle.entry
    known = _addresses(bundle.type, entries)
    if known is None:
        return False
    match bundle.type:
        case "document":
            return _is_document(bundle, entries) and all(
                reference in known or reference.startswith("#") for reference in references
            )
        case "transaction":
            return all(reference in known for reference in references if reference.startswith("urn:"))
        case kind:
            return bool(kind != "message")


def _addresses(kind: str, entries: Any) -> set[str] | None:
    """What a reference may say to mean one of the entries; None when an entry is not as the type of Bundle wants it,
    or when it takes more than a glance to tell."""
    request, response = kind in WITH_REQUEST, kind in WITH_RESPONSE
    known: set[str] = set()
    for entry in entries:
        url, local = entry.fullUrl, _local(entry.resource)
        if (entry.request is not UNSET) is not request or (entry.response is not UNSET) is not response:
            return None
        if entry.search is not UNSET or (entry.resource is UNSET and not (request or response)):
            return None
        if url is UNSET:
            if kind == "document" or (local and local in known):
                return None
        elif (
            url in known
            or "/_history/" in url
            or (local and not url.startswith("urn:") and not url.endswith(f"/{local}"))
        ):
            return None
        else:
            known.add(url)
        known.add(local)
    return known


def _local(resource: Any) -> str:
    """Type and id of a resource, "" where it has none."""
    if resource is UNSET or resource.id is UNSET:
        return ""
    return f"{type(resource).__name__}/{resource.id}"


def _is_document(bundle: Any, entries: Any) -> bool:
    if not entries or UNSET in (bundle.identifier, bundle.timestamp):
        return False
    first = entries[0].resource
    named = UNSET not in (bundle.identifier.system, bundle.identifier.value)
    return named and type(first).__name__ == "Composition" and first.subject is not UNSET

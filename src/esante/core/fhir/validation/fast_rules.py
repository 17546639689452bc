"""Cheap pre-check of a decoded resource before the rules over several elements.

It may deny a resource that breaks no rule, never accept one that does. Most documents break none, and for them this is
a tenth of the work of `rules`.
"""

from collections.abc import Iterable
from typing import Any

from msgspec import UNSET

from esante.core.fhir.json_codec import encode
from esante.core.fhir.validation.attachments import describes_data
from esante.core.fhir.validation.decoded_checks import DecodedResource
from esante.core.fhir.validation.rules import PAGING, WITH_REQUEST, WITH_RESPONSE, local_references

_MANY_LINKS = 20
"""Links in a Bundle from which on the closer check decides whether one occurs twice."""


def rules_hold(decoded: DecodedResource) -> bool:
    """Return True only if no rule over several elements is broken."""
    if decoded.needs_rules:
        return False
    if not all(map(_is_attachment_right, decoded.sized_attachments)):
        return False
    references = {reference.reference for reference in decoded.references}
    references.discard(UNSET)
    if (any(reference.startswith("#") for reference in references) or decoded.containers) and not _contained_hold(
        decoded
    ):
        return False
    return decoded.type != "Bundle" or _bundle_holds(decoded.resource, references)


def _is_attachment_right(attachment: Any) -> bool:
    return describes_data(
        bytes(attachment.data),
        None if attachment.size is UNSET else attachment.size,
        None if attachment.hash is UNSET else bytes(attachment.hash),
    )


def _contained_hold(decoded: DecodedResource) -> bool:
    """Return whether contained resources have distinct ids, contain no others, and resolve all local references."""
    remaining: int = sum(
        reference.reference is not UNSET and reference.reference.startswith("#") for reference in decoded.references
    )
    for container in decoded.containers:
        ids = {inner.id for inner in container.contained}
        if len(ids) < len(container.contained) or UNSET in ids:
            return False
        if any(inner.contained is not UNSET for inner in container.contained if hasattr(inner, "contained")):
            return False
        local_ids = local_references(encode(container))
        if not ids.issuperset(filter(None, local_ids)):
            return False
        remaining -= len(local_ids)
    return not remaining


def _bundle_holds(bundle: Any, references: set[str]) -> bool:
    entries = () if bundle.entry is UNSET else bundle.entry
    if bundle.link is not UNSET and not PAGING.isdisjoint(_repeated(link.relation for link in bundle.link)):
        return False
    known = _addresses(bundle.type, entries)
    if known is None:
        return False
    match bundle.type:
        case "document":
            return _document_holds(bundle, entries) and all(
                reference in known or reference.startswith("#") for reference in references
            )
        case "transaction":
            return all(reference in known for reference in references if reference.startswith("urn:"))
        case kind:
            return bool(kind != "message")


def _addresses(kind: str, entries: Any) -> set[str] | None:
    """Return the addresses by which references may name the entries.

    None when an entry breaks a rule of the type of Bundle, or when that takes a closer check to decide.
    """
    request, response = kind in WITH_REQUEST, kind in WITH_RESPONSE
    known: set[str] = set()
    for entry in entries:
        url, local = entry.fullUrl, _type_and_id(entry.resource)
        if (entry.request is not UNSET) is not request or (entry.response is not UNSET) is not response:
            return None
        if kind == "searchset" and not local and type(entry.resource).__name__ != "OperationOutcome":
            return None
        if entry.search is not UNSET or (entry.resource is UNSET and not (request or response)):
            return None
        if url is UNSET:
            if kind == "document" or (local and local in known):
                return None
        elif (
            url in known
            or (kind == "document" and local and local in known)
            or "/_history/" in url
            or not (url.startswith("urn:") or _is_restful(url, local))
        ):
            return None
        else:
            known.add(url)
        known.add(local)
    return known


def _is_restful(url: str, local: str) -> bool:
    """Return whether an address is that of the resource with this type and id on a server."""
    return bool(local) and url.startswith(("https://", "http://")) and url.endswith(f"/{local}")


def _repeated(names: Iterable[str]) -> set[str]:
    """Return the names that occur more than once."""
    found = list(names)
    return {name for name in found if found.count(name) > 1} if len(found) < _MANY_LINKS else set(found)


def _type_and_id(resource: Any) -> str:
    """Return type and id of a resource, "" where it has no id."""
    if resource is UNSET or resource.id is UNSET:
        return ""
    return f"{type(resource).__name__}/{resource.id}"


def _document_holds(bundle: Any, entries: Any) -> bool:
    if not entries or UNSET in (bundle.identifier, bundle.timestamp):
        return False
    first = entries[0].resource
    named = UNSET not in (bundle.identifier.system, bundle.identifier.value)
    return named and type(first).__name__ == "Composition" and first.subject is not UNSET

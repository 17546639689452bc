"""What the lines of a document refer to, as far as the reader may see it."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

from esante.core.fhir import parse_logical_id
from esante.core.fhir.store import fetch_current
from esante.core.storage import Database
from esante.core.types import Json
from esante.services.ehds.formats.facts import Fact
from esante.services.record import View

_ROUNDS = 3
"""Steps that references are followed: a result, its specimen, who took it."""
_NOT_REFERENCES = ("education",)
_LIMIT = 2_000
"""The largest number of resources that a document brings along."""


async def fetch_referenced(
    db: Database, view: View, facts: Sequence[Fact], readable: Iterable[str]
) -> dict[str, Fact]:
    """Return what facts refer to, and what that refers to, by address, with the facts themselves.

    Only resources of the person in the view, of the types that the requester's token lets them read.
    """
    found = {fact.address: fact for fact in facts}
    types, pending = frozenset(readable), list(facts)
    for _ in range(_ROUNDS):
        wanted = dict.fromkeys(address for fact in pending for address in fact.references() if address not in found)
        keys = [key for address in wanted if (key := _key(view.person_id, address, types))]
        if not keys or len(found) > _LIMIT:
            break
        versions = await fetch_current(db, keys[:_LIMIT], view.visible_sources)
        current = [next((one for one in each if not one.deleted), None) for each in versions.values()]
        pending = [Fact(one.type, one.id, one.source, one.body) for one in current if one]
        found |= {fact.address: fact for fact in pending}
    return found


def _key(person_id: UUID, address: str, types: frozenset[str]) -> tuple[UUID, str, UUID] | None:
    type_, _, id_ = address.partition("/")
    keys = parse_logical_id(id_) if type_ in types else None
    return (person_id, type_, keys[1]) if keys and keys[0] == person_id else None


def with_addresses(value: Any, addresses: Mapping[str, str], name: str = "") -> Any:
    """Return a copy in which references lead to entries of the document; others keep only what they display.

    `addresses`: for each relative URL the fullUrl of its entry.
    """
    if isinstance(value, list):
        return [with_addresses(item, addresses, name) for item in value]
    if not isinstance(value, dict):
        return value
    address = value.get("reference")
    if isinstance(address, str) and name not in _NOT_REFERENCES and not address.startswith("#"):
        return _reference(value, address, addresses)
    return {inner: with_addresses(item, addresses, inner) for inner, item in value.items()}


def _reference(reference: Json, address: str, addresses: Mapping[str, str]) -> Json:
    if (target := addresses.get(address)) is not None:
        return reference | {"reference": target}
    if address.startswith(("http:", "https:")):
        return reference
    left = {name: item for name, item in reference.items() if name != "reference"}
    return left or {"display": address.partition("/")[0] or "unknown"}

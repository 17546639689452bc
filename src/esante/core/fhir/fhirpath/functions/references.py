"""`resolve()`: from references to resources (FHIR R4, section FHIRPath, Additional functions)."""

import functools
import re
from typing import Any

from esante.core.fhir.fhirpath.model import PathFailed
from esante.core.fhir.fhirpath.registry import function
from esante.core.fhir.fhirpath.runtime import Env, Run
from esante.core.fhir.fhirpath.types import lineage, resources
from esante.core.fhir.fhirpath.values.items import Item, Items, Node, is_type, root, value_of

_LITERAL = re.compile(r"(?:^|/)([A-Z][A-Za-z]+)/[A-Za-z0-9\-.]{1,64}(?:/_history/[^/]+)?$")


@function("resolve", 0, None)
def _resolve(items: Items, env: Env) -> Items:
    return [target for item in items for target in [_target(item, env)] if target is not None]


def _address(item: Item) -> str | None:
    """What a Reference, or a text, says where its target is."""
    if isinstance(item, Node) and item.type == "Reference":
        found = item.value.get("reference") if isinstance(item.value, dict) else None
        return found if isinstance(found, str) else None
    value = value_of(item)
    return value if isinstance(value, str) else None


def _target(item: Item, env: Env) -> Node | None:
    address = _address(item)
    if not address:
        return None
    if address.startswith("#"):
        return _contained(address[1:], env.root)
    found = _in_bundle(address, env.root.value) if env.root.type == "Bundle" else None
    if found is None and env.resolver is not None:
        found = env.resolver(address)
    return root(found) if found is not None else None


def _contained(name: str, holder: Node) -> Node | None:
    if not name:
        return holder
    inner = holder.value.get("contained") if isinstance(holder.value, dict) else None
    for resource in inner if isinstance(inner, list) else ():
        if isinstance(resource, dict) and resource.get("id") == name:
            return root(resource)
    return None


def _in_bundle(address: str, bundle: Any) -> dict[str, Any] | None:
    entries = bundle.get("entry") if isinstance(bundle, dict) else None
    plain = address.partition("/_history/")[0]
    for entry in entries if isinstance(entries, list) else ():
        resource = entry.get("resource") if isinstance(entry, dict) else None
        if isinstance(resource, dict):
            local = f"{resource.get('resourceType')}/{resource.get('id')}"
            if plain in (entry.get("fullUrl"), local):
                return resource
    return None


def leads_to(source: Run, wanted: str) -> Run:
    """`resolve() is T`. Where the target is not at hand its type is the one that the reference names."""

    def run(env: Env) -> Items:
        found = [answer for item in source(env) for answer in [_leads(item, env, wanted)] if answer is not None]
        if len(found) > 1:
            raise PathFailed(f"'is' needs a single value; found {len(found)}")
        return list(found)

    return run


def _leads(item: Item, env: Env, wanted: str) -> bool | None:
    target = _target(item, env)
    if target is not None:
        return is_type(target, wanted)
    told = told_type(item)
    return None if told is None else wanted in lineage(told)


def reference_leads(value: Any, env: Env, wanted: str) -> bool | None:
    """Whether a Reference, as plain data, leads to a resource of the type; None where nothing says so."""
    address = value.get("reference")
    if env.root.type != "Bundle" and env.resolver is None and isinstance(address, str) and address[:1] != "#":
        told = _named_in(address)
        if told is not None:
            return wanted in lineage(told)
    return _leads(Node(value, "Reference"), env, wanted)


@functools.lru_cache(4096)
def _named_in(address: str) -> str | None:
    match = _LITERAL.search(address)
    return match[1] if match is not None and match[1] in resources() else None


def told_type(item: Item) -> str | None:
    """The resource type that a reference names: in its address, or as its type."""
    named = _named_in(_address(item) or "")
    if named is not None:
        return named
    told = item.value.get("type") if isinstance(item, Node) and isinstance(item.value, dict) else None
    return told if isinstance(told, str) and told in resources() else None

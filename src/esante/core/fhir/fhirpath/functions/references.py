"""`resolve()`, from references to resources (FHIR R4, section FHIRPath, Additional functions)."""

import functools
import re
from typing import Any

from esante.core.fhir.fhirpath.model import PathFailed
from esante.core.fhir.fhirpath.registry import function
from esante.core.fhir.fhirpath.runtime import Env, Evaluator
from esante.core.fhir.fhirpath.types import lineage, resource_types
from esante.core.fhir.fhirpath.values.items import Item, Items, Node, is_type, root_node, value_of
from esante.core.types import Json

_LITERAL = re.compile(r"(?:^|/)([A-Z][A-Za-z]+)/[A-Za-z0-9\-.]{1,64}(?:/_history/[^/]+)?$")


@function("resolve", 0, None)
def _resolve(items: Items, env: Env) -> Items:
    return [target for item in items for target in [_resolve_item(item, env)] if target is not None]


def _address(item: Item) -> str | None:
    """Return the address in a Reference, or in a text; None where there is none."""
    if isinstance(item, Node) and item.type == "Reference":
        found = item.value.get("reference") if isinstance(item.value, dict) else None
        return found if isinstance(found, str) else None
    value = value_of(item)
    return value if isinstance(value, str) else None


def _resolve_item(item: Item, env: Env) -> Node | None:
    address = _address(item)
    if not address:
        return None
    if address.startswith("#"):
        return _contained(address[1:], env.root)
    found = _in_bundle(address, env.root.value) if env.root.type == "Bundle" else None
    if found is None and env.resolver is not None:
        found = env.resolver(address)
    return root_node(found) if found is not None else None


def _contained(name: str, holder: Node) -> Node | None:
    if not name:
        return holder
    inner = holder.value.get("contained") if isinstance(holder.value, dict) else None
    for resource in inner if isinstance(inner, list) else ():
        if isinstance(resource, dict) and resource.get("id") == name:
            return root_node(resource)
    return None


def _in_bundle(address: str, bundle: Any) -> Json | None:
    entries = bundle.get("entry") if isinstance(bundle, dict) else None
    plain = address.partition("/_history/")[0]
    for entry in entries if isinstance(entries, list) else ():
        resource = entry.get("resource") if isinstance(entry, dict) else None
        if isinstance(resource, dict):
            local = f"{resource.get('resourceType')}/{resource.get('id')}"
            if plain in (entry.get("fullUrl"), local):
                return resource
    return None


def compile_resolves_to(source: Evaluator, wanted: str) -> Evaluator:
    """Compile `resolve() is T`; where the target is not available its type is the one that the reference names."""

    def run(env: Env) -> Items:
        found = [answer for item in source(env) for answer in [_resolves_to(item, env, wanted)] if answer is not None]
        if len(found) > 1:
            raise PathFailed(f"'is' needs a single value; found {len(found)}")
        return list(found)

    return run


def _resolves_to(item: Item, env: Env, wanted: str) -> bool | None:
    target = _resolve_item(item, env)
    if target is not None:
        return is_type(target, wanted)
    named = reference_type(item)
    return None if named is None else wanted in lineage(named)


def reference_resolves_to(value: Any, env: Env, wanted: str) -> bool | None:
    """Return whether a Reference, as plain data, is to a resource of the type; None where its type is not known."""
    address = value.get("reference")
    if env.root.type != "Bundle" and env.resolver is None and isinstance(address, str) and address[:1] != "#":
        named = _type_in_address(address)
        if named is not None:
            return wanted in lineage(named)
    return _resolves_to(Node(value, "Reference"), env, wanted)


@functools.lru_cache(4096)
def _type_in_address(address: str) -> str | None:
    match = _LITERAL.search(address)
    return match[1] if match is not None and match[1] in resource_types() else None


def reference_type(item: Item) -> str | None:
    """Return the resource type that a reference names, in its address or as its `type`; None where it names none."""
    named = _type_in_address(_address(item) or "")
    if named is not None:
        return named
    type_ = item.value.get("type") if isinstance(item, Node) and isinstance(item.value, dict) else None
    return type_ if isinstance(type_, str) and type_ in resource_types() else None

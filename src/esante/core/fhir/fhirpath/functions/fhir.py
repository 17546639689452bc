"""The functions that FHIR adds (FHIR R4, section FHIRPath, Additional functions)."""

from esante.core.fhir.definitions import load_definitions
from esante.core.fhir.fhirpath.model import Call, Literal, PathError, PathFailed
from esante.core.fhir.fhirpath.narrative import find_links, is_narrative
from esante.core.fhir.fhirpath.registry import function
from esante.core.fhir.fhirpath.runtime import Env
from esante.core.fhir.fhirpath.types import BOOLEAN, STRING, is_fhir_type
from esante.core.fhir.fhirpath.values.items import Item, Items, Node, is_type, navigate, singleton_value, value_of
from esante.core.fhir.primitives import PRIMITIVES

_STRUCTURE = "http://hl7.org/fhir/StructureDefinition/"


@function("extension", 1, frozenset({"Extension"}))
def _extension(items: Items, env: Env, url: Items) -> Items:
    wanted = singleton_value(url, "extension()")
    return [item for item in navigate(items, "extension") if item.value.get("url") == wanted]


def _has_value(item: Item) -> bool:
    return not isinstance(item, Node) or (item.type in PRIMITIVES and item.value is not None)


@function("hasValue", 0, BOOLEAN)
def _has_value_function(items: Items, env: Env) -> Items:
    return [len(items) == 1 and _has_value(items[0])]


@function("getValue", 0, None)
def _get_value(items: Items, env: Env) -> Items:
    return [value_of(items[0])] if len(items) == 1 and _has_value(items[0]) else []


@function("htmlChecks", 0, BOOLEAN)
def _html_checks(items: Items, env: Env) -> Items:
    texts = [value_of(item) for item in items]
    return [all(isinstance(text, str) and is_narrative(text) for text in texts)]


@function("htmlLinks", 0, STRING)
def _html_links(items: Items, env: Env) -> Items:
    """Return the addresses of the links and images in narratives; a function of our own, for dom-3."""
    return [link for text in map(value_of, items) if isinstance(text, str) for link in find_links(text)]


def _check_value_set(call: Call) -> None:
    match call.arguments[0]:
        case Literal(str() as url):
            _codes(url)


def _codes(url: str) -> dict[str, tuple[str, ...]]:
    found = load_definitions().codes.get(url.partition("|")[0])
    if found is None:
        raise PathError(f"memberOf() does not know the codes of {url[:200]}")
    return found


@function("memberOf", 1, BOOLEAN, check=_check_value_set)
def _member_of(items: Items, env: Env, url: Items) -> Items:
    address = singleton_value(url, "memberOf()")
    if not isinstance(address, str):
        raise PathFailed("memberOf() needs the address of a value set")
    if len(items) > 1:
        raise PathFailed(f"memberOf() needs a single value; found {len(items)}")
    codes = _codes(address)
    return [_is_member(item, codes) for item in items]


def _is_member(item: Item, codes: dict[str, tuple[str, ...]]) -> bool:
    if isinstance(item, Node) and item.type == "CodeableConcept":
        return any(_is_member(coding, codes) for coding in navigate([item], "coding"))
    if isinstance(item, Node) and item.type in ("Coding", "Quantity"):
        return item.value.get("code") in codes.get(str(item.value.get("system")), ())
    return any(value_of(item) in listed for listed in codes.values())


def _check_profile(call: Call) -> None:
    match call.arguments[0]:
        case Literal(str() as url):
            _base_type(url)


def _base_type(url: str) -> str:
    name = url.partition("|")[0].removeprefix(_STRUCTURE)
    if not url.startswith(_STRUCTURE) or not is_fhir_type(name):
        raise PathError(f"conformsTo() supports the types of FHIR R4 only; found {url[:200]}")
    return name


@function("conformsTo", 1, BOOLEAN, check=_check_profile)
def _conforms_to(items: Items, env: Env, url: Items) -> Items:
    address = singleton_value(url, "conformsTo()")
    if not isinstance(address, str):
        raise PathFailed("conformsTo() needs the address of a structure definition")
    wanted = _base_type(address)
    if len(items) > 1:
        raise PathFailed(f"conformsTo() needs a single value; found {len(items)}")
    return [is_type(item, wanted) for item in items]

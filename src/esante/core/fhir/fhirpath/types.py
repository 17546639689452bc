"""The types of expressions: those of FHIR R4 from the definitions, and those of FHIRPath itself.

FHIR types are written by their name (`HumanName`, `code`, `Patient.contact`), FHIRPath's own as `System.String`.
"""

import functools
from typing import NamedTuple

from esante.core.fhir.definitions import Element, load_definitions
from esante.core.fhir.primitives import PRIMITIVES

Types = frozenset[str] | None
"""The possible types of the items of a collection; None where any is possible."""

SYSTEM = frozenset(
    f"System.{name}"
    for name in ("Any", "Boolean", "String", "Integer", "Decimal", "Date", "DateTime", "Time", "Quantity")
)
BOOLEAN: Types = frozenset({"System.Boolean"})
STRING: Types = frozenset({"System.String"})
INTEGER: Types = frozenset({"System.Integer"})
#: The type of the result of `type()`.
TYPE_INFO = "System.TypeInfo"

_PARENTS = (
    dict.fromkeys(("code", "id", "markdown"), "string")
    | dict.fromkeys(("oid", "uuid", "url", "canonical"), "uri")
    | dict.fromkeys(("unsignedInt", "positiveInt"), "integer")
    | dict.fromkeys(("Age", "Count", "Distance", "Duration"), "Quantity")
)

#: The FHIRPath type that a FHIR primitive is converted to.
SYSTEM_OF = (
    dict.fromkeys(PRIMITIVES, "System.String")
    | dict.fromkeys(("integer", "unsignedInt", "positiveInt"), "System.Integer")
    | {"boolean": "System.Boolean", "decimal": "System.Decimal", "date": "System.Date", "time": "System.Time"}
    | dict.fromkeys(("dateTime", "instant"), "System.DateTime")
)
QUANTITIES = frozenset({"Quantity", "Age", "Count", "Distance", "Duration"})


class Option(NamedTuple):
    """A JSON property of an element: its name, its FHIR type, and for a primitive the property of its extensions."""

    name: str
    type: str
    extensions: str | None


class Field(NamedTuple):
    """An element of a type, with one option for each type of a choice."""

    name: str
    options: tuple[Option, ...]
    many: bool


def _option(element: Element, name: str, code: str) -> Option:
    return Option(name, code, f"_{name}" if code in PRIMITIVES and not element.plain else None)


@functools.lru_cache(2048)
def fields(type_: str) -> dict[str, Field]:
    """Return the elements of a type by name; those of `Element` for a primitive, none for a type of FHIRPath."""
    if type_ == TYPE_INFO:
        return {name: Field(name, (Option(name, "System.String", None),), False) for name in ("namespace", "name")}
    found = load_definitions().types.get("Element" if type_ in PRIMITIVES else type_)
    return {
        element.name: Field(
            element.name, tuple(_option(element, n, c) for n, c in element.json_names().items()), element.many
        )
        for element in (found.elements if found else ())
    }


@functools.lru_cache(2048)
def fields_by_property(type_: str) -> dict[str, tuple[Field, Option]]:
    """Return the elements of a type by their JSON properties."""
    return {option.name: (field, option) for field in fields(type_).values() for option in field.options}


@functools.lru_cache(4096)
def lineage(type_: str) -> tuple[str, ...]:
    """Return the type and those it is derived from, nearest first."""
    if type_.startswith("System."):
        return (type_, "System.Any")
    if type_ in _PARENTS:
        return (type_, *lineage(_PARENTS[type_]))
    if type_ in ("Element", "Resource") or type_ not in PRIMITIVES.keys() | load_definitions().types.keys():
        return (type_,)
    if type_ in PRIMITIVES:
        return (type_, "Element")
    if load_definitions().types[type_].kind == "resource":
        return (type_, "DomainResource", "Resource") if is_domain_resource(type_) else (type_, "Resource")
    if "modifierExtension" in fields(type_) and type_ != "BackboneElement":
        return (type_, "BackboneElement", "Element")
    return (type_, "Element")


def is_domain_resource(type_: str) -> bool:
    """Return whether a resource type is derived from DomainResource."""
    return type_ != "DomainResource" and "contained" in fields(type_)


@functools.cache
def resource_types() -> frozenset[str]:
    """Return every resource type that an instance can have."""
    return frozenset(load_definitions().resource_types)


def is_fhir_type(name: str) -> bool:
    """Return whether FHIR R4 has a type of this name."""
    return name in PRIMITIVES or name in load_definitions().types


def resolve_type_name(name: str) -> str | None:
    """Return the type that a specifier such as `Patient`, `FHIR.Patient` or `System.String` names; None for none.

    A name without a namespace is one of FHIR if FHIR has it.
    """
    namespace, _, rest = name.partition(".")
    if namespace == "FHIR" and rest:
        return rest if is_fhir_type(rest) else None
    if namespace == "System" and rest:
        return name if name in SYSTEM else None
    if is_fhir_type(name):
        return name
    return f"System.{name}" if f"System.{name}" in SYSTEM else None


@functools.lru_cache(4096)
def element_types(type_: str, name: str) -> Types:
    """Return the types of an element of a type; empty if it has no such element, None if any is possible."""
    if type_ in ("Resource", "DomainResource"):
        found = [field for t in sorted(resource_types()) for field in [fields(t).get(name)] if field]
    else:
        found = [field for field in [fields(type_).get(name)] if field]
    return frozenset(option.type for field in found for option in field.options)


@functools.cache
def element_names() -> frozenset[str]:
    """Return the names of all elements of R4."""
    return frozenset(name for type_ in load_definitions().types for name in fields(type_))


def are_compatible(type_: str, wanted: str) -> bool:
    """Return whether an item of a static type can be of the wanted type: one is derived from the other."""
    return wanted in lineage(type_) or type_ in lineage(wanted)

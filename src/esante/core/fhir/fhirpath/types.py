"""The types that an expression can meet: those of FHIR R4 from the definitions, and those of FHIRPath itself.

FHIR types go by their name (`HumanName`, `code`, `Patient.contact`), FHIRPath's own as `System.String`.
"""

import functools
from typing import NamedTuple

from esante.core.fhir.definitions import Element, load_definitions
from esante.core.fhir.primitives import PRIMITIVES

#: Static knowledge of what a collection holds: the possible types; None where anything is possible.
Types = frozenset[str] | None

SYSTEM = frozenset(
    f"System.{name}"
    for name in ("Any", "Boolean", "String", "Integer", "Decimal", "Date", "DateTime", "Time", "Quantity")
)
BOOLEAN: Types = frozenset({"System.Boolean"})
STRING: Types = frozenset({"System.String"})
INTEGER: Types = frozenset({"System.Integer"})
#: What `type()` gives.
TYPE_INFO = "System.TypeInfo"

_PARENTS = (
    dict.fromkeys(("code", "id", "markdown"), "string")
    | dict.fromkeys(("oid", "uuid", "url", "canonical"), "uri")
    | dict.fromkeys(("unsignedInt", "positiveInt"), "integer")
    | dict.fromkeys(("Age", "Count", "Distance", "Duration"), "Quantity")
)

#: The FHIRPath type that a FHIR primitive stands for.
SYSTEM_OF = (
    dict.fromkeys(PRIMITIVES, "System.String")
    | dict.fromkeys(("integer", "unsignedInt", "positiveInt"), "System.Integer")
    | {"boolean": "System.Boolean", "decimal": "System.Decimal", "date": "System.Date", "time": "System.Time"}
    | dict.fromkeys(("dateTime", "instant"), "System.DateTime")
)
QUANTITIES = frozenset({"Quantity", "Age", "Count", "Distance", "Duration"})


class Option(NamedTuple):
    """A JSON property that holds an element: its name, its FHIR type, and where its extensions are if that is a
    primitive."""

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
    """The elements of a type by name; those of `Element` for a primitive, none for a type of FHIRPath."""
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
def by_property(type_: str) -> dict[str, tuple[Field, Option]]:
    """The elements of a type by their JSON properties."""
    return {option.name: (field, option) for field in fields(type_).values() for option in field.options}


@functools.lru_cache(4096)
def lineage(type_: str) -> tuple[str, ...]:
    """The type and those it is derived from, nearest first."""
    if type_.startswith("System."):
        return (type_, "System.Any")
    if type_ in _PARENTS:
        return (type_, *lineage(_PARENTS[type_]))
    if type_ in ("Element", "Resource") or type_ not in PRIMITIVES.keys() | load_definitions().types.keys():
        return (type_,)
    if type_ in PRIMITIVES:
        return (type_, "Element")
    if load_definitions().types[type_].kind == "resource":
        return (type_, "DomainResource", "Resource") if is_domain(type_) else (type_, "Resource")
    if "modifierExtension" in fields(type_) and type_ != "BackboneElement":
        return (type_, "BackboneElement", "Element")
    return (type_, "Element")


def is_domain(type_: str) -> bool:
    """Whether a resource type is derived from DomainResource."""
    return type_ != "DomainResource" and "contained" in fields(type_)


@functools.cache
def resources() -> frozenset[str]:
    """Every resource type that an instance can have."""
    return frozenset(load_definitions().resource_types)


def known(name: str) -> bool:
    """Whether FHIR R4 has a type of this name."""
    return name in PRIMITIVES or name in load_definitions().types


def named(name: str) -> str | None:
    """The type that a specifier such as `Patient`, `FHIR.Patient` or `System.String` names; None if there is none.

    A name without a namespace is one of FHIR if FHIR has it.
    """
    namespace, _, rest = name.partition(".")
    if namespace == "FHIR" and rest:
        return rest if known(rest) else None
    if namespace == "System" and rest:
        return name if name in SYSTEM else None
    if known(name):
        return name
    return f"System.{name}" if f"System.{name}" in SYSTEM else None


@functools.lru_cache(4096)
def below(type_: str, name: str) -> Types:
    """The types of an element of a type; empty if it has no such element, None if anything is possible."""
    if type_ in ("Resource", "DomainResource"):
        found = [field for t in sorted(resources()) for field in [fields(t).get(name)] if field]
    else:
        found = [field for field in [fields(type_).get(name)] if field]
    return frozenset(option.type for field in found for option in field.options)


@functools.cache
def element_names() -> frozenset[str]:
    """Every name that some element of R4 has."""
    return frozenset(name for type_ in load_definitions().types for name in fields(type_))


def fits(type_: str, wanted: str) -> bool:
    """Whether a static type can hold, or be, the wanted one."""
    return wanted in lineage(type_) or type_ in lineage(wanted)

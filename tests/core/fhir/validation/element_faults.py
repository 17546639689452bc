"""Kinds of faults in single elements: types, formats, codes, names, extensions, references."""

import json
from collections.abc import Iterator
from functools import partial
from typing import Any

from esante.core.fhir.location_expressions import location_expression
from esante.core.fhir.primitives import PRIMITIVES
from esante.core.fhir.validation.structure_validator import json_properties
from esante.core.types import Json
from tests.core.fhir.samples import DELETE, changed, dumped
from tests.core.fhir.validation.mutations import (
    Kind,
    Make,
    Mutant,
    Path,
    Site,
    each_site,
    kind,
    mutant,
    objects,
    sites,
)

TEXTS = frozenset(code for code, primitive in PRIMITIVES.items() if primitive.json == "string")
WHOLE = frozenset(code for code, primitive in PRIMITIVES.items() if primitive.json == "integer")

TYPES = "wrong type"
each_site(TYPES, "text for a boolean", lambda s: s.is_one and s.code == "boolean", lambda s: str(s.value).lower())
each_site(TYPES, "number for a boolean", lambda s: s.is_one and s.code == "boolean", lambda s: int(s.value))
each_site(TYPES, "number for a text", lambda s: s.is_one and s.code in TEXTS, lambda s: 5)
each_site(TYPES, "boolean for a text", lambda s: s.is_one and s.code in TEXTS, lambda s: True)
each_site(TYPES, "text for a decimal", lambda s: s.is_one and s.code == "decimal", lambda s: str(s.value))
each_site(TYPES, "boolean for a decimal", lambda s: s.is_one and s.code == "decimal", lambda s: False)
each_site(TYPES, "text for a whole number", lambda s: s.is_one and s.code in WHOLE, lambda s: str(s.value))
each_site(TYPES, "fraction for a whole number", lambda s: s.is_one and s.code in WHOLE, lambda s: 2.5)
each_site(TYPES, "object for a primitive", lambda s: s.is_one and s.code in PRIMITIVES, lambda s: {"value": s.value})
each_site(TYPES, "list for a single value", lambda s: not s.element.many, lambda s: [s.value])
each_site(TYPES, "list in a list", lambda s: s.inside_list, lambda s: [s.value])
each_site(TYPES, "single value for a list", lambda s: s.is_list, lambda s: s.value[0])
each_site(TYPES, "text for an object", lambda s: s.is_object, lambda s: "x")
each_site(TYPES, "null", lambda s: not s.inside_list, lambda s: None)
each_site(TYPES, "null in a list", lambda s: s.inside_list, lambda s: None)

EMPTY = "empty"
each_site(EMPTY, "empty text", lambda s: s.is_one and s.code in TEXTS, lambda s: "")
each_site(EMPTY, "empty list", lambda s: s.is_list, lambda s: [])
each_site(EMPTY, "empty object", lambda s: s.is_object and s.code != "Resource", lambda s: {})

FORMATS = "wrong format"
WRONG: dict[str, tuple[Any, ...]] = {
    "base64Binary": ("A===", "YQ=", "@@@@"),
    "canonical": ("http://x.test/a b",),
    "code": (" final", "a  b", "a\tb "),
    "date": ("2024-02-30", "1990-13", "01.02.1990", "2024-01-01T10:00:00Z"),
    "dateTime": ("2024-01-01T10:00:00", "2024-01-01T10:00Z", "2023-02-29", "2024-01-01 10:00:00Z", "2024-1-1"),
    "id": ("a_b", "x" * 65, "a b"),
    "instant": ("2024-01-01", "2024-01-01T10:00:00", "2024-01-01T25:00:00Z"),
    "markdown": ("a\0b",),
    "oid": ("1.2.3", "urn:oid:9.1"),
    "string": ("a\0b", "x" * 1_048_577),
    "time": ("24:00:00", "10:00"),
    "uri": ("urn:x: y", " http://x.test"),
    "url": ("http://x.test/a b",),
    "uuid": ("urn:uuid:1", "URN:UUID:C757873D-EC9A-4326-A141-556F43239520"),
    "xhtml": ("",),
    "integer": (2**31, -(2**31) - 1),
    "unsignedInt": (-1, 2**31),
    "positiveInt": (0, -1),
}
for _code, _values in WRONG.items():
    each_site(
        FORMATS,
        f"no {_code}",
        lambda s, code=_code: s.is_one and s.code == code,
        lambda s, values=_values: values[len(str(s.value)) % len(values)],
    )
each_site(FORMATS, "decimal beyond measure", lambda s: s.is_one and s.code == "decimal", lambda s: 10**400)

CODES = "wrong code"


def bound(site: Site) -> bool:
    return site.is_one and bool(site.element.codes)


each_site(CODES, "code outside its required binding", lambda s: bound(s) and s.code == "code", lambda s: "zzz")
each_site(
    CODES, "code in capitals", lambda s: bound(s) and s.code == "code" and s.value.islower(), lambda s: s.value.upper()
)
each_site(
    CODES,
    "concept outside its required binding",
    lambda s: bound(s) and s.code == "CodeableConcept",
    lambda s: {"coding": [{"system": "http://x.test", "code": "zzz"}]},
    ("coding",),
)
each_site(
    CODES,
    "concept by text where a code is required",
    lambda s: bound(s) and s.code == "CodeableConcept",
    lambda s: {"text": "x"},
    ("coding",),
)

NAMES = "names and cardinality"


@kind(NAMES, "unknown element")
def _unknown(resource: Json) -> Iterator[Make]:
    for path, _, _ in objects(resource):
        yield mutant(resource, *path, "unknownElement", "x")


@kind(NAMES, "name in another case")
def _other_case(resource: Json) -> Iterator[Make]:
    for site in sites(resource):
        name = site.path[-1]
        if isinstance(name, str) and name.swapcase() != name:
            other = name[0].swapcase() + name[1:]
            yield mutant(resource, *site.path[:-1], other, site.value, without=site.path)


@kind(NAMES, "value for one in a list, under the name of one")
def _singular(resource: Json) -> Iterator[Make]:
    for site in sites(resource):
        if site.is_list and not site.element.name.endswith("s"):
            yield mutant(resource, *site.path[:-1], f"{site.element.name}s", site.value, without=site.path)


@kind(NAMES, "required element missing")
def _missing(resource: Json) -> Iterator[Make]:
    for site in sites(resource):
        if site.element.min and not site.inside_list:
            yield mutant(resource, *site.path, DELETE, named=(*site.path[:-1], site.element.name))


SAMPLES: dict[str, Any] = {
    "boolean": True, "integer": 1, "positiveInt": 1, "unsignedInt": 1, "decimal": 1.5, "string": "x", "markdown": "x",
    "code": "x", "id": "x", "uri": "urn:x", "url": "http://x.test", "canonical": "http://x.test", "date": "2024-01-01",
    "dateTime": "2024-01-01", "instant": "2024-01-01T10:00:00Z", "time": "10:00:00", "base64Binary": "YQ==",
    "oid": "urn:oid:1.2", "uuid": "urn:uuid:c757873d-ec9a-4326-a141-556f43239520",
    "CodeableConcept": {"text": "x"}, "Reference": {"display": "x"}, "Period": {"start": "2024"}, "Age": {"value": 1},
    "Range": {"low": {"value": 1}}, "Quantity": {"value": 1}, "Identifier": {"value": "x"}, "Attachment": {"title": "x"},
    "Timing": {"event": ["2024"]}, "Duration": {"value": 1}, "Money": {"value": 1},
}  # fmt: skip


def others(site: Site) -> list[tuple[str, Any]]:
    """The other options of a choice, with a valid value."""
    return [
        (n, SAMPLES[code]) for n, code in site.element.json_names().items() if n != site.path[-1] and code in SAMPLES
    ]


@kind(NAMES, "two values of a choice")
def _two(resource: Json) -> Iterator[Make]:
    for site in sites(resource):
        if site.element.choice:
            for name, value in others(site)[:2]:
                yield mutant(resource, *site.path[:-1], name, value)


@kind(NAMES, "second value of a choice by extension alone")
def _two_by_extension(resource: Json) -> Iterator[Make]:
    for site in sites(resource):
        if site.element.choice and site.owner != "Extension":
            for name, value in [each for each in others(site) if not isinstance(each[1], dict)][:1]:
                yield partial(_marked, resource, site.path[:-1], name, value)


def _marked(resource: Json, path: Path, name: str, value: Any) -> Mutant:
    """With extensions in place of the value; reported as if it were present."""
    marked = {"extension": [{"url": "http://x.test", "valueBoolean": True}]}
    reported = location_expression(changed(resource, *path, name, value), (*path, name))
    return Mutant(dumped(changed(resource, *path, f"_{name}", marked)), frozenset({reported}))


@kind(NAMES, "type that the choice does not have")
def _no_option(resource: Json) -> Iterator[Make]:
    for site in sites(resource):
        if site.element.choice:
            yield mutant(resource, *site.path[:-1], f"{site.element.name}Nothing", site.value, without=site.path)


@kind(NAMES, "name given twice")
def _twice(resource: Json) -> Iterator[Make]:
    for path, value, _ in objects(resource):
        for name in list(value)[:2]:
            yield partial(_doubled, resource, path, name, value[name])


def _doubled(resource: Json, path: Path, name: str, value: Any) -> Mutant:
    data = dumped(changed(resource, *path, "@@", value)).replace(b'"@@"', json.dumps(name).encode())
    return Mutant(data, frozenset({location_expression(resource, (*path, name))}))


@kind(NAMES, "unknown type of resource")
def _unknown_type(resource: Json) -> Iterator[Make]:
    for path, value, _ in objects(resource):
        if "resourceType" in value:
            yield partial(_of_unknown_type, resource, (*path, "resourceType"))


def _of_unknown_type(resource: Json, path: Path) -> Mutant:
    made = changed(resource, *path, "Person2")
    return Mutant(dumped(made), frozenset({location_expression(made, path), location_expression(resource, path)}))


@kind(NAMES, "resource without a type")
def _no_type(resource: Json) -> Iterator[Make]:
    for site in sites(resource):
        if site.is_object and site.code == "Resource":
            yield mutant(resource, *site.path, "resourceType", DELETE)


EXTENSIONS = "extensions"
BAD_EXTENSIONS: dict[str, tuple[Json, Path]] = {
    "extension without url": ({"valueString": "x"}, ("url",)),
    "extension with two values": ({"url": "http://x.test", "valueString": "x", "valueCode": "y"}, ("valueCode",)),
    "extension with value and extensions": (
        {"url": "http://x.test", "valueString": "x", "extension": [{"url": "http://y.test", "valueCode": "y"}]},
        (),
    ),
    "extension with neither": ({"url": "http://x.test"}, ()),
    "extension of an unknown type": ({"url": "http://x.test", "valueText": "x"}, ("valueText",)),
    "extension with a wrong value": ({"url": "http://x.test", "valueInstant": "2024"}, ("valueInstant",)),
}


def _extended(extension: Json, below: Path) -> Kind:
    def made(resource: Json) -> Iterator[Make]:
        for path, value, type_ in objects(resource):
            if "extension" in json_properties(type_) and "extension" not in value and type_ != "Extension":
                yield mutant(resource, *path, "extension", [extension], named=(*path, "extension", 0, *below))

    return made


for _name, (_extension, _below_it) in BAD_EXTENSIONS.items():
    kind(EXTENSIONS, _name)(_extended(_extension, _below_it))


@kind(EXTENSIONS, "wrong extension of a primitive")
def _primitive_extension(resource: Json) -> Iterator[Make]:
    wrong = {"extension": [{"url": "http://x.test", "valueTime": "25:00:00"}]}
    for site in sites(resource):
        name = f"_{site.path[-1]}"
        if site.code in PRIMITIVES and not site.element.many and name in json_properties(site.owner):
            yield mutant(
                resource, *site.path[:-1], name, wrong, named=(*site.path[:-1], name, "extension", 0, "valueTime")
            )


@kind(EXTENSIONS, "extension of a primitive that is no object")
def _primitive_extension_text(resource: Json) -> Iterator[Make]:
    for site in sites(resource):
        name = f"_{site.path[-1]}"
        if site.code in PRIMITIVES and not site.element.many and name in json_properties(site.owner):
            yield mutant(resource, *site.path[:-1], name, "x")


REFERENCES = "references and contained resources"
each_site(
    REFERENCES,
    "reference to nothing contained",
    lambda s: s.is_object and s.code == "Reference",
    lambda s: {"reference": "#nobody"},
    ("reference",),
)
PART = {"resourceType": "Basic", "id": "part", "code": {"text": "x"}}
CONTAINED: dict[str, tuple[list[Json], Path]] = {
    "contained without id": ([{"resourceType": "Basic", "code": {"text": "x"}}], (0, "id")),
    "contained twice under an id": ([PART, PART], (1, "id")),
    "contained in a contained one": ([{**PART, "contained": [{**PART, "id": "q"}]}], (0, "contained")),
    "contained of an unknown type": ([{"resourceType": "Person2", "id": "x"}], (0, "resourceType")),
    "fault in a contained one": ([{**PART, "created": "yesterday"}], (0, "created")),
}


def _holding(contained: list[Json], below: Path) -> Kind:
    def made(resource: Json) -> Iterator[Make]:
        if "contained" in json_properties(resource["resourceType"]) and "contained" not in resource:
            yield mutant(resource, "contained", contained, named=("contained", *below))

    return made


for _name, (_contained, _below_it) in CONTAINED.items():
    kind(REFERENCES, _name)(_holding(_contained, _below_it))

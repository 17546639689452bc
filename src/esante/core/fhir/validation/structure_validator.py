"""The slow pass: compare a resource with the definitions and find every problem, each with its path.

It is the authority: whatever the types of the fast pass reject is checked here, and only its findings are reported.
"""

import binascii
import difflib
import functools
import re
from collections.abc import Container, Iterable, Iterator
from decimal import Decimal
from typing import Any, NamedTuple

from esante.core.fhir.definitions import Definitions, Element, Type, load_definitions
from esante.core.fhir.fhirpath import find_markup_fault
from esante.core.fhir.json_codec import TOO_DEEP, ObjectWithRepeatedNames
from esante.core.fhir.model import MAX_DEPTH, ElementPath, Finding
from esante.core.fhir.primitives import ABSOLUTE, COMPILED_PATTERNS, PRIMITIVES
from esante.core.fhir.validation.primitive_formats import is_absolute
from esante.core.fhir.validation.tolerances import tolerated_codes
from esante.core.types import Json

_LARGEST_EXPONENT = 308
_ABSOLUTE = re.compile(ABSOLUTE)
#: Characters that JSON can only write as \u00..; `check` searches for that before it runs the slow pass.
_CONTROL_CHARACTERS = frozenset(chr(c) for c in range(1, 32)) - set("\t\n\r\b\f")

MAX_WORK = 300_000
"""Objects and properties that are checked in one resource: about a second of work."""

MAX_SUGGESTIONS = 50
"""Distinct unknown names for which a similar known name is searched for."""


class _TooMuchWork(Exception):
    """The resource has more than `MAX_WORK` objects and properties."""


def check_structure(resource: Any, valid_paths: Container[ElementPath] = ()) -> Iterator[Finding]:
    """Yield every problem of structure, format, cardinality, choice and required code, in the order of the document.

    Resources at `valid_paths` are skipped: they are known to be valid. A check that would take too long ends with the
    error too-costly.
    """
    try:
        yield from _StructureCheck(load_definitions(), valid_paths).resource(resource, ())
    except _TooMuchWork:
        text = f"More than {MAX_WORK:,} elements need a detailed check; the rest was not checked. Send smaller parts."
        yield _error("too-costly", (), text)


class JsonProperty(NamedTuple):
    """The content of a JSON property of a type: `code` is the type of the value of `element`.

    With `extension` it is the object for the extensions of such a primitive.
    """

    element: Element
    code: str
    extension: bool


@functools.lru_cache(1024)
def json_properties(type_name: str) -> dict[str, JsonProperty]:
    """Return the JSON properties of a type, with `_name` for extensions of primitives; none for an unknown type."""
    found: dict[str, JsonProperty] = {}
    type_ = load_definitions().types.get(type_name)
    for element in type_.elements if type_ else ():
        for name, code in element.json_names().items():
            found[name] = JsonProperty(element, code, False)
            if code in PRIMITIVES and not element.plain:
                found[f"_{name}"] = JsonProperty(element, code, True)
    return found


@functools.lru_cache(1024)
def _required_or_choice(type_name: str) -> list[tuple[Element, dict[str, str]]]:
    """Return the elements of a type that are required or a choice, each with its JSON properties."""
    elements = load_definitions().types[type_name].elements
    return [(element, element.json_names()) for element in elements if element.min or element.choice]


class _StructureCheck:
    """The check of one resource."""

    def __init__(self, definitions: Definitions, valid_paths: Container[ElementPath]) -> None:
        self._valid_paths = valid_paths
        self._work = 0
        self._suggestions: dict[tuple[str, str], str] = {}
        self._types = definitions.types
        self._codes = definitions.codes
        self._resources = frozenset(definitions.resource_types)

    def resource(self, value: Any, path: ElementPath) -> Iterator[Finding]:
        """Yield the findings about a resource and all below it."""
        if not isinstance(value, dict):
            yield _error("structure", path, f"A resource must be a JSON object; found {_json_kind(value)}.")
            return
        name = value.get("resourceType")
        if not isinstance(name, str):
            text = "A resource must have 'resourceType' with the name of its type, such as \"Patient\"."
            yield _error("structure", (*path, "resourceType"), text)
        elif name not in self._resources:
            suggestion = self._suggestion(name, "", self._resources)
            yield _error(
                "structure",
                (*path, "resourceType"),
                f"{_format_value(name)} is not a resource type of FHIR R4.{suggestion}",
            )
        elif path not in self._valid_paths:
            yield from self._object(value, self._types[name], path)

    def _suggestion(self, name: str, owner: str, known: Iterable[str]) -> str:
        """Return a hint at a similar known name; the search takes a hundred times as long as the rest of the check."""
        if (name, owner) not in self._suggestions:
            if len(self._suggestions) == MAX_SUGGESTIONS:
                return ""
            similar = difflib.get_close_matches(name[:64], [each for each in known if not each.startswith("_")], n=1)
            self._suggestions[name, owner] = f" Did you mean '{similar[0]}'?" if similar else ""
        return self._suggestions[name, owner]

    def _object(self, value: Any, type_: Type, path: ElementPath) -> Iterator[Finding]:
        if not isinstance(value, dict):
            yield _error("structure", path, f"Expected an object ({type_.name}); found {_json_kind(value)}.")
            return
        if len(path) >= MAX_DEPTH:
            yield Finding("fatal", "too-costly", path, TOO_DEEP)
            return
        self._work += 1 + len(value)
        if self._work > MAX_WORK:
            raise _TooMuchWork
        if isinstance(value, ObjectWithRepeatedNames):
            for name in value.names:
                text = f"The name {_format_value(name)} occurs more than once in the same object. Keep one of them."
                yield _error("structure", (*path, name), text)
        if not value:
            yield _error("structure", path, "The object is empty. Leave the element out or give it content.")
        known = json_properties(type_.name)
        for name, item in value.items():
            definition = known.get(name)
            if definition is not None:
                yield from self._property(name, item, definition, value, type_, path)
            elif name != "resourceType" or type_.kind != "resource":
                suggestion = self._suggestion(name, type_.name, known)
                text = f"{_format_value(name)} is not an element of {type_.name} in FHIR R4.{suggestion}"
                yield _error("structure", (*path, name), text)
        given = list(dict.fromkeys(name.removeprefix("_") for name in value))
        for element, options in _required_or_choice(type_.name):
            names = [name for name in given if name in options]
            if len(names) > 1:
                text = f"Only one of {', '.join(names)} may be given: {type_.name}.{element.name}[x] is one value."
                yield _error("structure", (*path, names[-1]), text)
            elif element.min and not names:
                suffix = (
                    f"[x] is missing. Give one of: {', '.join(list(options)[:12])}"
                    if element.choice
                    else " is missing"
                )
                text = f"Required element {type_.name}.{element.name}{suffix}."
                yield _error("required", (*path, element.name), text)

    def _property(
        self, name: str, item: Any, definition: JsonProperty, owner: Json, type_: Type, path: ElementPath
    ) -> Iterator[Finding]:
        element, here = definition.element, (*path, name)
        if not element.many:
            yield from self._single(item, definition, here, type_)
            return
        if not isinstance(item, list):
            yield _error(
                "structure",
                here,
                f"{type_.name}.{element.name} must be a list; found {_json_kind(item)}. Put it in [ ].",
            )
            return
        if not item:
            yield _error("structure", here, "The list is empty. Leave the element out or give it content.")
        if element.max is not None and len(item) > element.max:
            yield _error("structure", here, f"At most {element.max} values are allowed; found {len(item)}.")
        counterpart = owner.get(name.removeprefix("_") if definition.extension else f"_{name}")
        for index, each in enumerate(item):
            if each is not None:
                yield from self._single(each, definition, (*here, index), type_)
            elif not _has_counterpart(counterpart, index):
                text = "null is allowed only for a value that has extensions beside it, or the other way round."
                yield _error("structure", (*here, index), text)

    def _single(self, item: Any, definition: JsonProperty, path: ElementPath, owner: Type) -> Iterator[Finding]:
        if definition.extension:
            yield from self._object(item, self._types["Element"], path)
        elif definition.code in PRIMITIVES:
            yield from self._primitive(item, definition, path, owner)
        elif definition.code == "Resource":
            yield from self.resource(item, path)
        else:
            yield from self._object(item, self._types[definition.code], path)
            if definition.element.codes and definition.code == "CodeableConcept" and isinstance(item, dict):
                yield from self._concept(item, definition.element.codes, path)

    def _primitive(self, item: Any, definition: JsonProperty, path: ElementPath, owner: Type) -> Iterator[Finding]:
        kind = PRIMITIVES[definition.code]
        if not _is_json(item, kind.json):
            found = f"{_json_kind(item)} {_format_value(item)}".strip()
            more = " Leave the element out." if item is None else ""
            yield _error("structure", path, f"Expected {definition.code}: {kind.expected}; found {found}.{more}")
            return
        text = _format_error(item, definition.code)
        if text is not None:
            yield _error("value", path, text)
            return
        if is_absolute(owner, definition.element) and not _ABSOLUTE.match(item):
            text = f"{_format_value(item)} is a relative address. Write the whole one, with http: or urn: before it."
            yield _error("value", path, text)
        if isinstance(item, str) and not _CONTROL_CHARACTERS.isdisjoint(item):
            note = "The text has control characters; FHIR allows only tab, line feed and carriage return."
            yield Finding("warning", "value", path, note)
        if definition.element.codes and definition.code == "code":
            yield from self._code(item, f"{owner.name}.{definition.element.name}", definition.element.codes, path)

    def _code(self, code: str, element: str, value_set: str, path: ElementPath) -> Iterator[Finding]:
        allowed = [c for codes in self._codes[value_set].values() for c in codes]
        if code in allowed or code in tolerated_codes(element):
            return
        listed = ", ".join(allowed) if len(allowed) <= 20 else f"the {len(allowed)} codes of {value_set}"
        text = f"{_format_value(code)} is not a code for {element} in FHIR R4. Allowed: {listed}."
        yield _error("code-invalid", path, text)

    def _concept(self, concept: Json, value_set: str, path: ElementPath) -> Iterator[Finding]:
        systems = self._codes[value_set]
        codings = concept.get("coding")
        for coding in codings if isinstance(codings, list) else ():
            if isinstance(coding, dict) and coding.get("code") in systems.get(str(coding.get("system")), ()):
                return
        allowed = [f"{system}|{code}" for system, codes in systems.items() for code in codes]
        listed = ", ".join(allowed) if len(allowed) <= 10 else f"the {len(allowed)} codes of {value_set}"
        text = f"No coding is from the required value set {value_set}. Allowed: {listed}."
        yield _error("code-invalid", (*path, "coding"), text)


def _format_error(item: Any, code: str) -> str | None:
    """Return what is wrong with a primitive value of the right JSON type, or None."""
    kind = PRIMITIVES[code]
    if isinstance(item, str):
        if not item:
            return "The text is empty. Leave the element out or give it content."
        if "\0" in item:
            return "The text has the character U+0000, which FHIR does not allow. Remove it."
        if kind.high is not None and len(item) > kind.high:
            return f"The text has {len(item):,} characters; at most {kind.high:,} are allowed."
        if code == "xhtml" and (fault := find_markup_fault(item)):
            return f"The narrative is no XHTML: it has {fault}."
        is_wrong = not _is_base64(item) if code == "base64Binary" else not _matches(item, code)
    elif code == "decimal":
        is_wrong = abs(Decimal(item).adjusted()) > _LARGEST_EXPONENT
    else:
        is_wrong = kind.low is not None and kind.high is not None and not kind.low <= item <= kind.high
    return f"{_format_value(item)} is not {code}. Expected {kind.expected}." if is_wrong else None


def _matches(text: str, code: str) -> bool:
    return code not in COMPILED_PATTERNS or COMPILED_PATTERNS[code].search(text) is not None


def _is_base64(text: str) -> bool:
    """Return whether a text is base64 with padding, in which R4 allows white space.

    A pattern over megabytes would cost too much memory.
    """
    characters = "".join(text.split())
    try:
        binascii.a2b_base64(characters, strict_mode=True)
    except ValueError:
        return False
    # `binascii` accepts padding after complete groups.
    return len(characters) % 4 == 0


def _is_json(item: Any, kind: str) -> bool:
    match kind:
        case "string":
            return isinstance(item, str)
        case "boolean":
            return isinstance(item, bool)
        case "integer":
            return isinstance(item, int) and not isinstance(item, bool)
        case _:
            return isinstance(item, int | Decimal) and not isinstance(item, bool)


def _has_counterpart(counterpart: Any, index: int) -> bool:
    return isinstance(counterpart, list) and index < len(counterpart) and counterpart[index] is not None


def _error(code: str, path: ElementPath, text: str) -> Finding:
    return Finding("error", code, path, text)


def _json_kind(value: Any) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "a boolean"
        case str():
            return "a text"
        case list():
            return "a list"
        case dict():
            return "an object"
        case _:
            return "a number"


def _format_value(value: Any) -> str:
    """Return a value for a message, of at most 80 characters; "" for lists, objects and null."""
    if isinstance(value, list | dict) or value is None:
        return ""
    text = f'"{value}"' if isinstance(value, str) else str(value).lower() if isinstance(value, bool) else str(value)
    return text if len(text) <= 80 else f"{text[:76]}...{text[-1] if isinstance(value, str) else ''}"

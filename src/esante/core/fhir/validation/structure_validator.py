"""The slow pass: walk a resource along the definitions and find every problem, each at its place.

It is the authority: whatever `shapes` refuses comes here, and only what is found here is told to the sender.
"""

import binascii
import difflib
import functools
from collections.abc import Container, Iterable, Iterator
from decimal import Decimal
from typing import Any, NamedTuple

from esante.core.fhir.definitions import Definitions, Element, Type, load
from esante.core.fhir.json_codec import TOO_DEEP, Repeated
from esante.core.fhir.model import MAX_DEPTH, Finding, Path
from esante.core.fhir.primitives import COMPILED, PRIMITIVES
from esante.core.fhir.validation.tolerances import tolerated_codes

_LARGEST_EXPONENT = 308
#: Those that JSON can only write as \u00..; `check` looks for that before it takes the slow pass.
_CONTROLS = frozenset(chr(c) for c in range(1, 32)) - set("\t\n\r\b\f")


#: Properties that one walk looks at: about a second of work.
MAX_WORK = 300_000

#: Different unknown names for which one is looked for that was meant.
MAX_GUESSES = 50


class _Enough(Exception):
    """The walk has done all the work it may."""


def explain(resource: Any, certain: Container[Path] = ()) -> Iterator[Finding]:
    """Every problem of structure, format, cardinality, choice and required code, in the order of the document.

    Resources at the paths `certain` are passed over: they are known to be right. A walk that would take too long
    ends with the error too-costly.
    """
    try:
        yield from _Walk(load(), certain).resource(resource, ())
    except _Enough:
        text = (
            f"More than {MAX_WORK:,} elements need a closer look; the rest was not checked. Send it in smaller parts."
        )
        yield _error("too-costly", (), text)


class Slot(NamedTuple):
    """What a JSON property of a type may hold: `code` of `element`, or the extensions of such a primitive."""

    element: Element
    code: str
    extension: bool


@functools.lru_cache(1024)
def slots(type_name: str) -> dict[str, Slot]:
    """The JSON properties of a type, `_name` for extensions of primitives among them; none of what is no
    type."""
    found: dict[str, Slot] = {}
    type_ = load().types.get(type_name)
    for element in type_.elements if type_ else ():
        for name, code in element.json_names().items():
            found[name] = Slot(element, code, False)
            if code in PRIMITIVES and not element.plain:
                found[f"_{name}"] = Slot(element, code, True)
    return found


@functools.lru_cache(1024)
def _musts(type_name: str) -> list[tuple[Element, dict[str, str]]]:
    """The elements of a type that are required or a choice, each with its JSON properties."""
    elements = load().types[type_name].elements
    return [(element, element.json_names()) for element in elements if element.min or element.choice]


class _Walk:
    def __init__(self, definitions: Definitions, certain: Container[Path]) -> None:
        self._certain = certain
        self._work = 0
        self._guesses: dict[tuple[str, str], str] = {}
        self._types = definitions.types
        self._codes = definitions.codes
        self._resources = frozenset(definitions.resource_types)

    def resource(self, value: Any, path: Path) -> Iterator[Finding]:
        if not isinstance(value, dict):
            yield _error("structure", path, f"A resource is a JSON object; found {_kind(value)}.")
            return
        name = value.get("resourceType")
        if not isinstance(name, str):
            text = "A resource needs 'resourceType' with the name of its type, such as \"Patient\"."
            yield _error("structure", (*path, "resourceType"), text)
        elif name not in self._resources:
            near = self._near(name, "", self._resources)
            yield _error(
                "structure",
                (*path, "resourceType"),
                f"{_show(name)} is not a resource type of FHIR R4.{near}",
            )
        elif path not in self._certain:
            yield from self._object(value, self._types[name], path)

    def _near(self, name: str, owner: str, known: Iterable[str]) -> str:
        """A guess at what was meant; looking for one takes a hundred times as long as the rest."""
        if (name, owner) not in self._guesses:
            if len(self._guesses) == MAX_GUESSES:
                return ""
            near = difflib.get_close_matches(name[:64], [each for each in known if not each.startswith("_")], n=1)
            self._guesses[name, owner] = f" Did you mean '{near[0]}'?" if near else ""
        return self._guesses[name, owner]

    def _object(self, value: Any, type_: Type, path: Path) -> Iterator[Finding]:
        if not isinstance(value, dict):
            yield _error("structure", path, f"Expected an object ({type_.name}); found {_kind(value)}.")
            return
        if len(path) >= MAX_DEPTH:
            yield Finding("fatal", "too-costly", path, TOO_DEEP)
            return
        self._work += 1 + len(value)
        if self._work > MAX_WORK:
            raise _Enough
        if isinstance(value, Repeated):
            for name in value.names:
                text = f"The name {_show(name)} occurs more than once in the same object. Keep one of them."
                yield _error("structure", (*path, name), text)
        if not value:
            yield _error("structure", path, "The object is empty. Leave the element out or give it content.")
        known = slots(type_.name)
        for name, item in value.items():
            slot = known.get(name)
            if slot is not None:
                yield from self._property(name, item, slot, value, type_, path)
            elif name != "resourceType" or type_.kind != "resource":
                near = self._near(name, type_.name, known)
                text = f"{_show(name)} is not an element of {type_.name} in FHIR R4.{near}"
                yield _error("structure", (*path, name), text)
        given = list(dict.fromkeys(name.removeprefix("_") for name in value))
        for element, options in _musts(type_.name):
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
        self, name: str, item: Any, slot: Slot, owner: dict[str, Any], type_: Type, path: Path
    ) -> Iterator[Finding]:
        element, here = slot.element, (*path, name)
        if not element.many:
            yield from self._one(item, slot, here, type_)
            return
        if not isinstance(item, list):
            yield _error(
                "structure",
                here,
                f"{type_.name}.{element.name} is a list; found {_kind(item)}. Put it in [ ].",
            )
            return
        if not item:
            yield _error("structure", here, "The list is empty. Leave the element out or give it content.")
        if element.max is not None and len(item) > element.max:
            yield _error("structure", here, f"At most {element.max} values are allowed; found {len(item)}.")
        twin = owner.get(name.removeprefix("_") if slot.extension else f"_{name}")
        for index, each in enumerate(item):
            if each is not None:
                yield from self._one(each, slot, (*here, index), type_)
            elif not _in_twin(twin, index):
                text = "null stands only for a value that has extensions beside it, or the other way round."
                yield _error("structure", (*here, index), text)

    def _one(self, item: Any, slot: Slot, path: Path, owner: Type) -> Iterator[Finding]:
        if slot.extension:
            yield from self._object(item, self._types["Element"], path)
        elif slot.code in PRIMITIVES:
            yield from self._primitive(item, slot, path, owner)
        elif slot.code == "Resource":
            yield from self.resource(item, path)
        else:
            yield from self._object(item, self._types[slot.code], path)
            if slot.element.codes and slot.code == "CodeableConcept" and isinstance(item, dict):
                yield from self._concept(item, slot.element.codes, path)

    def _primitive(self, item: Any, slot: Slot, path: Path, owner: Type) -> Iterator[Finding]:
        kind = PRIMITIVES[slot.code]
        if not _is_json(item, kind.json):
            found = f"{_kind(item)} {_show(item)}".strip()
            more = " Leave the element out." if item is None else ""
            yield _error("structure", path, f"Expected {slot.code}: {kind.expected}; found {found}.{more}")
            return
        text = _wrong_format(item, slot.code)
        if text is not None:
            yield _error("value", path, text)
            return
        if isinstance(item, str) and not _CONTROLS.isdisjoint(item):
            note = "The text has control characters; FHIR allows only tab, line feed and carriage return."
            yield Finding("warning", "value", path, note)
        if slot.element.codes and slot.code == "code":
            yield from self._code(item, f"{owner.name}.{slot.element.name}", slot.element.codes, path)

    def _code(self, code: str, element: str, value_set: str, path: Path) -> Iterator[Finding]:
        allowed = [c for codes in self._codes[value_set].values() for c in codes]
        if code in allowed or code in tolerated_codes(element):
            return
        listed = ", ".join(allowed) if len(allowed) <= 20 else f"the {len(allowed)} codes of {value_set}"
        text = f"{_show(code)} is not a code for {element} in FHIR R4. Allowed: {listed}."
        yield _error("code-invalid", path, text)

    def _concept(self, concept: dict[str, Any], value_set: str, path: Path) -> Iterator[Finding]:
        systems = self._codes[value_set]
        codings = concept.get("coding")
        for coding in codings if isinstance(codings, list) else ():
            if isinstance(coding, dict) and coding.get("code") in systems.get(str(coding.get("system")), ()):
                return
        allowed = [f"{system}|{code}" for system, codes in systems.items() for code in codes]
        listed = ", ".join(allowed) if len(allowed) <= 10 else f"the {len(allowed)} codes of {value_set}"
        text = f"No coding is from the required value set {value_set}. Allowed: {listed}."
        yield _error("code-invalid", (*path, "coding"), text)


def _wrong_format(item: Any, code: str) -> str | None:
    """What is wrong with a primitive value of the right JSON type, or None."""
    kind = PRIMITIVES[code]
    if isinstance(item, str):
        if not item:
            return "The text is empty. Leave the element out or give it content."
        if "\0" in item:
            return "The text has the character U+0000, which FHIR does not allow. Remove it."
        if kind.high is not None and len(item) > kind.high:
            return f"The text has {len(item):,} characters; at most {kind.high:,} are allowed."
        wrong = not _is_base64(item) if code == "base64Binary" else not _matches(item, code)
    elif code == "decimal":
        wrong = abs(Decimal(item).adjusted()) > _LARGEST_EXPONENT
    else:
        wrong = kind.low is not None and kind.high is not None and not kind.low <= item <= kind.high
    return f"{_show(item)} is not {code}. Expected {kind.expected}." if wrong else None


def _matches(text: str, code: str) -> bool:
    return code not in COMPILED or COMPILED[code].search(text) is not None


def _is_base64(text: str) -> bool:
    """Base64 with padding; R4 allows white space in it. (A pattern over megabytes costs too much memory.)"""
    signs = "".join(text.split())
    try:
        binascii.a2b_base64(signs, strict_mode=True)
    except ValueError:
        return False
    # `binascii` lets padding through behind what is whole already.
    return len(signs) % 4 == 0


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


def _in_twin(twin: Any, index: int) -> bool:
    return isinstance(twin, list) and index < len(twin) and twin[index] is not None


def _error(code: str, path: Path, text: str) -> Finding:
    return Finding("error", code, path, text)


def _kind(value: Any) -> str:
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


def _show(value: Any) -> str:
    """A value as it may stand in a message: short, and nothing for lists and objects."""
    if isinstance(value, list | dict) or value is None:
        return ""
    text = f'"{value}"' if isinstance(value, str) else str(value).lower() if isinstance(value, bool) else str(value)
    return text if len(text) <= 80 else f"{text[:76]}...{text[-1] if isinstance(value, str) else ''}"

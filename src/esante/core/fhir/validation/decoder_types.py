"""The fast pass: R4 as msgspec types, made from the definitions, that decode a valid resource and refuse any
other.

The types are sound and a little strict: what they accept is right in structure, cardinality, formats, choices
and required codes; what they refuse may still be right (a required primitive given by extension only, a null
in a list of primitives, base64 with white space), so `explain` has the last word on it.
"""

import functools
import keyword
import sys
import threading
import types
from collections.abc import Callable, Iterator, Sequence
from itertools import compress
from typing import Annotated, Any, Literal, TypeVar, Union

import msgspec
from msgspec import UNSET, Meta, UnsetType

from esante.core.fhir.definitions import Definitions, Element, Type, load
from esante.core.fhir.primitives import PRIMITIVES
from esante.core.fhir.validation.decoded_checks import Gather, Seen, gatherer
from esante.core.fhir.validation.nesting import Nesting
from esante.core.fhir.validation.primitive_formats import AS_JSON, extensible, in_bulk
from esante.core.fhir.validation.tolerances import tolerated_codes

T = TypeVar("T")
_MODULE = f"{__name__}.r4"
_EXTENSIONS = Annotated[list["Element"], Meta(min_length=1)]


class Shapes:
    """The decoder for every resource type at once; one object per process, made on first use."""

    def __init__(self, definitions: Definitions) -> None:
        self._definitions = definitions
        self._nesting = Nesting(definitions)
        self._found: list[list[Any]] = []
        self._gatherers: list[tuple[list[Any], Gather]] = []
        self._lock = threading.Lock()
        space = _namespace()
        for type_ in definitions.types.values():
            space[_class_name(type_.name)] = self._struct(type_)
        space["Resource"] = Union[tuple(space[name] for name in definitions.resource_types)]  # noqa: UP007
        # The resource itself, and one that it contains.
        self._levels = 2 * self._nesting.deepest_resource + 2
        self._decoder: msgspec.json.Decoder[Any] = msgspec.json.Decoder(space["Resource"])

    def look(self, data: bytes) -> Seen | None:
        """What is seen in the bytes of an R4 resource that is right in structure, formats, choices and required
        codes; None of all other bytes."""
        return self._look(self._decoder.decode, data)

    def look_at_all(self, many: Sequence[bytes]) -> Seen | None:
        """As `look` of several resources at once, of which `Seen.resource` is the list; None unless all are right."""
        return self._look(lambda each: [self._decoder.decode(data) for data in each], many)

    def _look(self, decode: Callable[[T], Any], data: T) -> Seen | None:
        with self._lock:
            try:
                resource, right = decode(data), True
            except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
                resource, right = None, False
            seen = Seen(resource, self._levels)
            # `compress` passes over the hundreds of types that the resource does not have.
            for found, gather in compress(self._gatherers, self._found):
                right = right and gather(found, seen)
                found.clear()
        return seen if right and seen.well_formed else None

    def _struct(self, type_: Type) -> type:
        names: dict[str, str] = {}
        # In the order of the definitions, in which most texts have them: msgspec looks on from the last one found.
        fields: list[tuple[str, Any] | tuple[str, Any, Any]] = []
        for json_name, annotation, must in self._fields(type_):
            name = _field_name(json_name)
            names[name] = json_name
            fields.append((name, annotation) if must else (name, Union[annotation, UnsetType], UNSET))  # noqa: UP007
        is_resource = type_.kind == "resource"
        return msgspec.defstruct(
            _class_name(type_.name),
            fields,
            module=_MODULE,
            namespace=self._noting(type_),
            tag_field="resourceType" if is_resource else None,
            tag=type_.name if is_resource else None,
            rename=names,
            forbid_unknown_fields=True,
            omit_defaults=True,
            kw_only=True,
            gc=False,
        )

    def _noting(self, type_: Type) -> dict[str, Any]:
        """msgspec calls `__post_init__` with each instance; a list's `append` is the cheapest thing to call."""
        gather = gatherer(type_, _field_name, self._definitions, self._nesting)
        if gather is None:
            return {}
        found: list[Any] = []
        self._found.append(found)
        self._gatherers.append((found, gather))
        return {"__post_init__": found.append}

    def _fields(self, type_: Type) -> Iterator[tuple[str, Any, bool]]:
        """JSON name, annotation, and whether the fast pass insists on it. Extensions of primitives come
        last."""
        later: list[tuple[str, Any, bool]] = []
        for element in type_.elements:
            for json_name, code in element.json_names().items():
                yield (
                    json_name,
                    self._annotation(type_, element, code),
                    element.min > 0 and not element.choice,
                )
                if extensible(type_, element, code):
                    later.append((f"_{json_name}", _EXTENSIONS if element.many else "Element", False))
        yield from later

    def _annotation(self, type_: Type, element: Element, code: str) -> Any:
        if element.codes and code == "code":
            tolerated = tolerated_codes(f"{type_.name}.{element.name}")
            one: Any = Literal[_codes(self._definitions.codes[element.codes]) + tolerated]
        elif code in PRIMITIVES:
            one = _primitive(code, in_bulk(element, code))
        else:
            one = _class_name(code)
        if not element.many:
            return one
        return Annotated[list[one], Meta(min_length=max(1, element.min), max_length=element.max)]


def _namespace() -> dict[str, Any]:
    """Where the generated types find each other by name: msgspec looks in the module that they say they are
    in."""
    module = sys.modules[_MODULE] = types.ModuleType(_MODULE)
    return module.__dict__


def _class_name(path: str) -> str:
    return path.replace(".", "_")


def _field_name(json_name: str) -> str:
    return f"f{json_name}" if json_name.startswith("_") or keyword.iskeyword(json_name) else json_name


def _codes(systems: dict[str, tuple[str, ...]]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(code for codes in systems.values() for code in codes))


def _primitive(code: str, bulk: bool) -> Any:
    kind = PRIMITIVES[code]
    match kind.json:
        case _ if code in AS_JSON:
            return msgspec.Raw
        case _ if bulk:
            return Annotated[str, Meta(min_length=1, max_length=64 if code == "id" else None)]
        case "boolean":
            return bool
        case "integer":
            return Annotated[int, Meta(ge=kind.low, le=kind.high)]
        case _ if kind.pattern is not None:
            return Annotated[str, Meta(pattern=kind.pattern)]
        case _:
            return Annotated[str, Meta(min_length=kind.low, max_length=kind.high)]


@functools.cache
def shapes() -> Shapes:
    """The decoder for R4. The first call takes about half a second. Raises `DefinitionsMissing`."""
    return Shapes(load())

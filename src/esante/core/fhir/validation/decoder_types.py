"""The fast pass: R4 as msgspec types, generated from the definitions, that decode only valid resources.

The types are sound and a little strict: what they accept is valid in structure, cardinality, formats, choices and
required codes; what they reject may still be valid (a required primitive with an extension only, a null in a list of
primitives, base64 with white space), so `check_structure` decides about it.
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

from esante.core.fhir.definitions import Definitions, Element, Type, load_definitions
from esante.core.fhir.primitives import PRIMITIVES
from esante.core.fhir.validation.decoded_checks import DecodedCheck, DecodedResource, compile_check
from esante.core.fhir.validation.nesting import Nesting
from esante.core.fhir.validation.primitive_formats import RAW_FORMATS, has_extension_field, is_checked_in_bulk
from esante.core.fhir.validation.tolerances import tolerated_codes

T = TypeVar("T")
_MODULE = f"{__name__}.r4"
_EXTENSIONS = Annotated[list["Element"], Meta(min_length=1)]


class ResourceDecoder:
    """The decoder of all resource types; one object per process, made on first use."""

    def __init__(self, definitions: Definitions) -> None:
        self._definitions = definitions
        self._nesting = Nesting(definitions)
        self._instances: list[list[Any]] = []
        self._checks: list[tuple[list[Any], DecodedCheck]] = []
        self._lock = threading.Lock()
        namespace = _module_namespace()
        for type_ in definitions.types.values():
            namespace[_class_name(type_.name)] = self._struct(type_)
        namespace["Resource"] = Union[tuple(namespace[name] for name in definitions.resource_types)]  # noqa: UP007
        # The resource itself, and one that is contained in it.
        self._levels = 2 * self._nesting.deepest_resource + 2
        self._decoder: msgspec.json.Decoder[Any] = msgspec.json.Decoder(namespace["Resource"])

    def decode(self, data: bytes) -> DecodedResource | None:
        """Return the R4 resource in `data` if it is valid in structure, formats, choices and required codes, else
        None."""
        return self._decode_and_check(self._decoder.decode, data)

    def decode_all(self, many: Sequence[bytes]) -> DecodedResource | None:
        """Decode several resources at once, a list in `DecodedResource.resource`; None unless all are valid."""
        return self._decode_and_check(lambda each: [self._decoder.decode(data) for data in each], many)

    def _decode_and_check(self, decode: Callable[[T], Any], data: T) -> DecodedResource | None:
        with self._lock:
            try:
                resource, is_valid = decode(data), True
            except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
                resource, is_valid = None, False
            decoded = DecodedResource(resource, self._levels)
            # `compress` skips the hundreds of types that do not occur in the resource.
            for instances, check in compress(self._checks, self._instances):
                is_valid = is_valid and check(instances, decoded)
                instances.clear()
        return decoded if is_valid and decoded.has_valid_formats else None

    def _struct(self, type_: Type) -> type:
        names: dict[str, str] = {}
        # In the order of the definitions, which most JSON has: msgspec searches on from the last field found.
        fields: list[tuple[str, Any] | tuple[str, Any, Any]] = []
        for json_name, annotation, required in self._fields(type_):
            name = _field_name(json_name)
            names[name] = json_name
            fields.append((name, annotation) if required else (name, Union[annotation, UnsetType], UNSET))  # noqa: UP007
        is_resource = type_.kind == "resource"
        return msgspec.defstruct(
            _class_name(type_.name),
            fields,
            module=_MODULE,
            namespace=self._check_namespace(type_),
            tag_field="resourceType" if is_resource else None,
            tag=type_.name if is_resource else None,
            rename=names,
            forbid_unknown_fields=True,
            omit_defaults=True,
            kw_only=True,
            gc=False,
        )

    def _check_namespace(self, type_: Type) -> dict[str, Any]:
        """Return a namespace whose `__post_init__`, which msgspec calls with each instance, collects the instances.

        The `append` of a list is the cheapest function to call.
        """
        check = compile_check(type_, _field_name, self._definitions, self._nesting)
        if check is None:
            return {}
        instances: list[Any] = []
        self._instances.append(instances)
        self._checks.append((instances, check))
        return {"__post_init__": instances.append}

    def _fields(self, type_: Type) -> Iterator[tuple[str, Any, bool]]:
        """Yield JSON name, annotation, and whether the fast pass requires it; extensions of primitives come last."""
        extension_fields: list[tuple[str, Any, bool]] = []
        for element in type_.elements:
            for json_name, code in element.json_names().items():
                yield (
                    json_name,
                    self._annotation(type_, element, code),
                    element.min > 0 and not element.choice,
                )
                if has_extension_field(type_, element, code):
                    extension_fields.append((f"_{json_name}", _EXTENSIONS if element.many else "Element", False))
        yield from extension_fields

    def _annotation(self, type_: Type, element: Element, code: str) -> Any:
        if element.codes and code == "code":
            tolerated = tolerated_codes(f"{type_.name}.{element.name}")
            annotation: Any = Literal[_codes(self._definitions.codes[element.codes]) + tolerated]
        elif code in PRIMITIVES:
            annotation = _primitive(code, is_checked_in_bulk(element, code))
        else:
            annotation = _class_name(code)
        if not element.many:
            return annotation
        return Annotated[list[annotation], Meta(min_length=max(1, element.min), max_length=element.max)]


def _module_namespace() -> dict[str, Any]:
    """Return the namespace in which msgspec resolves the names of the generated types: that of their module."""
    module = sys.modules[_MODULE] = types.ModuleType(_MODULE)
    return module.__dict__


def _class_name(path: str) -> str:
    return path.replace(".", "_")


def _field_name(json_name: str) -> str:
    return f"f{json_name}" if json_name.startswith("_") or keyword.iskeyword(json_name) else json_name


def _codes(systems: dict[str, tuple[str, ...]]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(code for codes in systems.values() for code in codes))


def _primitive(code: str, in_bulk: bool) -> Any:
    kind = PRIMITIVES[code]
    match kind.json:
        case _ if code in RAW_FORMATS:
            return msgspec.Raw
        case _ if in_bulk:
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
def resource_decoder() -> ResourceDecoder:
    """Return the decoder for R4, which the first call builds in about half a second.

    Raises: DefinitionsMissing when the definitions were not built.
    """
    return ResourceDecoder(load_definitions())

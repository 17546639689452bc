"""The FHIR R4 (4.0.1) definitions, compiled to one file that ships in the wheel.

`tools/build_fhir_definitions.py` writes `r4.bin`: zlib over MessagePack of `Definitions`. The structural part
is read on first use and kept for the life of the process; invariants and search parameters stay packed until
they are needed. Errata of the specification are in `errata`.
"""

import functools
import zlib
from pathlib import Path
from typing import Literal

import msgspec

FILE = Path(__file__).parent / "r4.bin"

Kind = Literal["resource", "datatype", "backbone"]


class DefinitionsMissing(RuntimeError):
    """The compiled definitions are absent or unreadable: `make install` builds them."""


class Element(msgspec.Struct, array_like=True, frozen=True):
    """An element of a type, for example `Observation.value[x]`.

    `name` is without `[x]`; `types` are primitive names (`dateTime`), datatypes (`Quantity`), backbone paths
    (`Observation.component`) or `Resource`; `max` is None for unbounded; `codes` is the URL of the required value set
    where its codes are known; `targets` are the resource types that a Reference may point to (empty: any); `plain` is
    true for a primitive that has no extensions (ids of elements, Extension.url, XHTML); `summary` and `modifier` are
    the flags isSummary and isModifier of the specification; `syntax` is the value set that codes have to be of, where
    it is known by the form of its codes only (MIME types, languages, currencies).
    """

    name: str
    types: tuple[str, ...]
    min: int
    max: int | None
    choice: bool
    codes: str | None = None
    targets: tuple[str, ...] = ()
    plain: bool = False
    summary: bool = False
    modifier: bool = False
    syntax: str | None = None

    @property
    def many(self) -> bool:
        """Whether JSON holds a list here."""
        return self.max != 1

    def json_names(self) -> dict[str, str]:
        """Return the JSON property names with the type of each: `{"valueQuantity": "Quantity", ...}`."""
        if not self.choice:
            return {self.name: self.types[0]}
        return {self.name + code[0].upper() + code[1:]: code for code in self.types}


class Type(msgspec.Struct, array_like=True, frozen=True):
    """A resource, a datatype or a backbone element (named by its path)."""

    name: str
    kind: Kind
    elements: tuple[Element, ...]


class Invariant(msgspec.Struct, array_like=True, frozen=True):
    """A constraint of the specification: FHIRPath over the element at `path`, with its text for readers (`human`)."""

    path: str
    key: str
    severity: Literal["error", "warning"]
    human: str
    expression: str


class SearchParameter(msgspec.Struct, array_like=True, frozen=True):
    """A standard search parameter: `code` on the resource types of `base`, its FHIRPath and reference targets.

    `components` of a composite one are pairs (URL of another parameter, FHIRPath from the base); `description` is
    the specification's, one text for several types where there are several.
    """

    url: str
    code: str
    base: tuple[str, ...]
    type: str
    expression: str | None
    target: tuple[str, ...]
    components: tuple[tuple[str, str], ...]
    description: str = ""


class ExtensionUse(msgspec.Struct, array_like=True, frozen=True):
    """Where an extension of R4 may stand.

    `contexts` are elements and types; empty for any. `conditions` are FHIRPath over the element that has it.
    `modifier`: it stands in `modifierExtension`, others in `extension`.
    """

    contexts: tuple[str, ...]
    conditions: tuple[str, ...] = ()
    modifier: bool = False


class CodeSystemContent(msgspec.Struct, array_like=True, frozen=True):
    """A code system of which R4 has all codes.

    `properties`: code -> type of the value; `filters`: code -> operators.
    """

    codes: frozenset[str]
    properties: dict[str, str] = {}
    filters: dict[str, tuple[str, ...]] = {}


class Terminology(msgspec.Struct, frozen=True):
    """The code systems of R4 with their content, by URL, and the URLs of R4's value sets."""

    code_systems: dict[str, CodeSystemContent]
    value_sets: frozenset[str]


class Definitions(msgspec.Struct, frozen=True):
    """The content of the file. `codes`: value set URL -> code system -> codes; the last four are packed."""

    version: str
    types: dict[str, Type]
    codes: dict[str, dict[str, tuple[str, ...]]]
    invariants: msgspec.Raw
    search_parameters: msgspec.Raw
    extensions: msgspec.Raw
    terminology: msgspec.Raw

    @property
    def resource_types(self) -> tuple[str, ...]:
        """The names of the resource types that an instance can have."""
        abstract = ("Resource", "DomainResource")
        return tuple(t.name for t in self.types.values() if t.kind == "resource" and t.name not in abstract)


def pack_definitions(definitions: Definitions) -> bytes:
    """Return the bytes of `r4.bin`."""
    return zlib.compress(msgspec.msgpack.encode(definitions), 9)


def pack_items(
    items: list[Invariant] | list[SearchParameter] | dict[str, ExtensionUse] | Terminology,
) -> msgspec.Raw:
    """Pack a part of the file that is decoded only when it is needed."""
    return msgspec.Raw(msgspec.msgpack.encode(items, order="deterministic"))


def unpack_definitions(data: bytes) -> Definitions:
    """Decode what `pack_definitions` encoded.

    Raises: DefinitionsMissing when `data` is something else.
    """
    try:
        return msgspec.msgpack.decode(zlib.decompress(data), type=Definitions)
    except (zlib.error, msgspec.MsgspecError) as error:
        raise DefinitionsMissing(f"The FHIR definitions in {FILE.name} are damaged; run 'make install'.") from error


@functools.cache
def load_definitions() -> Definitions:
    """Return the R4 definitions, read once per process.

    Raises: DefinitionsMissing when the file is absent or damaged.
    """
    try:
        data = FILE.read_bytes()
    except FileNotFoundError as error:
        raise DefinitionsMissing(
            f"The FHIR definitions ({FILE.name}) are not built yet; run 'make install'."
        ) from error
    return unpack_definitions(data)


@functools.cache
def invariants() -> tuple[Invariant, ...]:
    """Return every constraint with an expression, in the order of the specification."""
    return msgspec.msgpack.decode(load_definitions().invariants, type=tuple[Invariant, ...])


@functools.cache
def search_parameters() -> tuple[SearchParameter, ...]:
    """Return every standard search parameter."""
    return msgspec.msgpack.decode(load_definitions().search_parameters, type=tuple[SearchParameter, ...])


@functools.cache
def extension_uses() -> dict[str, ExtensionUse]:
    """Return where each of R4's own extensions may stand, by URL."""
    return msgspec.msgpack.decode(load_definitions().extensions, type=dict[str, ExtensionUse])


@functools.cache
def terminology() -> Terminology:
    """Return R4's own code systems and the URLs of its value sets."""
    return msgspec.msgpack.decode(load_definitions().terminology, type=Terminology)

"""What is in `profiles.bin`: zlib over MessagePack of `Profiles`.

A profile is a tree of rules along the elements of its type. It says only what R4 itself does not, so that what is not
in the tree needs no look.
"""

import functools
import zlib
from pathlib import Path
from typing import Any, Literal

import msgspec

from esante.core.fhir.definitions import DefinitionsMissing, Invariant, load

FILE = Path(__file__).parent.parent / "definitions" / "profiles.bin"

#: The step from a Reference to what it leads to.
RESOLVE = "resolve()"
_R4 = "http://hl7.org/fhir/StructureDefinition/"


class UnknownProfile(LookupError):
    """No profile of this address, or not in this version, is known."""


class Expected(msgspec.Struct, array_like=True, frozen=True):
    """A value that an element has to have: the whole of it (`fixed`), or at least this much (`pattern`).

    Decimals are texts here.
    """

    kind: Literal["fixed", "pattern"]
    value: Any


class Mark(msgspec.Struct, array_like=True, frozen=True):
    """One mark of the members of a slice, at the elements `steps` below them: a value, a code of a value set, one of
    some types, one of some profiles that they fit, or whether there is one at all."""

    steps: tuple[str, ...]
    kind: Literal["fixed", "pattern", "codes", "type", "profile", "exists"]
    value: Any


class Rule(msgspec.Struct, array_like=True, frozen=True, kw_only=True):
    """What a profile demands of one element beyond R4.

    `name` is without `[x]`. `min` is 0 and `max` None where the profile adds nothing; `types`, `targets` (the types
    that a Reference may lead to) are empty then. `profiles` are alternatives by the type of the value,
    `target_profiles` those by the type of what a Reference leads to. `closed`: each value is in one of the slices.
    """

    name: str
    min: int = 0
    max: int | None = None
    types: tuple[str, ...] = ()
    profiles: dict[str, tuple[str, ...]] = {}
    targets: tuple[str, ...] = ()
    target_profiles: dict[str, tuple[str, ...]] = {}
    expected: Expected | None = None
    codes: str | None = None
    max_length: int | None = None
    invariants: tuple[Invariant, ...] = ()
    closed: bool = False
    slices: tuple["Slice", ...] = ()
    below: tuple["Rule", ...] = ()

    def __len__(self) -> int:
        """How many rules this is, with those below."""
        own = (self.min > 0, self.max is not None, self.types, self.targets, self.expected, self.codes,
               self.max_length is not None, self.closed)  # fmt: skip
        inner = [*self.below, *(part.rule for part in self.slices)]
        named = len(self.profiles) + len(self.target_profiles)
        return sum(map(bool, own)) + named + len(self.invariants) + sum(map(len, inner))


class Slice(msgspec.Struct, array_like=True, frozen=True):
    """The values of an element that have all the marks, and the rules for them; `min` and `max` of the rule count
    the members."""

    name: str
    marks: tuple[Mark, ...]
    rule: Rule


class Head(msgspec.Struct, array_like=True, frozen=True):
    """A profile by its address; `rule` is decoded when it is needed. `left_out` says what of it cannot be checked."""

    url: str
    version: str
    type: str
    package: str
    left_out: tuple[str, ...]
    packed: msgspec.Raw


class Profiles(msgspec.Struct, frozen=True):
    """Everything in the file. `codes`: value set address -> code system -> codes."""

    profiles: dict[str, Head]
    codes: dict[str, dict[str, tuple[str, ...]]]


def pack(profiles: Profiles) -> bytes:
    """The bytes of `profiles.bin`."""
    return zlib.compress(msgspec.msgpack.encode(profiles), 9)


def packed(rule: Rule) -> msgspec.Raw:
    """The rules of one profile, decoded only when asked for."""
    return msgspec.Raw(msgspec.msgpack.encode(rule))


@functools.cache
def read() -> Profiles:
    """The file, read once per process. Raises `DefinitionsMissing`."""
    try:
        return msgspec.msgpack.decode(zlib.decompress(FILE.read_bytes()), type=Profiles)
    except (OSError, zlib.error, msgspec.MsgspecError) as error:
        raise DefinitionsMissing(f"The FHIR profiles ({FILE.name}) are not there; run 'make install'.") from error


def heads() -> tuple[Head, ...]:
    """Every known profile beyond R4's own."""
    return tuple(read().profiles.values())


@functools.cache
def rule_of(url: str) -> Rule:
    """The rules of a profile by its address without a version; none for R4's own."""
    head = read().profiles.get(url)
    return Rule(name="") if head is None else msgspec.msgpack.decode(head.packed, type=Rule)


def of_type(profile: str) -> tuple[str, str]:
    """The address without a version, and the type, of a profile: one of the file, or R4's own of a resource type.

    Raises `UnknownProfile`.
    """
    url, _, version = profile.partition("|")
    name = url.removeprefix(_R4)
    if url.startswith(_R4) and name in load().resource_types and version in ("", load().version):
        return url, name
    head = read().profiles.get(url)
    if head is None or version not in ("", head.version):
        listed = "".join(f"\n  {each}" for each in read().profiles)
        raise UnknownProfile(f"The profile {profile} is not known. Known are those of R4 itself and:{listed}")
    return url, head.type

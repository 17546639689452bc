"""The content of `profiles.bin`: zlib over MessagePack of `Profiles`.

A profile is a tree of rules along the elements of its type. It holds only what R4 itself does not demand, so that
elements outside of the tree need no check.
"""

import functools
import zlib
from pathlib import Path
from typing import Any, Literal

import msgspec

from esante.core.fhir.definitions import DefinitionsMissing, Invariant, load_definitions

FILE = Path(__file__).parent.parent / "definitions" / "profiles.bin"

#: The step of a discriminator from a Reference to its target.
RESOLVE = "resolve()"
_R4 = "http://hl7.org/fhir/StructureDefinition/"
#: The package of R4's own profiles and extensions.
R4_PACKAGE = "FHIR R4"


class UnknownProfile(LookupError):
    """No profile of this URL, or not in this version, is known."""


class Expected(msgspec.Struct, array_like=True, frozen=True):
    """The value of an element that a profile demands: exactly this (`fixed`), or at least this (`pattern`).

    Decimals are strings.
    """

    kind: Literal["fixed", "pattern"]
    value: Any


class Discriminator(msgspec.Struct, array_like=True, frozen=True):
    """What distinguishes the members of a slice, at the elements `steps` below them.

    By `kind` the value is a fixed value or a pattern, the URL of a value set, names of types, URLs of profiles, or
    whether the element is present.
    """

    steps: tuple[str, ...]
    kind: Literal["fixed", "pattern", "codes", "type", "profile", "exists"]
    value: Any


class Rule(msgspec.Struct, array_like=True, frozen=True, kw_only=True):
    """The demands of a profile on one element beyond R4, with those on the elements below it (`children`).

    `name` is without `[x]`. `min` is 0 and `max` None where the profile adds nothing; `types` and `targets` (the types
    that a Reference may point to) are empty then. `profiles` are alternatives by the type of the value,
    `target_profiles` those by the type of the target of a Reference. `closed`: each value must be in a slice.
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
    children: tuple["Rule", ...] = ()

    def __len__(self) -> int:
        """Return the number of rules, with those of the children and slices."""
        own = (self.min > 0, self.max is not None, self.types, self.targets, self.expected, self.codes,
               self.max_length is not None, self.closed)  # fmt: skip
        inner = [*self.children, *(part.rule for part in self.slices)]
        named = len(self.profiles) + len(self.target_profiles)
        return sum(map(bool, own)) + named + len(self.invariants) + sum(map(len, inner))


class Slice(msgspec.Struct, array_like=True, frozen=True):
    """The values of an element that all discriminators select, and the rules for them.

    `min` and `max` of the rule count the members.
    """

    name: str
    discriminators: tuple[Discriminator, ...]
    rule: Rule


class ProfileHeader(msgspec.Struct, array_like=True, frozen=True):
    """A profile. `packed_rule` is decoded when it is needed; `not_checked` describes rules that are not checked."""

    url: str
    version: str
    type: str
    package: str
    not_checked: tuple[str, ...]
    packed_rule: msgspec.Raw


class Profiles(msgspec.Struct, frozen=True):
    """The content of the file. `codes`: value set URL -> code system -> codes."""

    profiles: dict[str, ProfileHeader]
    codes: dict[str, dict[str, tuple[str, ...]]]


def pack_profiles(profiles: Profiles) -> bytes:
    """Return the bytes of `profiles.bin`."""
    return zlib.compress(msgspec.msgpack.encode(profiles), 9)


def pack_rule(rule: Rule) -> msgspec.Raw:
    """Pack the rules of one profile, which are decoded only when they are needed."""
    return msgspec.Raw(msgspec.msgpack.encode(rule))


@functools.cache
def load_profiles() -> Profiles:
    """Return the content of the file, read once per process.

    Raises: DefinitionsMissing when the file is absent or damaged.
    """
    try:
        return msgspec.msgpack.decode(zlib.decompress(FILE.read_bytes()), type=Profiles)
    except (OSError, zlib.error, msgspec.MsgspecError) as error:
        raise DefinitionsMissing(
            f"The FHIR profiles ({FILE.name}) are absent or damaged; run 'make install'."
        ) from error


def profile_headers() -> tuple[ProfileHeader, ...]:
    """Return every known profile beyond R4's own."""
    return tuple(load_profiles().profiles.values())


@functools.cache
def load_rule(url: str) -> Rule:
    """Return the rules of a profile by its URL without a version; an empty rule for R4's own."""
    header = load_profiles().profiles.get(url)
    return Rule(name="") if header is None else msgspec.msgpack.decode(header.packed_rule, type=Rule)


@functools.cache
def part_names(url: str) -> tuple[str, ...] | None:
    """Return the names of the parts that a complex extension has; None for an extension that is not known."""
    header = load_profiles().profiles.get(url)
    if header is None or header.type != "Extension":
        return None
    slices = [part for rule in load_rule(url).children if rule.name == "extension" for part in rule.slices]
    return tuple(str(each.value) for part in slices for each in part.discriminators if each.steps == ("url",))


def resolve_profile(profile: str) -> tuple[str, str]:
    """Return the URL without a version, and the resource type, of a profile: one of the file, or R4's own of a type.

    Raises: UnknownProfile when there is none of this URL and version.
    """
    url, _, version = profile.partition("|")
    name = url.removeprefix(_R4)
    if (
        url.startswith(_R4)
        and name in load_definitions().resource_types
        and version in ("", load_definitions().version)
    ):
        return url, name
    header = load_profiles().profiles.get(url)
    if header is None or version not in ("", header.version):
        known = "".join(f"\n  {each}" for each in load_profiles().profiles)
        raise UnknownProfile(f"The profile {profile} is not known. Known are those of R4 itself and:{known}")
    return url, header.type

"""The profiles that a product may implement (data/profiles.toml): their names and where they are specified."""

import tomllib
from collections.abc import Mapping
from functools import cache

import msgspec

from esante.core.dated_data import packaged_text


class Profile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A profile of IHE or HL7; `standard` is its name in every language, `url` its specification."""

    key: str
    standard: str
    url: str


class _File(msgspec.Struct, forbid_unknown_fields=True):
    profile: tuple[Profile, ...]


@cache
def profiles() -> Mapping[str, Profile]:
    """Return the profiles by key, in the order of the file."""
    file = msgspec.convert(tomllib.loads(packaged_text("esante.services.conformance", "profiles.toml")), _File)
    return {one.key: one for one in file.profile}

"""The recipe of the bulletin: its data files, read and checked, with the digests that name what they say."""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from esante.core.dated_data import packaged_text
from esante.core.storage import sha256
from esante.core.time_zone import time_zone
from esante.services.bulletin.declared_data import declared_text
from esante.services.bulletin.model import Breakdown, Indicator, Measure

_TIMEZONE = re.compile(rb'(?m)^timezone = ".*"$')
"""The line of lake.toml that names the time zone."""

LAKE_VERSION = b"1"
"""Raised when the code that reads the journal changes what it writes: all is then read again."""


class Rule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A dated rule of disclosure control (data/protection.toml)."""

    valid_from: date
    threshold: int
    """Counts from 1 to one less are not shown."""
    width: int
    """The least distance between what an attacker can make of a hidden cell at most and at least."""
    noise: int
    """The bound of the noise on counts of people."""
    dominance_share: float
    """A cell in which one establishment has a larger part than this is hidden."""
    dominance_width: float
    """The least such distance for it, as a part of its value."""
    contributors: int
    """A cell with fewer establishments than this is hidden."""
    legal_source: str
    verified: bool


class Relation(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What an outsider knows of totals: `sum` of coefficients by indicator (`id@-1`: of the month before)."""

    sum: Mapping[str, int]
    at_most: bool = False
    """False: the sum is 0; True: at most 0."""


class _Indicators(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    method: int
    breakdown: tuple[Breakdown, ...]
    indicator: tuple[Indicator, ...]
    relation: tuple[Relation, ...]


class _Lake(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    timezone: str
    events: Mapping[str, Mapping[str, str]]


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """What is counted, from what, and how it is protected: the bytes of the three files."""

    indicators_toml: bytes
    lake_toml: bytes
    protection_toml: bytes

    @cached_property
    def _parsed(self) -> _Indicators:
        parsed = msgspec.convert(_toml(self.indicators_toml), _Indicators)
        ordered = tuple(sorted(parsed.indicator, key=lambda indicator: indicator.position))
        return msgspec.structs.replace(parsed, indicator=ordered)

    @cached_property
    def lake(self) -> _Lake:
        """What leaves the journal."""
        return msgspec.convert(_toml(self.lake_toml), _Lake)

    @property
    def zone(self) -> ZoneInfo:
        """The civil time in which a month begins and ends."""
        return ZoneInfo(self.lake.timezone)

    @property
    def indicators(self) -> Mapping[str, Indicator]:
        """Every indicator by its id, in the order in which they are shown."""
        return {indicator.id: indicator for indicator in self._parsed.indicator}

    @property
    def breakdowns(self) -> Mapping[str, Breakdown]:
        """Every breakdown by its id."""
        return {breakdown.id: breakdown for breakdown in self._parsed.breakdown}

    @property
    def relations(self) -> tuple[Relation, ...]:
        """What binds totals to each other."""
        return self._parsed.relation

    @property
    def method(self) -> int:
        """The version of the method as a whole."""
        return self._parsed.method

    @cached_property
    def _rules(self) -> list[Rule]:
        return msgspec.convert(_toml(self.protection_toml)["rule"], list[Rule])

    def rule(self, period: str) -> Rule:
        """The rule of disclosure control for a month; raises LookupError when there is none."""
        first = date.fromisoformat(f"{period}-01")
        for rule in sorted(self._rules, key=lambda rule: rule.valid_from, reverse=True):
            if rule.valid_from <= first:
                return rule
        raise LookupError(f"no rule of disclosure control fits {period}; add one to bulletin/data/protection.toml")

    @cached_property
    def reader(self) -> str:
        """Names how the journal is read: another one begins another lake."""
        return sha256(LAKE_VERSION + b"\0" + self.lake_toml).hex()[:16]

    def to_bytes(self) -> bytes:
        """The recipe as it is kept beside the vintages that were made by it."""
        return msgspec.json.encode([self.indicators_toml, self.lake_toml, self.protection_toml])

    @classmethod
    def from_bytes(cls, data: bytes) -> "Recipe":
        """The inverse of `to_bytes`."""
        one, two, three = msgspec.json.decode(data, type=tuple[bytes, bytes, bytes])
        return cls(indicators_toml=one, lake_toml=two, protection_toml=three).checked()

    @classmethod
    def packaged(cls) -> "Recipe":
        """Return the recipe of this version of the program: what all packages declare."""
        protection = packaged_text("esante.services.bulletin", "protection.toml").encode()
        indicators, lake = (declared_text(name).encode() for name in ("indicators.toml", "lake.toml"))
        lake = _TIMEZONE.sub(f'timezone = "{time_zone().key}"'.encode(), lake)  # the server's, which the recipe keeps
        return cls(indicators_toml=indicators, lake_toml=lake, protection_toml=protection).checked()

    def checked(self) -> "Recipe":
        """Itself; raises ValueError that names the row in which something does not fit."""
        known = self.indicators
        if len(known) != len(self._parsed.indicator):
            raise ValueError("indicators.toml: an id is there twice")
        for indicator in known.values():
            if strange := [name for name in indicator.breakdowns if name not in self.breakdowns]:
                raise ValueError(
                    f"indicators.toml: {indicator.id} is broken down by {strange[0]}, which is not declared"
                )
            if indicator.measure is Measure.SHARE and not (
                len(indicator.of) == 2 and all(other in known for other in indicator.of)
            ):
                raise ValueError(f"indicators.toml: {indicator.id} needs two declared indicators in `of`")
            if bool(indicator.sql) != (indicator.measure not in (Measure.SHARE, Measure.NONE)):
                raise ValueError(f"indicators.toml: {indicator.id} and its `sql` do not fit its measure")
        return self


def _toml(data: bytes) -> dict[str, Any]:
    return tomllib.loads(data.decode())

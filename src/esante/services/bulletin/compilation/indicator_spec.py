"""The indicator specification: declared indicators, columns of the lake and rules of disclosure control."""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from zoneinfo import ZoneInfo

import msgspec

from esante.core.disclosure import DisclosureRule, parse_rules, rules_text
from esante.core.storage import sha256
from esante.core.time_zone import time_zone
from esante.core.types import Json
from esante.services.bulletin.declared_data import declared_text
from esante.services.bulletin.model import Aggregation, Breakdown, Indicator, SeriesKey

_TIMEZONE = re.compile(rb'(?m)^timezone = ".*"$')
"""The line of lake.toml that names the time zone."""

_TERM = re.compile(r"(\w+)(?:\[(\w+)=([^\]]+)\]|(@-1))?")
"""A term of a relation: an indicator, one of its categories, or the indicator of the month before."""

LAKE_VERSION = b"1"
"""Increased when the code changes what it writes into the lake: the journal is then read again from its beginning."""


class LinearRelation(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A linear relation that is publicly known: coefficients by total or category.

    `id` is a total, `id@-1` the total of the month before, `id[breakdown=category]` a category. A relation of totals
    of one month also holds within each category of the breakdowns that all of them have.
    """

    sum: Mapping[str, int]
    at_most: bool = False
    """Whether the weighted sum is at most 0; otherwise it is 0."""

    @property
    def terms(self) -> tuple[tuple[SeriesKey, bool, int], ...]:
        """Each term: the series, whether that of the month before is meant, and the coefficient."""
        found = []
        for name, factor in self.sum.items():
            indicator, breakdown, value_of, lag = _TERM.fullmatch(name).groups(default="")  # type: ignore[union-attr]
            found.append(((indicator, breakdown, value_of), bool(lag), factor))
        return tuple(found)


class _IndicatorsFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    method: int
    breakdown: tuple[Breakdown, ...]
    indicator: tuple[Indicator, ...]
    relation: tuple[LinearRelation, ...]


class _LakeFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    timezone: str
    events: Mapping[str, Mapping[str, str]]


@dataclass(frozen=True, kw_only=True)
class IndicatorSpecification:
    """What is counted, from which fields, and how it is protected: the bytes of the three files.

    The specification is stored beside the vintages that were made by it.
    """

    indicators_toml: bytes
    lake_toml: bytes
    protection_toml: bytes

    @cached_property
    def _indicators_file(self) -> _IndicatorsFile:
        parsed = msgspec.convert(_parse_toml(self.indicators_toml), _IndicatorsFile)
        ordered = tuple(sorted(parsed.indicator, key=lambda indicator: indicator.position))
        return msgspec.structs.replace(parsed, indicator=ordered)

    @cached_property
    def lake(self) -> _LakeFile:
        """The fields that leave the journal, and the time zone."""
        return msgspec.convert(_parse_toml(self.lake_toml), _LakeFile)

    @property
    def zone(self) -> ZoneInfo:
        """The time zone in which a month begins and ends."""
        return ZoneInfo(self.lake.timezone)

    @property
    def indicators(self) -> Mapping[str, Indicator]:
        """Every indicator by its id, in the order of `position`."""
        return {indicator.id: indicator for indicator in self._indicators_file.indicator}

    @property
    def breakdowns(self) -> Mapping[str, Breakdown]:
        """Every breakdown by its id."""
        return {breakdown.id: breakdown for breakdown in self._indicators_file.breakdown}

    @property
    def relations(self) -> tuple[LinearRelation, ...]:
        """The publicly known relations of totals."""
        return self._indicators_file.relation

    @property
    def method(self) -> int:
        """The version of the method as a whole."""
        return self._indicators_file.method

    @cached_property
    def _rules(self) -> list[DisclosureRule]:
        return parse_rules(self.protection_toml.decode())

    def rule_for(self, period: str) -> DisclosureRule:
        """Return the newest rule that was valid when a month began. Raises: LookupError when there is none."""
        first = date.fromisoformat(f"{period}-01")
        for rule in sorted(self._rules, key=lambda rule: rule.valid_from, reverse=True):
            if rule.valid_from <= first:
                return rule
        raise LookupError(
            f"no rule of disclosure control is valid for {period}: add one to core/disclosure/data/protection.toml"
        )

    @cached_property
    def lake_id(self) -> str:
        """The identifier of the lake that this specification reads the journal into (16 hexadecimal digits)."""
        return sha256(LAKE_VERSION + b"\0" + self.lake_toml).hex()[:16]

    def to_bytes(self) -> bytes:
        """Return the stored form: JSON with the three files, each in base64."""
        return msgspec.json.encode([self.indicators_toml, self.lake_toml, self.protection_toml])

    @classmethod
    def from_bytes(cls, data: bytes) -> "IndicatorSpecification":
        """Return the specification from its stored form. Raises: ValueError as `validate`."""
        one, two, three = msgspec.json.decode(data, type=tuple[bytes, bytes, bytes])
        return cls(indicators_toml=one, lake_toml=two, protection_toml=three).validate()

    @classmethod
    def from_packages(cls) -> "IndicatorSpecification":
        """Return the specification that the installed packages declare. Raises: ValueError as `validate`."""
        protection = rules_text().encode()
        indicators, lake = (declared_text(name).encode() for name in ("indicators.toml", "lake.toml"))
        lake = _TIMEZONE.sub(f'timezone = "{time_zone().key}"'.encode(), lake)  # the server's, which is stored with it
        return cls(indicators_toml=indicators, lake_toml=lake, protection_toml=protection).validate()

    def validate(self) -> "IndicatorSpecification":
        """Return itself. Raises: ValueError naming the row that is inconsistent."""
        known = self.indicators
        if len(known) != len(self._indicators_file.indicator):
            raise ValueError("indicators.toml: two indicators have the same id")
        for indicator in known.values():
            if unknown := [name for name in indicator.breakdowns if name not in self.breakdowns]:
                raise ValueError(
                    f"indicators.toml: {indicator.id} is broken down by {unknown[0]}, which is not declared"
                )
            if indicator.measure is Aggregation.SHARE and not (
                len(indicator.of) == 2 and all(other in known for other in indicator.of)
            ):
                raise ValueError(
                    f"indicators.toml: {indicator.id} is a share and needs two declared indicators in `of`"
                )
            if indicator.measure is Aggregation.SHARE and not all(
                set(indicator.breakdowns) <= set(known[other].breakdowns) for other in indicator.of
            ):
                raise ValueError(f"indicators.toml: {indicator.id} has a breakdown that its two indicators have not")
            if bool(indicator.sql) != (indicator.measure not in (Aggregation.SHARE, Aggregation.NONE)):
                raise ValueError(f"indicators.toml: {indicator.id} needs `sql` unless its measure is share or none")
        for name in (name for relation in self.relations for name in relation.sum):
            term = _TERM.fullmatch(name)
            if term is None or term[1] not in known or (term[2] and term[2] not in known[term[1]].breakdowns):
                raise ValueError(f"indicators.toml: a relation has the term {name}, which is not declared")
        return self


def _parse_toml(data: bytes) -> Json:
    return tomllib.loads(data.decode())

"""The weights of traits, as dated data (`data/match_weights.toml`)."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from math import log2
from typing import Any

from esante.core.dated_data import in_force, packaged_text, parse_periods
from esante.identity.directory.matching.model import ABSENT, TRAITS


@dataclass(frozen=True, slots=True)
class Level:
    """How often a level is found in two entries of one person (`m`) and of two persons (`u`)."""

    m: float
    u: float

    @property
    def bits(self) -> float:
        """The weight of the level."""
        return log2(self.m / self.u)


@dataclass(frozen=True, slots=True, kw_only=True)
class MatchWeights:
    """The weights from `valid_from` on; the file says what each field means."""

    valid_from: date
    legal_source: str
    verified: bool
    prior_bits: float
    certain_bits: float
    probable_bits: float
    possible_bits: float
    levels: Mapping[str, Mapping[str, Level]]
    certain: tuple[Mapping[str, frozenset[str]], ...]

    def bits(self, trait: str, level: str) -> float:
        """Return the weight of a level of a trait."""
        return 0.0 if level == ABSENT else self.levels[trait][level].bits


def match_weights(on: date) -> MatchWeights:
    """Return the weights in force on a day."""
    return in_force(_periods(), on)


@cache
def _periods() -> tuple[MatchWeights, ...]:
    return parse_periods(packaged_text("esante.identity.directory", "match_weights.toml"), parse_weights)


def parse_weights(period: dict[str, Any]) -> MatchWeights:
    """Return the weights of a period. Raises: ValueError for a trait that is not compared or is missing."""
    levels = {
        trait: {name: Level(**numbers) for name, numbers in found.items()} for trait, found in period["levels"].items()
    }
    certain = tuple({trait: frozenset(names) for trait, names in table.items()} for table in period["certain"])
    if set(levels) != set(TRAITS):
        raise ValueError(f"the weights need levels of {', '.join(TRAITS)}, and have those of {', '.join(levels)}")
    for table in certain:
        for trait, names in table.items():
            if unknown := names - set(levels.get(trait, ())) - {ABSENT}:
                raise ValueError(f"{trait} has no level {', '.join(sorted(unknown))}")
    return MatchWeights(**{**period, "levels": levels, "certain": certain})

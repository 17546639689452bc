"""The declared indicators and breakdowns, decoded."""

from functools import lru_cache

import msgspec

from esante.services.bulletin.declared_data import declared_text
from esante.services.bulletin.model import Breakdown, Indicator


class DeclaredIndicators(msgspec.Struct, frozen=True):
    """The indicators of the files data/indicators.toml in the order of `position`, and the breakdowns."""

    indicator: tuple[Indicator, ...]
    breakdown: tuple[Breakdown, ...]


def declared_indicators() -> DeclaredIndicators:
    """Return the indicators and breakdowns that the packages declare."""
    return _decoded(declared_text("indicators.toml"))


@lru_cache(maxsize=2)
def _decoded(text: str) -> DeclaredIndicators:
    found = msgspec.toml.decode(text, type=DeclaredIndicators)
    return DeclaredIndicators(tuple(sorted(found.indicator, key=lambda one: one.position)), found.breakdown)

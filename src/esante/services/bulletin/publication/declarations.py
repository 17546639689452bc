"""The declared indicators and breakdowns."""

from functools import lru_cache

import msgspec

from esante.services.bulletin.declared_data import declared_text
from esante.services.bulletin.model import Breakdown, Indicator


class Declarations(msgspec.Struct, frozen=True):
    """What the files data/indicators.toml hold, in the order of `position`."""

    indicator: tuple[Indicator, ...]
    breakdown: tuple[Breakdown, ...]


def declarations() -> Declarations:
    """Return the declarations of all packages."""
    return _decoded(declared_text("indicators.toml"))


@lru_cache(maxsize=2)
def _decoded(text: str) -> Declarations:
    found = msgspec.toml.decode(text, type=Declarations)
    return Declarations(tuple(sorted(found.indicator, key=lambda one: one.position)), found.breakdown)

"""The declared indicators and breakdowns."""

from functools import cache
from importlib.resources import files

import msgspec

from esante.services.bulletin.model import Breakdown, Indicator


class Declarations(msgspec.Struct, frozen=True):
    """What data/indicators.toml holds."""

    indicator: tuple[Indicator, ...]
    breakdown: tuple[Breakdown, ...]


@cache
def declarations() -> Declarations:
    """The declarations, read once."""
    return msgspec.toml.decode(
        (files("esante.services.bulletin") / "data" / "indicators.toml").read_bytes(), type=Declarations
    )

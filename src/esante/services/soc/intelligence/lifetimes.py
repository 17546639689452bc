"""How long an indicator without an end is in force, by kind: `data/intelligence.toml`, and other bounds from there."""

import tomllib
from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import cache
from importlib.resources import files
from typing import Any

from esante.services.soc.intelligence.observables import ObservableKind


@cache
def bounds() -> Mapping[str, Any]:
    """Return the table of bounds."""
    text = files("esante.services.soc").joinpath("data/intelligence.toml").read_text("utf-8")
    return tomllib.loads(text)


def end_of(kind: ObservableKind, seen: datetime) -> datetime | None:
    """Return when an indicator ends that was last seen at a time and names no end; None: never."""
    days = bounds()["lifetime_days"][kind]
    return seen + timedelta(days=days) if days else None

"""What becomes of each attribute in a copy without identity (`data/deidentification_profile.toml`)."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache

from esante.core.dated_data import in_force, packaged_text, parse_periods
from esante.core.types import Json

_PLACES = 8
"""Digits of a tag."""


@dataclass(frozen=True, slots=True)
class Profile:
    """The action of each tag (`X`, `Z`, `D`, `U` or a choice of them), and of patterns with `x` for any digit."""

    valid_from: date
    legal_source: str
    verified: bool
    actions: Mapping[str, str]
    patterns: tuple[tuple[str, str], ...]

    def action_of(self, tag: str) -> str:
        """Return the action of a tag of eight digits; "" for one that is kept."""
        found = self.actions.get(tag)
        if found is None:
            found = next((action for pattern, action in self.patterns if _matches(tag, pattern)), "")
        return found


def profile(on: date) -> Profile:
    """Return the profile in force on a day."""
    return in_force(_periods(), on)


def _matches(tag: str, pattern: str) -> bool:
    return all(wanted in ("x", digit) for digit, wanted in zip(tag, pattern, strict=True))


@cache
def _periods() -> tuple[Profile, ...]:
    return parse_periods(packaged_text("esante.services.imaging", "deidentification_profile.toml"), _parse)


def _parse(period: Json) -> Profile:
    every = [(tag, action) for action, one in period["actions"].items() for tag in one["tags"].split()]
    if any(len(tag) != _PLACES for tag, _ in every):
        raise ValueError("a tag does not have eight digits")
    return Profile(
        valid_from=period["valid_from"],
        legal_source=period["legal_source"],
        verified=period["verified"],
        actions={tag: action for tag, action in every if "x" not in tag},
        patterns=tuple((tag, action) for tag, action in every if "x" in tag),
    )

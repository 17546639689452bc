"""The windows that the light viewer offers (`data/windows.toml`)."""

from dataclasses import dataclass
from datetime import date
from functools import cache

from esante.core.dated_data import in_force, packaged_text, parse_periods
from esante.core.types import Json


@dataclass(frozen=True, slots=True)
class Window:
    """A way to show the pictures of a modality: a name (msgid), centre and width in the units of the modality."""

    key: str
    modality: str
    label: str
    centre: float
    width: float

    @property
    def parameter(self) -> str:
        """The value of the parameter `window` (PS3.18, 8.3.5.1.4)."""
        return f"{self.centre},{self.width},linear"


@dataclass(frozen=True, slots=True)
class _Period:
    valid_from: date
    windows: tuple[Window, ...]


def windows_of(modality: str, on: date) -> tuple[Window, ...]:
    """Return the windows that are offered for a modality on a day."""
    return tuple(one for one in in_force(_periods(), on).windows if one.modality == modality)


@cache
def _periods() -> tuple[_Period, ...]:
    return parse_periods(packaged_text("esante.services.imaging", "windows.toml"), _parse)


def _parse(period: Json) -> _Period:
    return _Period(period["valid_from"], tuple(Window(**one) for one in period.get("window", ())))

"""The themes of the publication: which indicators are shown together, by prefixes of their ids (data/themes.toml)."""

import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache

from esante.core.dated_data import packaged_text
from esante.services.bulletin.model import Indicator


@dataclass(frozen=True, slots=True)
class Theme:
    """A section: its key, title and lead (msgids), and its indicators."""

    key: str
    title: str
    lead: str
    indicators: Sequence[Indicator]


def group_by_theme(indicators: Iterable[Indicator]) -> list[Theme]:
    """Return the themes that have indicators; an indicator whose id has no known prefix belongs to the last theme."""
    found: dict[str, list[Indicator]] = {}
    for indicator in indicators:
        found.setdefault(_theme_of(indicator.id), []).append(indicator)
    return [
        Theme(entry["key"], entry["label"], entry["display"], found[entry["key"]])
        for entry in _theme_entries()
        if entry["key"] in found
    ]


def themes_begun(indicators: Iterable[Indicator], period: str) -> list[Theme]:
    """Return the themes of which an indicator has begun by a month."""
    return [theme for theme in group_by_theme(indicators) if any(one.since <= period for one in theme.indicators)]


def _theme_of(id_: str) -> str:
    for entry in _theme_entries():
        if any(id_.startswith(prefix) for prefix in entry["begins"]):
            return str(entry["key"])
    return str(_theme_entries()[-1]["key"])


@cache
def _theme_entries() -> list[dict[str, str]]:
    text = packaged_text("esante.services.bulletin.publication", "themes.toml")
    entries: list[dict[str, str]] = tomllib.loads(text)["theme"]
    return entries

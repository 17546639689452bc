"""The themes of the publication, in their order: which indicators stand together. A new one needs no entry."""

import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from esante.services.bulletin.model import Indicator


@dataclass(frozen=True, slots=True)
class Theme:
    """A section: its key, its title (a msgid) and its indicators."""

    key: str
    title: str
    lead: str
    indicators: Sequence[Indicator]


def themes(indicators: Iterable[Indicator]) -> list[Theme]:
    """The themes that have indicators; an indicator belongs where its id begins alike, else to the last theme."""
    found: dict[str, list[Indicator]] = {}
    for indicator in indicators:
        found.setdefault(_theme_of(indicator.id), []).append(indicator)
    return [
        Theme(entry["key"], entry["label"], entry["display"], found[entry["key"]])
        for entry in _declared()
        if entry["key"] in found
    ]


def _theme_of(id_: str) -> str:
    for entry in _declared():
        if any(id_.startswith(beginning) for beginning in entry["begins"]):
            return str(entry["key"])
    return str(_declared()[-1]["key"])


@cache
def _declared() -> list[dict[str, str]]:
    text = (files("esante.services.bulletin.publication") / "data" / "themes.toml").read_text(encoding="utf-8")
    declared: list[dict[str, str]] = tomllib.loads(text)["theme"]
    return declared

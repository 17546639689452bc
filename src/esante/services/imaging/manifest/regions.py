"""Body sites of series, and the anatomical regions by which studies are searched (data/body_parts.toml)."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from typing import Any

from esante.core.dated_data import in_force, packaged_text, parse_periods
from esante.core.time_zone import today
from esante.services.imaging.manifest.model import SNOMED, Coded

WHOLE_BODY = "38266002"
_MAX_WORDS = 64


@dataclass(frozen=True, slots=True)
class BodyParts:
    """The lists of a day: regions by code, sites by Body Part Examined, regions of a site by its code."""

    valid_from: date
    legal_source: str
    verified: bool
    regions: Mapping[str, str]
    sites: Mapping[str, Coded]
    regions_of: Mapping[str, tuple[str, ...]]


def body_site(body_part: str) -> Coded | None:
    """Return the site of a Body Part Examined: coded where the list has it, else in the words of the device."""
    words = " ".join(body_part.split())[:_MAX_WORDS]
    if not words:
        return None
    key = "".join(char for char in words.upper() if char.isalnum())
    return _current().sites.get(key) or Coded("", words, "")


def body_part(site: Coded | None) -> str:
    """Return the Body Part Examined of a site: that of the list, else the words of the site; "" for none."""
    if site is None:
        return ""
    known = (name for name, one in _current().sites.items() if (one.system, one.code) == (site.system, site.code))
    return next(known, site.display)


def regions_of(sites: Iterable[Coded | None]) -> tuple[str, ...]:
    """Return the codes of the regions of some sites, sorted; a region is one of its own."""
    known = _current()
    found: set[str] = set()
    for site in sites:
        if site is not None and site.system == SNOMED:
            found.update(known.regions_of.get(site.code, ()) or ([site.code] if site.code in known.regions else ()))
    return tuple(sorted(found))


def region_words(code: str) -> str:
    """Return the words for a region, "" for a code that is none."""
    return _current().regions.get(code, "")


def overlap(first: Iterable[str], second: Iterable[str]) -> bool:
    """Return whether regions have something in common; the whole body has it with any."""
    one, other = set(first), set(second)
    return bool(one & other) or bool(one and other and WHOLE_BODY in one | other)


def _current() -> BodyParts:
    return in_force(_periods(), today())


@cache
def _periods() -> tuple[BodyParts, ...]:
    return parse_periods(packaged_text("esante.services.imaging", "body_parts.toml"), _parse)


def _parse(period: dict[str, Any]) -> BodyParts:
    parts = period["body_parts"]
    return BodyParts(
        valid_from=period["valid_from"],
        legal_source=period["legal_source"],
        verified=period["verified"],
        regions=dict(period["regions"]),
        sites={name: Coded(code, words) for name, code, words, _ in parts},
        regions_of={code: tuple(regions.split()) for _, code, _, regions in parts},
    )

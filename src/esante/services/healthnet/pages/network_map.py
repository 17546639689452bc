"""The schematic map: how many sites each canton has, and how many of them need attention."""

import tomllib
from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from functools import cache
from typing import Any

from esante.core.dated_data import packaged_text
from esante.identity.directory import canton_of
from esante.services.healthnet.sites.model import NetworkSite


@dataclass(frozen=True, slots=True, kw_only=True)
class CantonTile:
    """A canton of the map; `name` "" for sites whose commune is not known."""

    name: str
    column: int
    row: int
    sites: int
    troubled: int


def tiles_of(sites: Iterable[NetworkSite], troubled: Collection[str]) -> list[CantonTile]:
    """Return the cantons with their sites; `troubled`: keys of the sites that need attention."""
    counted: Counter[str] = Counter()
    in_trouble: Counter[str] = Counter()
    for site in sites:
        canton = canton_of(site.address)
        counted[canton] += 1
        in_trouble[canton] += site.key in troubled
    found = [CantonTile(**row, sites=counted[row["name"]], troubled=in_trouble[row["name"]]) for row in _rows()]
    if counted[""]:
        found.append(CantonTile(name="", column=1, row=4, sites=counted[""], troubled=in_trouble[""]))
    return found


@cache
def _rows() -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = tomllib.loads(packaged_text("esante.services.healthnet", "cantons.toml"))["cantons"]
    return rows

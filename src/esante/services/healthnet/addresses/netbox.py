"""Networks of sites as NetBox exchanges prefixes: CSV of its bulk import, JSON as its API lists them.

The key of the site is the first word of the description, which every version of NetBox has; where a list has none, the
name of the scope (NetBox 4.2 and later) or of the site counts.
"""

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from esante.services.healthnet.addresses.model import SiteAddresses

COLUMNS = ("prefix", "status", "is_pool", "description")
MAX_CHARACTERS, MOST = 20_000_000, 100_000
ACTIVE = "active"


@dataclass(frozen=True, slots=True)
class Assignment:
    """A network of a site as a file has it, and its place there."""

    site: str
    network: str
    place: str


class ExchangeError(ValueError):
    """A file that is refused: `faults` are its faults, each with place and remedy."""

    def __init__(self, faults: Sequence[str]) -> None:
        super().__init__("\n".join(faults))
        self.faults = tuple(faults)


def to_csv(addresses: Mapping[str, SiteAddresses], names: Mapping[str, str]) -> str:
    """Return the prefixes of sites as CSV for the bulk import of NetBox. `names`: of the sites, by key."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    for key in sorted(addresses):
        for network in addresses[key].networks:
            writer.writerow((network, ACTIVE, "false", _description(key, names)))
    return out.getvalue()


def to_json(addresses: Mapping[str, SiteAddresses], names: Mapping[str, str]) -> str:
    """Return the prefixes of sites as JSON, as the API of NetBox lists them."""
    results = [
        {
            "prefix": str(network),
            "family": {"value": network.version, "label": f"IPv{network.version}"},
            "status": {"value": ACTIVE, "label": "Active"},
            "is_pool": False,
            "description": _description(key, names),
        }
        for key in sorted(addresses)
        for network in addresses[key].networks
    ]
    return json.dumps({"count": len(results), "next": None, "previous": None, "results": results}, indent=1)


def parse_prefixes(text: str) -> list[Assignment]:
    """Return the active prefixes of a file, CSV or JSON. Raises: ExchangeError with every fault."""
    if len(text) > MAX_CHARACTERS:
        raise ExchangeError([f"the file has more than {MAX_CHARACTERS:,} characters; export a part"])
    text = text.removeprefix("\ufeff")
    found = _of_json(text) if text.lstrip()[:1] in ("{", "[") else _of_csv(text)
    if len(found) > MOST:
        raise ExchangeError([f"the file has more than {MOST:,} prefixes; export a part"])
    return found


def _description(key: str, names: Mapping[str, str]) -> str:
    return f"{key} {names.get(key, '')}".strip()[:200]


def _of_csv(text: str) -> list[Assignment]:
    reader = csv.DictReader(io.StringIO(text), strict=True)
    faults: list[str] = []
    found: list[Assignment] = []
    try:
        fields = {name.strip().lower(): name for name in reader.fieldnames or ()}
        if not {"prefix", "description"} <= fields.keys():
            raise ExchangeError(["line 1: the columns prefix and description are missing; export them from NetBox"])
        for row in reader:
            place = f"line {reader.line_num}"
            status = row.get(fields["status"]) if "status" in fields else ACTIVE
            _add(found, faults, place, row[fields["prefix"]], status, row[fields["description"]])
    except csv.Error as error:
        faults.append(f"line {reader.line_num}: is no CSV ({error}); mend the quotes")
    if faults:
        raise ExchangeError(faults)
    return found


def _of_json(text: str) -> list[Assignment]:
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ExchangeError([f"is no JSON ({str(error)[:200]}); export it again"]) from error
    rows = content.get("results") if isinstance(content, dict) else content
    if not isinstance(rows, list):
        raise ExchangeError(["there is no list of prefixes; export /api/ipam/prefixes/ of NetBox"])
    if isinstance(content, dict) and content.get("next"):
        raise ExchangeError(["this is the first page of several; export with limit=0"])
    faults: list[str] = []
    found: list[Assignment] = []
    for number, row in enumerate(rows):
        place = f"results[{number}]"
        if not isinstance(row, dict):
            faults.append(f"{place}: is no object; export it again")
            continue
        status = row.get("status")
        status = status.get("value") if isinstance(status, dict) else status
        _add(found, faults, place, row.get("prefix"), status, row.get("description") or _scope(row))
    if faults:
        raise ExchangeError(faults)
    return found


def _scope(row: Mapping[str, Any]) -> Any:
    for name in ("scope", "site"):
        scope = row.get(name)
        if isinstance(scope, dict):
            return scope.get("name")
        if isinstance(scope, str):
            return scope
    return None


def _add(found: list[Assignment], faults: list[str], place: str, prefix: Any, status: Any, description: Any) -> None:
    if isinstance(status, str) and status.strip().lower() not in (ACTIVE, ""):
        return
    words = description.split() if isinstance(description, str) else []
    if not isinstance(prefix, str) or not prefix.strip():
        faults.append(f"{place}: has no prefix; fill the field, or remove the row")
    elif not words:
        faults.append(f"{place}: names no site; write its key first in the description")
    else:
        found.append(Assignment(words[0], prefix.strip(), place))

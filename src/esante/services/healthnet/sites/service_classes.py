"""Classes of service: bandwidth, promised availability and price, as dated data (data/service_classes.toml)."""

import tomllib
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import cache

from esante.core.dated_data import packaged_text


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceClass:
    """A class of service. `down`, `up`: Mbit/s; `availability`: percent of a month; `monthly_price`: euros.

    `is_sample`: the values are invented.
    """

    key: str
    label: str
    down: int
    up: int
    availability: Decimal
    monthly_price: Decimal
    valid_from: date
    legal_source: str
    is_verified: bool
    is_sample: bool


def parse_classes(text: str) -> dict[str, ServiceClass]:
    """Return the classes of a file by key, those with the latest `valid_from`. Raises: KeyError, ValueError."""
    rows = [
        ServiceClass(
            key=row["key"],
            label=row["label"],
            down=row["down"],
            up=row["up"],
            availability=Decimal(row["availability"]),
            monthly_price=Decimal(row["monthly_price"]),
            valid_from=row["valid_from"],
            legal_source=row["legal_source"],
            is_verified=row["verified"],
            is_sample=row.get("sample", False),
        )
        for row in tomllib.loads(text)["class"]
    ]
    return {row.key: row for row in sorted(rows, key=lambda row: row.valid_from)}


@cache
def service_classes() -> dict[str, ServiceClass]:
    """Return the packaged classes."""
    return parse_classes(packaged_text("esante.services.healthnet", "service_classes.toml"))

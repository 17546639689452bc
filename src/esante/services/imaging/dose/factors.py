"""The factors by which an effective dose is estimated (`data/dose_factors.toml`)."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache

from esante.core.dated_data import in_force, packaged_text, parse_periods
from esante.core.types import Json
from esante.services.imaging.dose.report import Irradiation, Quantity


@dataclass(frozen=True, slots=True)
class DoseFactors:
    """The factors of a period in mSv for one unit of a quantity, by region and least age; `background`: mSv a year."""

    valid_from: date
    legal_source: str
    verified: bool
    background: float
    by_region: Mapping[tuple[Quantity, str], tuple[tuple[int, float], ...]]

    def estimate(self, irradiation: Irradiation, age: int) -> float | None:
        """Return the effective dose in mSv of an irradiation at an age; None where there is no factor for it."""
        ages = self.by_region.get((irradiation.quantity, irradiation.region), ())
        factor = next((one for least, one in reversed(ages) if least <= age), None)
        return None if factor is None else factor * irradiation.amount


def dose_factors(on: date) -> DoseFactors:
    """Return the factors in force on a day."""
    return in_force(_periods(), on)


@cache
def _periods() -> tuple[DoseFactors, ...]:
    return parse_periods(packaged_text("esante.services.imaging", "dose_factors.toml"), _parse)


def _parse(period: Json) -> DoseFactors:
    by_region = {
        (Quantity[factor["quantity"]], region): tuple(
            sorted((int(age), one) for age, one in factor["from_age"].items())
        )
        for factor, ages in ((one, one["from_age"]) for one in period["factor"])
        for region in factor["regions"]
    }
    return DoseFactors(
        period["valid_from"], period["legal_source"], period["verified"], period["background"], by_region
    )

"""Laboratory values of a person: a personal baseline, shifted by conditions, with a trend and noise."""

import random
from datetime import date, datetime
from typing import Any

from esante.demo.data_tables import load_table, localized_name
from esante.demo.model import Citizen, LaboratoryResult
from esante.demo.seeded_random import random_stream


class Laboratory:
    """The laboratory results of one person at any moment."""

    def __init__(self, seed: int, citizen: Citizen) -> None:
        self._seed, self._citizen = seed, citizen
        self._baselines: dict[str, tuple[float, float]] = {}

    def panel(self, rng: random.Random, name: str, at: datetime, language: str) -> tuple[LaboratoryResult, ...]:
        """Return the results of a panel of `labs.toml`."""
        return tuple(self.result(rng, analyte, at, language) for analyte in load_table("labs")["panels"][name])

    def result(self, rng: random.Random, analyte: str, at: datetime, language: str) -> LaboratoryResult:
        """Return the result of an analyte, with its flag."""
        entry = load_table("labs")[analyte]
        usual, slope = self._baseline(analyte, entry)
        years = (at.date() - self._citizen.person.birth_date).days / 365.25
        shift = sum(
            amount * _severity(self._citizen.conditions[condition], at.date())
            for condition, amount in entry.get("shift", {}).items()
            if condition in self._citizen.conditions
        )
        noise = rng.gauss(0, 0.35 * entry["spread"])
        low, high = entry.get("range") or entry[self._sex]
        value = max(usual + slope * (years - 40) + shift + noise, 0.15 * usual)
        decimals = entry["decimals"]
        value = round(value, decimals) if decimals else round(value)
        return LaboratoryResult(
            loinc=entry["loinc"],
            long=entry["long"],
            name=localized_name(entry, language),
            value=value,
            unit=entry["unit"],
            low=low,
            high=high,
            flag="L" if value < low else "H" if value > high else "N",
            at=at,
        )

    @property
    def _sex(self) -> str:
        return "male" if self._citizen.person.sex == "male" else "female"

    def _baseline(self, analyte: str, entry: dict[str, Any]) -> tuple[float, float]:
        """Return the person's baseline at the age of 40, and its change per year."""
        if analyte not in self._baselines:
            rng = random_stream(self._seed, "analyte", self._citizen.number, analyte)
            usual = entry["usual"] if not isinstance(entry["usual"], dict) else entry["usual"][self._sex]
            self._baselines[analyte] = (rng.gauss(usual, 0.7 * entry["spread"]), 0.008 * entry["spread"])
        return self._baselines[analyte]


def _severity(since: date, day: date) -> float:
    """Return the severity of a condition: high at diagnosis, lower under treatment, slowly increasing later."""
    years = (day - since).days / 365.25
    if years < -0.5:
        return 0.0
    return float(max(0.45, 1.3 - 0.4 * max(years, 0)) + 0.03 * max(years - 2, 0))

"""Laboratory values of a person: a usual value of her own, moved by her conditions, with a trend and noise."""

import random
from datetime import date, datetime
from typing import Any

from esante.demo.data_tables import named, table
from esante.demo.model import Citizen, Result
from esante.demo.seeded_random import stream


class Laboratory:
    """What the analyses of one person give at any moment."""

    def __init__(self, seed: int, citizen: Citizen) -> None:
        self._seed, self._citizen = seed, citizen
        self._usual: dict[str, tuple[float, float]] = {}

    def panel(self, chance: random.Random, name: str, at: datetime, language: str) -> tuple[Result, ...]:
        """The results of a panel of `labs.toml`."""
        return tuple(self.result(chance, analyte, at, language) for analyte in table("labs")["panels"][name])

    def result(self, chance: random.Random, analyte: str, at: datetime, language: str) -> Result:
        """The result of one analyte, with its flag."""
        entry = table("labs")[analyte]
        usual, slope = self._own(analyte, entry)
        years = (at.date() - self._citizen.person.birth_date).days / 365.25
        shift = sum(
            amount * _course(self._citizen.conditions[condition], at.date())
            for condition, amount in entry.get("shift", {}).items()
            if condition in self._citizen.conditions
        )
        noise = chance.gauss(0, 0.35 * entry["spread"])
        low, high = entry.get("range") or entry[self._sex]
        value = max(usual + slope * (years - 40) + shift + noise, 0.15 * usual)
        decimals = entry["decimals"]
        value = round(value, decimals) if decimals else round(value)
        return Result(
            loinc=entry["loinc"],
            long=entry["long"],
            name=named(entry, language),
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

    def _own(self, analyte: str, entry: dict[str, Any]) -> tuple[float, float]:
        """The person's own usual value at 40, and by how much it changes each year."""
        if analyte not in self._usual:
            chance = stream(self._seed, "analyte", self._citizen.number, analyte)
            usual = entry["usual"] if not isinstance(entry["usual"], dict) else entry["usual"][self._sex]
            self._usual[analyte] = (chance.gauss(usual, 0.7 * entry["spread"]), 0.008 * entry["spread"])
        return self._usual[analyte]


def _course(since: date, day: date) -> float:
    """How much of a condition shows: strong when it is found, better under treatment, slowly worse later."""
    years = (day - since).days / 365.25
    if years < -0.5:
        return 0.0
    return float(max(0.45, 1.3 - 0.4 * max(years, 0)) + 0.03 * max(years - 2, 0))

"""Sets of rules: their compiled form, and loaders for the CDC's supporting data and for a country's calendar."""

from datetime import date
from pathlib import Path

from esante.services.vaccination.forecast.rules.calendar import load_calendar, parse_calendar
from esante.services.vaccination.forecast.rules.errors import RulesError
from esante.services.vaccination.forecast.rules.model import Rule, RuleSet
from esante.services.vaccination.forecast.rules.supporting_data import load_supporting_data

__all__ = ["Rule", "RuleSet", "RulesError", "load_rules", "load_supporting_data", "parse_calendar"]

SUPPORTING_DATA = "cdsi"


def load_rules(name: str, folder: Path | None = None, *, on: date | None = None) -> RuleSet:
    """Return a set of rules: "cdsi" from the `folder` of a release, or the calendar of a country on a day ("lu").

    Raises: RulesError when the rules are missing, damaged or contradict themselves.
    """
    if name == SUPPORTING_DATA:
        if folder is None:
            raise RulesError(name, None, "these rules are read from a folder of supporting data")
        return load_supporting_data(folder)
    if on is None:
        raise RulesError(name, None, "a calendar is that of a day")
    return load_calendar(name, on)

"""Sets of rules: their compiled form, and loaders for the CDC's supporting data and for a country's calendar."""

from esante.services.vaccination.forecast.rules.errors import RulesError
from esante.services.vaccination.forecast.rules.model import Rule, RuleSet
from esante.services.vaccination.forecast.rules.supporting_data import load_supporting_data

__all__ = ["Rule", "RuleSet", "RulesError", "load_supporting_data"]

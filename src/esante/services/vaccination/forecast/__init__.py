"""Evaluation of vaccine doses and forecast of the next ones, by rules that are data.

The logic is that of the CDC's Clinical Decision Support for Immunization (CDSi), Logic Specification 4.5. Pure: the
caller hands over the person, the doses and the day, and gets an advice whose every statement names its rule.
"""

from esante.services.vaccination.forecast.engine import advise
from esante.services.vaccination.forecast.model import (
    Advice,
    AntigenAdvice,
    Dose,
    DoseEvaluation,
    EvaluationStatus,
    GroupAdvice,
    Observation,
    Patient,
    Reason,
    SeriesStatus,
)
from esante.services.vaccination.forecast.rules import Rule, RulesError, RuleSet, load_rules

__all__ = [
    "Advice",
    "AntigenAdvice",
    "Dose",
    "DoseEvaluation",
    "EvaluationStatus",
    "GroupAdvice",
    "Observation",
    "Patient",
    "Reason",
    "Rule",
    "RuleSet",
    "RulesError",
    "SeriesStatus",
    "advise",
    "load_rules",
]

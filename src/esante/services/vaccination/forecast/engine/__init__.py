"""The engine: evaluates doses and forecasts the next ones for one person on one day, by any set of rules."""

from esante.services.vaccination.forecast.engine.advice import advise

__all__ = ["advise"]

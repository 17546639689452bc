"""The share of each act that the insurance bears, by dated rules."""

from esante.services.billing.adjudication.engine import adjudicate
from esante.services.billing.adjudication.rule_set import RuleSet, current_rules

__all__ = ["RuleSet", "adjudicate", "current_rules"]

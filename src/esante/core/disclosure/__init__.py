"""Statistical disclosure control that services share: the dated rule, the secret, the noise on counts of people."""

from esante.core.disclosure.key import StatisticsKey
from esante.core.disclosure.rule import DisclosureRule, noise, parse_rules, rule_on, rules_text

__all__ = ["DisclosureRule", "StatisticsKey", "noise", "parse_rules", "rule_on", "rules_text"]

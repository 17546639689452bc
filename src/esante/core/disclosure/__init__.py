"""Statistical disclosure control that services share: the dated rule, the secret, the noise on counts of people."""

from esante.core.disclosure.key import StatisticsKey
from esante.core.disclosure.rule import DisclosureRule, noise, parse_rules, rule_on, rules_text
from esante.core.disclosure.uncounted_store import fetch_uncounted, uncounted_row

__all__ = [
    "DisclosureRule",
    "StatisticsKey",
    "fetch_uncounted",
    "noise",
    "parse_rules",
    "rule_on",
    "rules_text",
    "uncounted_row",
]

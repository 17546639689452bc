"""The dated rule of statistical disclosure control, and the noise on counts of people."""

import tomllib
from datetime import date

import msgspec

from esante.core.dated_data import in_force, packaged_text
from esante.core.disclosure.key import StatisticsKey


class DisclosureRule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A dated rule of statistical disclosure control (a row `[[rule]]` of data/protection.toml)."""

    valid_from: date
    threshold: int
    """The minimum frequency: counts from 1 to one less are sensitive."""
    width: int
    """The least width of an intruder's feasibility interval for a sensitive cell."""
    noise: int
    """The largest absolute noise on counts of people."""
    dominance_share: float
    """A cell of which one establishment contributes a larger share is sensitive (dominance rule)."""
    dominance_width: float
    """The least width for a dominated cell, as a share of its value."""
    contributors: int
    """A cell with fewer establishments is sensitive."""
    legal_source: str
    verified: bool


def rules_text() -> str:
    """Return the text of the packaged rules (data/protection.toml)."""
    return packaged_text("esante.core.disclosure", "protection.toml")


def parse_rules(text: str) -> list[DisclosureRule]:
    """Return the rules of a text, oldest first. Raises: msgspec.ValidationError for a row that is not one."""
    rules = msgspec.convert(tomllib.loads(text)["rule"], list[DisclosureRule])
    return sorted(rules, key=lambda rule: rule.valid_from)


def rule_on(day: date) -> DisclosureRule:
    """Return the packaged rule in force on a day."""
    return in_force(parse_rules(rules_text()), day)


def noise(value: int, cell_key: int, rule: DisclosureRule, key: StatisticsKey) -> int:
    """Return the noise of a count: 0 for 0, else without bias within ± the rule's bound, or within ± the count."""
    bound = min(rule.noise, value)
    if bound <= 0:
        return 0
    weights = [1 << (rule.noise - abs(step)) for step in range(-bound, bound + 1)]
    left = key.uniform(cell_key) * sum(weights)
    for step, weight in zip(range(-bound, bound + 1), weights, strict=True):
        left -= weight
        if left < 0:
            return step
    return bound

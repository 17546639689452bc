"""How long what is kept of members is kept, by dated rules (data/retention.toml)."""

import tomllib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache

from esante.core.dated_data import packaged_text


@dataclass(frozen=True, slots=True, kw_only=True)
class RetentionRule:
    """For how many days something (events, alerts or cases) is kept, from a day on."""

    id: str
    what: str
    since: date
    days: int
    legal_source: str
    verified: bool


@cache
def retention_rules() -> Sequence[RetentionRule]:
    """Return the rules, the oldest first."""
    text = packaged_text("esante.services.soc", "retention.toml")
    return sorted((RetentionRule(**row) for row in tomllib.loads(text)["rule"]), key=lambda rule: rule.since)


def rule_on(what: str, day: date) -> RetentionRule:
    """Return the rule for something in force on a day; the first one for days before it."""
    rules = [one for one in retention_rules() if one.what == what]
    return next((rule for rule in reversed(rules) if rule.since <= day), rules[0])


def kept_for(what: str) -> Callable[[date], timedelta]:
    """Return how long something is kept by the rule in force on a day."""
    return lambda day: timedelta(days=rule_on(what, day).days)

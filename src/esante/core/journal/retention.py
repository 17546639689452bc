"""Retention of the contents of entries, by event type (`data/retention.toml`)."""

import tomllib
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from fnmatch import fnmatchcase
from functools import cache

from esante.core.dated_data import packaged_text


@dataclass(frozen=True, slots=True)
class RetentionPolicy:
    """How many years the contents of entries are kept whose event type fits `pattern` (as of `fnmatch`)."""

    pattern: str
    years: float
    valid_from: date


def retention_cutoff(type_: str, now: datetime) -> datetime:
    """Return the moment before which the contents of entries of an event type may be removed.

    The first policy in force whose pattern fits decides. Raises: LookupError when none fits.
    """
    for policy in _policies():
        if policy.valid_from <= now.date() and fnmatchcase(type_, policy.pattern):
            return now - timedelta(days=round(365.25 * policy.years))
    raise LookupError(f"no retention policy fits {type_}; add one to journal/data/retention.toml")


@cache
def _policies() -> tuple[RetentionPolicy, ...]:
    policies = tomllib.loads(packaged_text("esante.core.journal", "retention.toml"))["policy"]
    return tuple(RetentionPolicy(policy["type"], policy["years"], policy["valid_from"]) for policy in policies)

"""The dated terms of exports: how long files are kept, how many jobs a client may have (data/policy.toml)."""

import tomllib
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache
from importlib.resources import files


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """The terms in force from `valid_from` until the next period's."""

    valid_from: date
    legal_source: str
    verified: bool
    keep: timedelta
    running_jobs: int
    kept_jobs: int
    poll: timedelta


def load_policies(text: str) -> tuple[Policy, ...]:
    """The periods of a policy file, oldest first; raises ValueError or KeyError when something is missing."""
    periods = [
        Policy(
            valid_from=period["valid_from"],
            legal_source=period["legal_source"],
            verified=period["verified"],
            keep=timedelta(hours=period["keep_hours"]),
            running_jobs=period["running_jobs"],
            kept_jobs=period["kept_jobs"],
            poll=timedelta(seconds=period["poll_seconds"]),
        )
        for period in tomllib.loads(text)["period"]
    ]
    if not periods:
        raise ValueError("policy: there is no period")
    return tuple(sorted(periods, key=lambda period: period.valid_from))


@cache
def _policies() -> tuple[Policy, ...]:
    return load_policies((files("esante.services.export") / "data" / "policy.toml").read_text(encoding="utf-8"))


def policy(on: date) -> Policy:
    """The terms in force on a day; before the first period, the first."""
    begun = [period for period in _policies() if period.valid_from <= on]
    return begun[-1] if begun else _policies()[0]

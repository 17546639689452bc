"""The dated data that the decision rests on: the access matrix and the terms of access.

`data/matrix.csv` says which profession (or kind of organisation) may read and write which category of
documents, `data/policy.toml` how long and how far each grant reaches. Both carry their legal source and
whether it was verified. A line of the matrix that is missing means: no.
"""

import csv
import tomllib
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache, lru_cache
from importlib.resources import files
from io import StringIO
from typing import Any

from esante.identity.access.model import Confidentiality, GrantKind


@dataclass(frozen=True, slots=True, kw_only=True)
class Right:
    """A line of the matrix: from `valid_from` to `valid_to` (exclusive; None: still)."""

    profession: str
    category: str
    read: bool
    write: bool
    valid_from: date
    valid_to: date | None
    legal_source: str
    verified: bool

    def holds(self, on: date) -> bool:
        """Whether the line is in force on a day."""
        return self.valid_from <= on and (self.valid_to is None or on < self.valid_to)


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """The terms of access in force from `valid_from` until the next period's."""

    valid_from: date
    legal_source: str
    verified: bool
    objection_days: int
    code_length: int
    code_alphabet: str
    code_default: timedelta
    code_min: timedelta
    code_max: timedelta
    code_redeem: timedelta
    attempt_window: timedelta
    attempts_per_requester: int
    attempts_per_origin: int
    stay_after: timedelta
    stay_kinds: frozenset[str]
    emergency: timedelta
    min_reason: int
    max_reason: int
    read_after_death: timedelta
    write_after_death: timedelta
    searches_per_requester: int
    searches_per_organization: int
    app_token: timedelta
    app_code: timedelta
    app_launch: timedelta
    app_allowed: timedelta
    reach: dict[GrantKind, frozenset[Confidentiality]]
    """How confidential a document each kind of grant reaches, in the order in which grants are preferred."""


def load_matrix(text: str) -> tuple[Right, ...]:
    """The lines of a matrix file; raises ValueError that names the line which is wrong or repeats another."""
    rights: list[Right] = []
    for number, row in enumerate(csv.DictReader(StringIO(text)), 2):
        try:
            rights.append(_right(row))
        except (KeyError, ValueError, TypeError) as error:
            raise ValueError(f"matrix, line {number}: {error}") from error
        if any(_overlap(rights[-1], other) for other in rights[:-1]):
            raise ValueError(f"matrix, line {number}: a line before it speaks of the same time")
    return tuple(rights)


def load_policies(text: str) -> tuple[Policy, ...]:
    """The periods of a policy file, oldest first; raises ValueError or KeyError when something is missing."""
    periods = sorted((_policy(period) for period in tomllib.loads(text)["period"]), key=lambda p: p.valid_from)
    if not periods:
        raise ValueError("policy: there is no period")
    return tuple(periods)


@cache
def matrix() -> tuple[Right, ...]:
    """The matrix of the platform."""
    return load_matrix(_data("matrix.csv"))


@lru_cache(maxsize=64)
def rights(on: date) -> dict[tuple[str, str], Right]:
    """The lines in force on a day, by profession and category."""
    return {(right.profession, right.category): right for right in matrix() if right.holds(on)}


@lru_cache(maxsize=64)
def policy(on: date) -> Policy:
    """The terms in force on a day; before the first period, the first."""
    return max(
        (period for period in _policies() if period.valid_from <= on),
        key=lambda period: period.valid_from,
        default=_policies()[0],
    )


@cache
def _policies() -> tuple[Policy, ...]:
    return load_policies(_data("policy.toml"))


def _data(name: str) -> str:
    return (files("esante.identity.access") / "data" / name).read_text(encoding="utf-8")


_YES_NO = {"yes": True, "no": False, "true": True, "false": False}


def _right(row: dict[str, str]) -> Right:
    return Right(
        profession=_filled(row["profession"]),
        category=_filled(row["category"]),
        read=_YES_NO[row["read"]],
        write=_YES_NO[row["write"]],
        valid_from=date.fromisoformat(row["valid_from"]),
        valid_to=date.fromisoformat(row["valid_to"]) if row["valid_to"] else None,
        legal_source=_filled(row["legal_source"]),
        verified=_YES_NO[row["verified"]],
    )


def _filled(value: str) -> str:
    if not value.strip():
        raise ValueError("a field is empty")
    return value.strip()


def _overlap(one: Right, other: Right) -> bool:
    return (
        (one.profession, one.category) == (other.profession, other.category)
        and (one.valid_to is None or other.valid_from < one.valid_to)
        and (other.valid_to is None or one.valid_from < other.valid_to)
    )


def _policy(period: dict[str, Any]) -> Policy:
    code, attempts, emergency, death, apps = (
        period[part] for part in ("presence_code", "attempts", "emergency", "after_death", "apps")
    )
    return Policy(
        valid_from=period["valid_from"],
        legal_source=period["legal_source"],
        verified=period["verified"],
        objection_days=period["opening"]["objection_days"],
        code_length=code["length"],
        code_alphabet=code["alphabet"],
        code_default=timedelta(hours=code["default_hours"]),
        code_min=timedelta(hours=code["min_hours"]),
        code_max=timedelta(hours=code["max_hours"]),
        code_redeem=timedelta(hours=code["redeem_hours"]),
        attempt_window=timedelta(minutes=attempts["window_minutes"]),
        attempts_per_requester=attempts["per_requester"],
        attempts_per_origin=attempts["per_origin"],
        stay_after=timedelta(days=period["stay"]["days_after_discharge"]),
        stay_kinds=frozenset(period["stay"]["kinds"]),
        emergency=timedelta(hours=emergency["hours"]),
        min_reason=emergency["min_reason"],
        max_reason=emergency["max_reason"],
        read_after_death=timedelta(days=death["read_days"]),
        write_after_death=timedelta(days=death["write_days"]),
        searches_per_requester=period["person_searches"]["per_requester"],
        searches_per_organization=period["person_searches"]["per_organization"],
        app_token=timedelta(minutes=apps["token_minutes"]),
        app_code=timedelta(seconds=apps["code_seconds"]),
        app_launch=timedelta(minutes=apps["launch_minutes"]),
        app_allowed=timedelta(days=apps["allowed_days"]),
        reach={GrantKind(grant["kind"]): _levels(grant) for grant in period["grant"]},
    )


def _levels(grant: dict[str, Any]) -> frozenset[Confidentiality]:
    return frozenset(Confidentiality(level) for level in grant["confidentiality"])

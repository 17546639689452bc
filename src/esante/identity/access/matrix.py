"""The dated rules of the access decision: the access matrix and the terms of access.

`data/matrix.csv`: which profession (or kind of organisation) may read and write which category of documents; what has
no line is denied. `data/policy.toml`: how long each kind of grant lasts, and which confidentiality it covers. Every
line and period has its legal source and whether it was verified.
"""

import csv
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache, lru_cache
from io import StringIO

from esante.core.dated_data import in_force, packaged_text, parse_periods
from esante.core.types import Json
from esante.identity.access.model import Confidentiality, GrantKind

_PACKAGE = "esante.identity.access"


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

    def is_in_force(self, on: date) -> bool:
        """Return whether the line is in force on a day."""
        return self.valid_from <= on and (self.valid_to is None or on < self.valid_to)


@dataclass(frozen=True, slots=True, kw_only=True)
class AdmissionLimits:
    """How many new admissions an organisation may report, by the number of professionals who work there."""

    per_hour: int
    per_hour_and_professional: float
    per_day: int
    per_day_and_professional: float
    alarm_share: float

    def most_per_hour(self, professionals: int) -> int:
        """Return the most admissions in an hour."""
        return int(self.per_hour + self.per_hour_and_professional * professionals)

    def most_per_day(self, professionals: int) -> int:
        """Return the most admissions in a day."""
        return int(self.per_day + self.per_day_and_professional * professionals)


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """The terms of access in force from `valid_from` until the next period begins."""

    valid_from: date
    legal_source: str
    verified: bool
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
    unproved_stays_read: bool
    """Whether a stay gives access before the person's presence is proved."""
    admissions: AdmissionLimits
    emergency: timedelta
    min_reason: int
    max_reason: int
    searches_per_requester: int
    searches_per_organization: int
    unknown_per_requester: int
    unknown_per_organization: int
    proofs_per_requester: int
    app_token: timedelta
    app_code: timedelta
    app_launch: timedelta
    app_allowed: timedelta
    reach: dict[GrantKind, frozenset[Confidentiality]]
    """The levels of confidentiality that each kind of grant covers, in the order in which grants are preferred."""


def parse_matrix(text: str) -> tuple[Right, ...]:
    """Return the lines of a matrix file (CSV).

    Raises: ValueError with the number of the line that is wrong, or that overlaps with an earlier one.
    """
    rights: list[Right] = []
    for number, row in enumerate(csv.DictReader(StringIO(text)), 2):
        try:
            rights.append(_parse_right(row))
        except (KeyError, ValueError, TypeError) as error:
            raise ValueError(f"matrix, line {number}: {error}") from error
        if any(_overlap(rights[-1], other) for other in rights[:-1]):
            raise ValueError(
                f"matrix, line {number}: the period overlaps with an earlier line of this profession and category"
            )
    return tuple(rights)


def parse_policies(text: str) -> tuple[Policy, ...]:
    """Return the periods of a policy file (TOML), oldest first.

    Raises: ValueError when there is no period, KeyError when a field is missing.
    """
    return parse_periods(text, _parse_policy)


@cache
def matrix() -> tuple[Right, ...]:
    """Return the access matrix that is packaged with the program."""
    return parse_matrix(packaged_text(_PACKAGE, "matrix.csv"))


@lru_cache(maxsize=64)
def rights(on: date) -> dict[tuple[str, str], Right]:
    """Return the lines in force on a day, by profession and category."""
    return {(right.profession, right.category): right for right in matrix() if right.is_in_force(on)}


@lru_cache(maxsize=64)
def policy(on: date) -> Policy:
    """Return the terms in force on a day; before the first period, the first."""
    return in_force(_policies(), on)


@cache
def _policies() -> tuple[Policy, ...]:
    return parse_policies(packaged_text(_PACKAGE, "policy.toml"))


_YES_NO = {"yes": True, "no": False, "true": True, "false": False}


def _parse_right(row: dict[str, str]) -> Right:
    return Right(
        profession=_required(row["profession"]),
        category=_required(row["category"]),
        read=_YES_NO[row["read"]],
        write=_YES_NO[row["write"]],
        valid_from=date.fromisoformat(row["valid_from"]),
        valid_to=date.fromisoformat(row["valid_to"]) if row["valid_to"] else None,
        legal_source=_required(row["legal_source"]),
        verified=_YES_NO[row["verified"]],
    )


def _required(value: str) -> str:
    if not value.strip():
        raise ValueError("a field is empty")
    return value.strip()


def _overlap(one: Right, other: Right) -> bool:
    return (
        (one.profession, one.category) == (other.profession, other.category)
        and (one.valid_to is None or other.valid_from < one.valid_to)
        and (other.valid_to is None or one.valid_from < other.valid_to)
    )


def _parse_policy(period: Json) -> Policy:
    code, attempts, emergency, apps = (period[part] for part in ("presence_code", "attempts", "emergency", "apps"))
    return Policy(
        valid_from=period["valid_from"],
        legal_source=period["legal_source"],
        verified=period["verified"],
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
        unproved_stays_read={"reads": True, "nothing": False}[period["stay"]["unproved"]],
        admissions=AdmissionLimits(**period["admissions"]),
        emergency=timedelta(hours=emergency["hours"]),
        min_reason=emergency["min_reason"],
        max_reason=emergency["max_reason"],
        searches_per_requester=period["person_searches"]["per_requester"],
        proofs_per_requester=period["proofs"]["per_requester"],
        searches_per_organization=period["person_searches"]["per_organization"],
        unknown_per_requester=period["person_searches"]["unknown_per_requester"],
        unknown_per_organization=period["person_searches"]["unknown_per_organization"],
        app_token=timedelta(minutes=apps["token_minutes"]),
        app_code=timedelta(seconds=apps["code_seconds"]),
        app_launch=timedelta(minutes=apps["launch_minutes"]),
        app_allowed=timedelta(days=apps["allowed_days"]),
        reach={GrantKind(grant["kind"]): _levels(grant) for grant in period["grant"]},
    )


def _levels(grant: Json) -> frozenset[Confidentiality]:
    return frozenset(Confidentiality(level) for level in grant["confidentiality"])

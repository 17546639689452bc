"""Retention of the contents of entries, by event type (`data/retention.toml`), and the signed note of its end.

The note is made with the journal's key: an entry that says so without it, written by SQL, ends nothing.
"""

import base64
import hashlib
import tomllib
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from fnmatch import fnmatchcase
from functools import cache

from esante.core.dated_data import packaged_text
from esante.core.journal.model import Expired
from esante.core.journal.signed_note import NoteVerifier
from esante.core.time_zone import day_of

PERMANENT = "journal.*"
"""Event types (as of `fnmatch`) whose contents are kept for ever: what the journal says about itself, of no person."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RetentionPolicy:
    """How long the contents of entries are kept whose event type fits `pattern` (as of `fnmatch`).

    `of_person`: of the entries that are filed under a person, or else of the others. For `years`, and with `with_data`
    also as long as the data exist that the entry concerns.
    """

    pattern: str
    of_person: bool
    years: float
    with_data: bool
    valid_from: date

    @property
    def days(self) -> int:
        """How many days the contents are kept at least."""
        return round(365.25 * self.years)


def retention_policy(type_: str, now: datetime, *, of_person: bool) -> RetentionPolicy:
    """Return the first policy in force whose pattern fits an event type. Raises: LookupError when none fits."""
    for policy in _policies():
        if policy.of_person is of_person and policy.valid_from <= day_of(now) and fnmatchcase(type_, policy.pattern):
            return policy
    raise LookupError(f"no retention policy fits {type_}; add one to journal/data/retention.toml")


def retention_cutoff(type_: str, now: datetime, *, of_person: bool) -> datetime:
    """Return the moment before which the contents of entries of an event type may be removed, if their data is gone.

    Raises: LookupError when no policy fits.
    """
    return now - timedelta(days=retention_policy(type_, now, of_person=of_person).days)


def is_permanent(type_: str) -> bool:
    """Return whether the contents of entries of an event type are kept for ever."""
    return fnmatchcase(type_, PERMANENT)


def expiry_lines(origin: str, event: Expired, at: datetime, days: int) -> tuple[str, ...]:
    """Return the lines of the note that signs an end of retention; `days`: for how long the contents were kept."""
    text = ",".join(f"{first}-{last}" for first, last in event.ranges)
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    return (
        f"{origin}/expired",
        event.type,
        f"before {event.before.isoformat()}",
        f"kept {days} days",
        f"leaves {digest}",
        f"signed {at.isoformat()}",
    )


@dataclass(frozen=True, slots=True)
class SignedExpiry:
    """An end of retention that counts: its event, when it was recorded, and the days for which it kept contents."""

    event: Expired
    at: datetime
    days: int


def verify_expiry(event: Expired, verifier: NoteVerifier, origin: str) -> SignedExpiry:
    """Return the end of retention that the note of an event signs. Raises: ValueError saying what is wrong with it."""
    try:
        lines = verifier.verify_note(event.note)
        at = datetime.fromisoformat(lines[-1].removeprefix("signed "))
        days = int(lines[3].removeprefix("kept ").removesuffix(" days"))
    except (ValueError, IndexError) as error:
        raise ValueError(f"its note is not signed: {error}") from error
    if lines != list(expiry_lines(origin, event, at, days)):
        raise ValueError("its note signs something else")
    return require_age(event, at, days)


def require_age(event: Expired, at: datetime, days: int | None = None) -> SignedExpiry:
    """Return an end of retention of contents that were so many days old at a moment (None: how many they were).

    Raises: ValueError where they were not, or are kept for ever.
    """
    if is_permanent(event.type):
        raise ValueError(f"the contents of {event.type} are kept for ever")
    if event.before > at - timedelta(days=days or 0):
        raise ValueError(f"the retention of {event.type} was not over")
    return SignedExpiry(event, at, (at - event.before).days if days is None else days)


def is_kept_long_enough(expiry: SignedExpiry, type_: str, *, of_person: bool) -> bool:
    """Return whether an end of retention kept contents for the years of the policy that was in force then."""
    return expiry.days >= retention_policy(type_, expiry.at, of_person=of_person).days


@cache
def _policies() -> tuple[RetentionPolicy, ...]:
    policies = tomllib.loads(packaged_text("esante.core.journal", "retention.toml"))["policy"]
    return tuple(
        RetentionPolicy(
            pattern=policy["type"],
            of_person={"person": True, "platform": False}[policy["filed"]],
            years=policy["years"],
            with_data=policy["with_data"],
            valid_from=policy["valid_from"],
        )
        for policy in policies
    )

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

PERMANENT = "journal.*"
"""Event types (as of `fnmatch`) whose contents are kept for ever: what the journal says about itself, of no person."""


@dataclass(frozen=True, slots=True)
class RetentionPolicy:
    """How many years the contents of entries are kept whose event type fits `pattern` (as of `fnmatch`)."""

    pattern: str
    years: float
    valid_from: date

    @property
    def days(self) -> int:
        """How many days the contents are kept."""
        return round(365.25 * self.years)


def retention_policy(type_: str, now: datetime) -> RetentionPolicy:
    """Return the first policy in force whose pattern fits an event type. Raises: LookupError when none fits."""
    for policy in _policies():
        if policy.valid_from <= now.date() and fnmatchcase(type_, policy.pattern):
            return policy
    raise LookupError(f"no retention policy fits {type_}; add one to journal/data/retention.toml")


def retention_cutoff(type_: str, now: datetime) -> datetime:
    """Return the moment before which the contents of entries of an event type may be removed.

    Raises: LookupError when no policy fits.
    """
    return now - timedelta(days=retention_policy(type_, now).days)


def is_permanent(type_: str) -> bool:
    """Return whether the contents of entries of an event type are kept for ever."""
    return fnmatchcase(type_, PERMANENT)


def expiry_lines(origin: str, event: Expired, at: datetime, days: int | None = None) -> tuple[str, ...]:
    """Return the lines of the note that signs an end of retention.

    `days`: for how long the contents were kept, by default what the policy in force at the moment `at` asks for.
    """
    text = ",".join(f"{first}-{last}" for first, last in event.ranges)
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    return (
        f"{origin}/expired",
        event.type,
        f"before {event.before.isoformat()}",
        f"kept {retention_policy(event.type, at).days if days is None else days} days",
        f"leaves {digest}",
        f"signed {at.isoformat()}",
    )


def expiry_fault(event: Expired, verifier: NoteVerifier, origin: str) -> str:
    """Return why the note of an `Expired` event does not end a retention, or an empty text when it does."""
    try:
        lines = verifier.verify_note(event.note)
        at = datetime.fromisoformat(lines[-1].removeprefix("signed "))
        days = int(lines[3].removeprefix("kept ").removesuffix(" days"))
    except (ValueError, IndexError) as error:
        return f"its note is not signed: {error}"
    if lines != list(expiry_lines(origin, event, at, days)):
        return "its note signs something else"
    return age_fault(event, at)


def age_fault(event: Expired, at: datetime) -> str:
    """Return why the retention of the contents was not over at a moment, or an empty text when it was."""
    if is_permanent(event.type):
        return f"the contents of {event.type} are kept for ever"
    if event.before > retention_cutoff(event.type, at):
        return f"the retention of {event.type} was not over"
    return ""


@cache
def _policies() -> tuple[RetentionPolicy, ...]:
    policies = tomllib.loads(packaged_text("esante.core.journal", "retention.toml"))["policy"]
    return tuple(RetentionPolicy(policy["type"], policy["years"], policy["valid_from"]) for policy in policies)

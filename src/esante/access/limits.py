"""Limits on guessing: attempts are counted in the database, so that all processes count together."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from esante.access import store
from esante.storage import Database
from esante.web import N_, Problem

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


async def count_attempt(db: Database, limits: Mapping[str, int], window: timedelta) -> None:
    """Count one attempt of each subject in `limits`; Problem 429 when one passes its limit in this window."""
    now = datetime.now(UTC)
    start = now - (now - _EPOCH) % window
    counts = await store.count_attempts(db, list(limits), start)
    if any(count > limit for count, limit in zip(counts, limits.values(), strict=True)):
        wait = int((start + window - now).total_seconds()) + 1
        raise Problem(
            429,
            "throttled",
            N_("Too many attempts."),
            remedy=N_("Please wait a few minutes, then try again."),
            headers={"Retry-After": str(wait)},
        )

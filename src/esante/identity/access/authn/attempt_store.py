"""The SQL of counted attempts."""

from collections.abc import Sequence
from datetime import datetime

from esante.core.storage import Database, Kind, Table

ATTEMPT = Table(
    "access_attempt", Kind.LOCAL, {"subject": "text", "window_start": "timestamptz", "attempts": "integer"}
)


async def fetch_attempts(db: Database, subject: str, window_start: datetime) -> int:
    """Return how many attempts a subject has made in a window."""
    count: int | None = await db.fetchval(
        "SELECT attempts FROM access_attempt WHERE subject = $1 AND window_start = $2", subject, window_start
    )
    return count or 0


async def count_attempts(db: Database, subjects: Sequence[str], window_start: datetime) -> list[int]:
    """Count one more attempt of each of `subjects` in a window; return the counts in the order of `subjects`."""
    rows = await db.fetch(
        f"{ATTEMPT.insert_sql()} ON CONFLICT (subject, window_start)"
        " DO UPDATE SET attempts = access_attempt.attempts + 1 RETURNING subject, attempts",
        sorted(subjects),
        [window_start] * len(subjects),
        [1] * len(subjects),
    )
    counts = {row["subject"]: row["attempts"] for row in rows}
    return [counts[subject] for subject in subjects]

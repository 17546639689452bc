"""SQL of trials of new calendars: jobs with their progress and result."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from esante.core.storage import Connection, Database, Kind, Table

TRIAL = Table(
    "vaccination_calendar_trial",
    Kind.LOCAL,
    {
        "trial_id": "uuid",
        "texts": "text",
        "name": "text",
        "asked_at": "timestamptz",
        "asked_by": "text",
        "total": "integer",
    },
)
_COLUMNS = "trial_id, texts, name, asked_at, asked_by, total, done, after, ended_at, error, result"


@dataclass(frozen=True, slots=True)
class Trial:
    """A trial of a calendar (`texts`: its files, JSON) on `total` persons, of whom `done` are worked out.

    `after`: the last of them; `result`: exact counts (JSON), of which only protected ones are shown.
    """

    id: UUID
    texts: str
    name: str
    asked_at: datetime
    asked_by: str
    total: int
    done: int
    after: UUID | None
    ended_at: datetime | None
    error: str
    result: str


async def fetch_trials(db: Database, before: UUID | None, limit: int) -> list[Trial]:
    """Return trials, the newest first."""
    rows = await db.fetch(
        f"SELECT {_COLUMNS} FROM vaccination_calendar_trial WHERE ($1::uuid IS NULL OR trial_id < $1)"  # noqa: S608 - a constant
        " ORDER BY trial_id DESC LIMIT $2",
        before,
        limit,
    )
    return [Trial(*row) for row in rows]


async def take(db: Database, now: datetime, until: datetime) -> Trial | None:
    """Return the oldest trial that has not ended, taken for a time; None when there is none."""
    async with db.transaction() as conn:
        row = await conn.fetchrow(
            "UPDATE vaccination_calendar_trial SET taken_until = $2 WHERE trial_id = (SELECT trial_id"  # noqa: S608 - a constant
            " FROM vaccination_calendar_trial WHERE ended_at IS NULL AND (taken_until IS NULL OR taken_until <= $1)"
            f" ORDER BY trial_id LIMIT 1 FOR UPDATE SKIP LOCKED) RETURNING {_COLUMNS}",
            now,
            until,
        )
    return Trial(*row) if row else None


async def advance(db: Database, trial: Trial, done: int, after: UUID | None, result: str) -> None:
    """Keep the progress of a trial and let it be taken again; `after` None: it has ended."""
    async with db.transaction() as conn:
        await conn.execute(
            "UPDATE vaccination_calendar_trial SET done = $2, after = $3, result = $4, taken_until = NULL,"
            " ended_at = CASE WHEN $3::uuid IS NULL THEN now() END WHERE trial_id = $1 AND done = $5",
            trial.id,
            done,
            after,
            result,
            trial.done,
        )


async def fail(db: Database, trial: Trial, error: str) -> None:
    """Let a trial end without a result."""
    async with db.transaction() as conn:
        await conn.execute(
            "UPDATE vaccination_calendar_trial SET ended_at = now(), error = $2, taken_until = NULL"
            " WHERE trial_id = $1",
            trial.id,
            error,
        )


async def count_open(conn: Connection) -> int:
    """Return how many trials have not ended."""
    return int(await conn.fetchval("SELECT count(*) FROM vaccination_calendar_trial WHERE ended_at IS NULL"))

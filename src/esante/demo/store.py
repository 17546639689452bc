"""SQL of the demo: the finished steps of loading."""

from datetime import date
from typing import Any

import orjson

from esante.core.storage import Database, Kind, Row, Table

STEP = Table("demo_step", Kind.LOCAL, {"step": "text", "detail": "jsonb"})


def step_row(step: str, **detail: Any) -> Row:
    """Return the row that records a step as finished."""
    return STEP, (step, orjson.dumps(detail).decode())


async def fetch_done_steps(db: Database) -> set[str]:
    """Return the names of the finished steps."""
    return {row["step"] for row in await db.fetch("SELECT step FROM demo_step")}


async def find_world(db: Database) -> tuple[int, int, date] | None:
    """Return seed, number of persons and day of the country in the database; None when there is none."""
    detail = await db.fetchval("SELECT detail FROM demo_step WHERE step = 'world'")
    if detail is None:
        return None
    stored = orjson.loads(detail)
    return stored["seed"], stored["persons"], date.fromisoformat(stored["day"])


async def holds_persons(db: Database) -> bool:
    """Return whether the directory has anybody in it: persons or professionals."""
    return bool(
        await db.fetchval("SELECT EXISTS (SELECT FROM person) OR EXISTS (SELECT FROM practitioner)")  # of `directory`
    )

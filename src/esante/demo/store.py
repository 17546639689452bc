"""All SQL of the demo: which steps of loading are done."""

from datetime import date
from typing import Any

import orjson

from esante.core.storage import Database, Kind, Row, Table

STEP = Table("demo_step", Kind.LOCAL, {"step": "text", "detail": "jsonb"})


def step_row(step: str, **detail: Any) -> Row:
    """The row that notes a step as done."""
    return STEP, (step, orjson.dumps(detail).decode())


async def steps(db: Database) -> set[str]:
    """The steps that are done."""
    return {row["step"] for row in await db.fetch("SELECT step FROM demo_step")}


async def country(db: Database) -> tuple[int, int, date] | None:
    """Seed, number of persons and day of the country in the database; None when there is none."""
    detail = await db.fetchval("SELECT detail FROM demo_step WHERE step = 'world'")
    if detail is None:
        return None
    found = orjson.loads(detail)
    return found["seed"], found["persons"], date.fromisoformat(found["day"])

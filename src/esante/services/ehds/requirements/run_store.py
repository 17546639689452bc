"""The SQL of recorded test runs."""

import orjson

from esante.core.storage import Database, Kind, Row, Table
from esante.services.ehds.requirements.model import KeptRun, Outcome, TestRun

RUN = Table(
    "ehds_test_run",
    Kind.LOCAL,
    {
        "run_id": "uuid",
        "ran_at": "timestamptz",
        "revision": "text",
        "outcomes": "bytea",
        "recorded_at": "timestamptz",
        "recorded_by": "text",
    },
)


def run_row(kept: KeptRun) -> Row:
    """Return the row of a run."""
    run = kept.run
    outcomes = orjson.dumps(dict(run.outcomes))
    return RUN, (kept.run_id, run.ran_at, run.revision, outcomes, kept.recorded_at, kept.recorded_by)


async def fetch_latest(db: Database) -> KeptRun | None:
    """Return the run that was recorded last."""
    rows = await db.fetch("SELECT * FROM ehds_test_run ORDER BY recorded_at DESC, run_id DESC LIMIT 1")
    if not rows:
        return None
    row = rows[0]
    outcomes = {test: Outcome(value) for test, value in orjson.loads(row["outcomes"]).items()}
    run = TestRun(row["ran_at"], row["revision"], outcomes)
    return KeptRun(row["run_id"], run, row["recorded_at"], row["recorded_by"])

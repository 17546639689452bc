"""The SQL of the questions about statements: whether somebody answered, and when they are asked again."""

from datetime import date
from uuid import UUID

from esante.core.storage import Connection, Database, Kind, Table

QUESTION = Table(
    "statement_question",
    Kind.PERSON,
    {"person_id": "uuid", "kind": "text", "ask_on": "date"},
)


async def find_ask_on(db: Database, person_id: UUID, kind: str) -> date | None:
    """Return from which day on a person is asked again, `date.max` where they answered; None: never asked."""
    day: date | None = await db.fetchval(
        "SELECT ask_on FROM statement_question WHERE person_id = $1 AND kind = $2", person_id, kind
    )
    return day


async def set_ask_on(conn: Connection, person_id: UUID, kind: str, ask_on: date) -> None:
    """Write from which day on a person is asked again."""
    await conn.execute(
        "INSERT INTO statement_question (person_id, kind, ask_on) VALUES ($1, $2, $3)"
        " ON CONFLICT (person_id, kind) DO UPDATE SET ask_on = excluded.ask_on",
        person_id,
        kind,
        ask_on,
    )

"""The SQL of oppositions."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import asyncpg

from esante.core.storage import Connection, Database, Kind, Row, Table
from esante.identity.access.model import Against, Opposition

OPPOSITION = Table(
    "access_opposition",
    Kind.PERSON,
    {
        "person_id": "uuid",
        "opposition_id": "uuid",
        "against": "text",
        "depositor_id": "uuid",
        "depositor_kind": "text",
        "depositor": "text",
        "document_class": "text",
        "care_from": "date",
        "care_until": "date",
        "series_id": "uuid",
        "on_word": "boolean",
        "recorder": "text",
        "recorded_at": "timestamptz",
    },
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedOpposition:
    """An opposition with who recorded it, when; `on_word`: a professional, of what the person said."""

    opposition: Opposition
    depositor_kind: str
    on_word: bool
    recorder: str
    recorded_at: datetime


def opposition_row(person_id: UUID, recorded: RecordedOpposition) -> Row:
    """Return the row of a new opposition."""
    one = recorded.opposition
    return OPPOSITION, (
        person_id,
        one.id,
        one.against.value,
        one.depositor_id,
        recorded.depositor_kind,
        one.depositor,
        one.document_class,
        one.care_from,
        one.care_until,
        one.series_id,
        recorded.on_word,
        recorded.recorder,
        recorded.recorded_at,
    )


async def fetch_oppositions(
    db: Database | Connection, person_id: UUID, against: Sequence[Against] = tuple(Against)
) -> list[RecordedOpposition]:
    """Return a person's oppositions that were not lifted, newest first."""
    rows = await db.fetch(
        "SELECT * FROM access_opposition WHERE person_id = $1 AND ended_at IS NULL AND against = ANY($2)"
        " ORDER BY opposition_id DESC",
        person_id,
        [one.value for one in against],
    )
    return [_recorded(row) for row in rows]


async def end_opposition(
    conn: Connection, person_id: UUID, opposition_id: UUID, at: datetime
) -> RecordedOpposition | None:
    """Write that an opposition was lifted, and return it; None when there is no such one."""
    row = await conn.fetchrow(
        "UPDATE access_opposition SET ended_at = $3 WHERE person_id = $1 AND opposition_id = $2 AND ended_at IS NULL"
        " RETURNING *",
        person_id,
        opposition_id,
        at,
    )
    return _recorded(row) if row else None


def _recorded(row: asyncpg.Record) -> RecordedOpposition:
    return RecordedOpposition(
        opposition=Opposition(
            id=row["opposition_id"],
            against=Against(row["against"]),
            depositor_id=row["depositor_id"],
            depositor=row["depositor"],
            document_class=row["document_class"],
            care_from=row["care_from"],
            care_until=row["care_until"],
            series_id=row["series_id"],
        ),
        depositor_kind=row["depositor_kind"],
        on_word=row["on_word"],
        recorder=row["recorder"],
        recorded_at=row["recorded_at"],
    )

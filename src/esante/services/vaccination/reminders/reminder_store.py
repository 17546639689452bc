"""SQL of reminders: who is to be reminded, of what they were, and who wants none."""

from collections.abc import Sequence
from datetime import date, datetime
from uuid import UUID

from esante.core.storage import Connection, Database, Kind, Row, Table
from esante.services.vaccination.reminders.model import Standing

REMINDER = Table(
    "vaccination_reminder",
    Kind.PERSON,
    {
        "person_id": "uuid",
        "antigen": "text",
        "dose_number": "integer",
        "due_on": "date",
        "reminded_at": "timestamptz",
    },
)
REFUSAL = Table("vaccination_reminder_refusal", Kind.PERSON, {"person_id": "uuid", "since": "timestamptz"})
_DUE = (
    " FROM vaccination_standing s JOIN vaccination_forecast f USING (person_id)"
    " WHERE s.due_on <= $1 AND s.basis = 'all' AND f.reachable AND f.refresh_on <> '-infinity'"
    " AND NOT EXISTS (SELECT FROM vaccination_reminder_refusal n WHERE n.person_id = s.person_id)"
    " AND NOT EXISTS (SELECT FROM vaccination_reminder r WHERE r.person_id = s.person_id AND r.antigen = s.antigen"
    " AND r.dose_number = s.dose_number AND r.due_on > s.due_on - $2::integer)"
)


def reminder_row(person_id: UUID, standing: Standing, at: datetime) -> Row:
    """Return the row of a dose of which a person is reminded."""
    return REMINDER, (person_id, standing.antigen, standing.dose_number, standing.due_on, at)


async def find_persons(db: Database, until: date, same_dose_days: int, limit: int) -> list[UUID]:
    """Return persons who are to be reminded of doses that are due up to a day.

    `same_dose_days`: a dose with the number of one of which they were reminded, due so much later, is another dose.
    """
    rows = await db.fetch(
        f"SELECT DISTINCT s.person_id {_DUE} ORDER BY s.person_id LIMIT $3",
        until,
        same_dose_days,
        limit,
    )
    return [row[0] for row in rows]


async def lock_due(
    conn: Connection, person_ids: Sequence[UUID], until: date, same_dose_days: int
) -> dict[UUID, list[Standing]]:
    """Return of what persons are to be reminded; they are locked, so that two processes do not remind them twice."""
    await conn.fetch(
        "SELECT FROM vaccination_forecast WHERE person_id = ANY ($1::uuid[]) ORDER BY person_id FOR UPDATE",
        list(person_ids),
    )
    rows = await conn.fetch(
        "SELECT s.person_id, s.antigen, s.given, s.valid, s.complete, s.due_on, s.overdue_on, s.dose_number"
        f"{_DUE} AND s.person_id = ANY ($3::uuid[]) ORDER BY s.antigen",
        until,
        same_dose_days,
        list(person_ids),
    )
    found: dict[UUID, list[Standing]] = {}
    for row in rows:
        found.setdefault(row["person_id"], []).append(Standing(*row[1:]))
    return found


async def settle(conn: Connection, person_ids: Sequence[UUID], until: date, at: datetime) -> list[UUID]:
    """Note which reminders are of doses that are not due any more up to a day; return whose were the last."""
    rows = await conn.fetch(
        "UPDATE vaccination_reminder r SET settled_at = $2 WHERE r.person_id = ANY ($1::uuid[])"
        " AND r.settled_at IS NULL AND NOT EXISTS (SELECT FROM vaccination_standing s WHERE s.person_id = r.person_id"
        " AND s.basis = 'all' AND s.antigen = r.antigen AND s.dose_number = r.dose_number AND s.due_on <= $3)"
        " RETURNING r.person_id",
        list(person_ids),
        at,
        until,
    )
    settled = {row[0] for row in rows}
    if not settled:
        return []
    rows = await conn.fetch(
        "SELECT person_id FROM vaccination_reminder WHERE person_id = ANY ($1::uuid[]) AND settled_at IS NULL",
        list(settled),
    )
    return sorted(settled - {row[0] for row in rows}, key=lambda key: key.bytes)


async def is_wanted(db: Database | Connection, person_id: UUID) -> bool:
    """Return whether a person wants to be reminded."""
    sql = "SELECT NOT EXISTS (SELECT FROM vaccination_reminder_refusal WHERE person_id = $1)"
    return bool(await db.fetchval(sql, person_id))


async def set_wanted(conn: Connection, person_id: UUID, at: datetime, *, wanted: bool) -> bool:
    """Set whether a person wants to be reminded; return whether that is a change."""
    if wanted:
        status = await conn.execute("DELETE FROM vaccination_reminder_refusal WHERE person_id = $1", person_id)
    else:
        status = await conn.execute(f"{REFUSAL.insert_sql()} ON CONFLICT DO NOTHING", [person_id], [at])
    return not status.endswith(" 0")

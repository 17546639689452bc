"""The SQL of representations and of statements about capacity."""

from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

import asyncpg

from esante.core.storage import Connection, Database, Kind, Row, Table
from esante.identity.access.model import Requester
from esante.identity.access.representation.model import Capacity, CapacityKind, Representation, RepresentationKind

REPRESENTATION = Table(
    "access_representation",
    Kind.PERSON,
    {
        "person_id": "uuid",
        "representation_id": "uuid",
        "kind": "text",
        "representative_id": "uuid",
        "representative": "text",
        "act": "text",
        "since": "date",
        "until": "date",
        "recorder_kind": "text",
        "recorder_id": "uuid",
        "recorder": "text",
        "recorded_at": "timestamptz",
    },
)
CAPACITY = Table(
    "access_capacity",
    Kind.PERSON,
    {
        "person_id": "uuid",
        "capacity_id": "uuid",
        "kind": "text",
        "classes": "text",
        "reason": "text",
        "since": "date",
        "until": "date",
        "recorder_id": "uuid",
        "recorder": "text",
        "organization": "text",
        "recorded_at": "timestamptz",
    },
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedAct:
    """A representation or a statement about capacity: the act behind it (what), who recorded it and when."""

    subject: Representation | Capacity
    act: str
    recorder_id: UUID
    recorder: str
    recorded_at: datetime


def act_row(person_id: UUID, recorded: RecordedAct, by: Requester) -> Row:
    """Return the row of a new representation, or statement about capacity."""
    one = recorded.subject
    if isinstance(one, Representation):
        return REPRESENTATION, (
            person_id,
            one.id,
            one.kind.value,
            one.representative_id,
            one.representative,
            recorded.act,
            one.since,
            one.until,
            by.kind,
            by.id,
            by.name,
            recorded.recorded_at,
        )
    return CAPACITY, (
        person_id,
        one.id,
        one.kind.value,
        " ".join(one.classes),
        recorded.act,
        one.since,
        one.until,
        by.id,
        by.name,
        by.organization,
        recorded.recorded_at,
    )


async def fetch_acts(db: Database | Connection, person_id: UUID) -> list[RecordedAct]:
    """Return what was recorded about a person and not ended, newest first."""
    found = [
        _act_of(row)
        for table in ("access_representation", "access_capacity")
        for row in await db.fetch(
            f"SELECT * FROM {table} WHERE person_id = $1 AND ended_at IS NULL",  # noqa: S608 - constants
            person_id,
        )
    ]
    return sorted(found, key=lambda one: one.recorded_at, reverse=True)


async def fetch_represented(db: Database, representative_id: UUID, day: date) -> list[UUID]:
    """Return the persons for whom somebody acts on a day."""
    rows = await db.fetch(
        "SELECT DISTINCT person_id FROM access_representation WHERE representative_id = $1 AND ended_at IS NULL"
        " AND since <= $2 AND (until IS NULL OR until >= $2) ORDER BY person_id",
        representative_id,
        day,
    )
    return [row[0] for row in rows]


async def end_act(conn: Connection, person_id: UUID, act_id: UUID, at: datetime) -> None:
    """Write that a representation, or a statement about capacity, was ended."""
    for table, key in (("access_representation", "representation_id"), ("access_capacity", "capacity_id")):
        await conn.execute(
            f"UPDATE {table} SET ended_at = $3"  # noqa: S608 - constants
            f" WHERE person_id = $1 AND {key} = $2 AND ended_at IS NULL",
            person_id,
            act_id,
            at,
        )


def _act_of(row: asyncpg.Record) -> RecordedAct:
    subject: Representation | Capacity
    if "representation_id" in row.keys():  # noqa: SIM118 - a record is not a mapping
        subject, act = _representation_of(row), row["act"]
    else:
        subject, act = _capacity_of(row), row["reason"]
    return RecordedAct(
        subject=subject,
        act=act,
        recorder_id=row["recorder_id"],
        recorder=row["recorder"],
        recorded_at=row["recorded_at"],
    )


def _representation_of(row: asyncpg.Record) -> Representation:
    return Representation(
        id=row["representation_id"],
        kind=RepresentationKind(row["kind"]),
        representative_id=row["representative_id"],
        representative=row["representative"],
        since=row["since"],
        until=row["until"],
    )


def _capacity_of(row: asyncpg.Record) -> Capacity:
    return Capacity(
        id=row["capacity_id"],
        kind=CapacityKind(row["kind"]),
        classes=tuple(row["classes"].split()),
        since=row["since"],
        until=row["until"],
    )

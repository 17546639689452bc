"""SQL of fee notes."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any
from uuid import UUID

from esante.core.storage import Connection, Database, Kind, Row, Table
from esante.services.billing.adjudication.model import PastAct
from esante.services.billing.note.model import Channel, KeptNote, NoteQuery, NoteStatus

NOTE = Table(
    "billing_note",
    Kind.PERSON,
    {
        "person_id": "uuid",
        "note_id": "uuid",
        "provider_code": "text",
        "biller_id": "uuid",
        "biller": "text",
        "organization_id": "uuid",
        "channel": "text",
        "status": "text",
        "issued_on": "date",
        "received_at": "timestamptz",
        "total": "numeric",
        "settled": "boolean",
        "replaces_id": "uuid",
        "replaced_by_id": "uuid",
        "body": "bytea",
        "object_sha256": "bytea",
        "sent_at": "timestamptz",
    },
)
BILLER_NOTE = Table(
    "billing_biller_note",
    Kind.LOCAL,
    {
        "provider_code": "text",
        "note_id": "uuid",
        "person_id": "uuid",
        "biller_id": "uuid",
        "received_at": "timestamptz",
    },
)
ACT = Table(
    "billing_act",
    Kind.PERSON,
    {
        "person_id": "uuid",
        "note_id": "uuid",
        "line": "integer",
        "code": "text",
        "on_day": "date",
        "provider_code": "text",
        "quantity": "integer",
        "hospital_class": "text",
    },
)
_COLUMNS = ", ".join(NOTE.columns)
_HEAD = ", ".join(name for name in NOTE.columns if name != "body")


def note_rows(note: KeptNote, acts: Sequence[PastAct]) -> list[Row]:
    """Return the rows of a new note and of its acts, in the order of its lines."""
    return [
        (
            NOTE,
            (
                note.person_id,
                note.note_id,
                note.provider_code,
                note.biller_id,
                note.biller,
                note.organization_id,
                note.channel.value,
                note.status.value,
                note.issued_on,
                note.received_at,
                note.total,
                note.settled,
                note.replaces_id,
                note.replaced_by_id,
                note.body,
                note.object_sha256,
                note.sent_at,
            ),
        ),
        (BILLER_NOTE, (note.provider_code, note.note_id, note.person_id, note.biller_id, note.received_at)),
        *(
            (
                ACT,
                (
                    note.person_id,
                    note.note_id,
                    number,
                    act.code,
                    act.on,
                    act.provider_code,
                    act.quantity,
                    act.hospital_class,
                ),
            )
            for number, act in enumerate(acts, 1)
        ),
    ]


async def fetch_note(
    source: Database | Connection, person_id: UUID, note_id: UUID, *, lock: bool = False
) -> KeptNote | None:
    """Return a note of a person, None when there is none; `lock`: locked until the end of the transaction."""
    row = await source.fetchrow(
        f"SELECT {_COLUMNS} FROM billing_note WHERE person_id = $1 AND note_id = $2"  # noqa: S608 - columns are declared
        + (" FOR UPDATE" if lock else ""),
        person_id,
        note_id,
    )
    return _note(row) if row else None


async def fetch_notes(source: Database | Connection, keys: Sequence[tuple[UUID, UUID]]) -> list[KeptNote]:
    """Return notes by the keys of person and note, without their bodies."""
    rows = await source.fetch(
        f"SELECT {_HEAD} FROM billing_note"  # noqa: S608 - columns are declared
        " WHERE person_id = ANY($1::uuid[])"
        " AND (person_id, note_id) IN (SELECT * FROM unnest($1::uuid[], $2::uuid[]))",
        [person_id for person_id, _ in keys],
        [note_id for _, note_id in keys],
    )
    return [_note(row) for row in rows]


async def search_notes(
    source: Database | Connection, person_id: UUID, query: NoteQuery, start: int, limit: int
) -> list[KeptNote]:
    """Return notes of a person, the latest first, without their bodies."""
    rows = await source.fetch(
        f"SELECT {_HEAD} FROM billing_note WHERE person_id = $1"  # noqa: S608 - columns are declared
        " AND ($2::date IS NULL OR issued_on >= $2) AND ($3::date IS NULL OR issued_on <= $3)"
        " AND ($4 = '' OR status = $4) AND ($5 = '' OR biller ILIKE '%' || $5 || '%') AND ($6 OR sent_at IS NOT NULL)"
        " ORDER BY received_at DESC, note_id OFFSET $7 LIMIT $8",
        person_id,
        query.since,
        query.until,
        query.status.value if query.status else "",
        _escaped(query.text),
        not query.sent,
        start,
        limit,
    )
    return [_note(row) for row in rows]


async def search_biller_notes(
    source: Database | Connection, biller_id: UUID, received: tuple[datetime, datetime], start: int, limit: int
) -> list[tuple[UUID, UUID]]:
    """Return person and note of a biller's notes that came in a time, the latest first."""
    rows = await source.fetch(
        "SELECT person_id, note_id FROM billing_biller_note WHERE biller_id = $1"
        " AND received_at >= $2 AND received_at < $3 ORDER BY received_at DESC, note_id OFFSET $4 LIMIT $5",
        biller_id,
        *received,
        start,
        limit,
    )
    return [(row["person_id"], row["note_id"]) for row in rows]


async def find_person_of(source: Database | Connection, provider_code: str, note_id: UUID) -> UUID | None:
    """Return the person of a biller's note, None when the biller has no such note."""
    person_id: UUID | None = await source.fetchval(
        "SELECT person_id FROM billing_biller_note WHERE provider_code = $1 AND note_id = $2", provider_code, note_id
    )
    return person_id


async def end_note(
    conn: Connection, person_id: UUID, note_id: UUID, status: NoteStatus, replaced_by_id: UUID | None
) -> None:
    """Write that a note is cancelled or replaced; its acts do not count any more."""
    await conn.execute(
        "UPDATE billing_note SET status = $3, replaced_by_id = $4 WHERE person_id = $1 AND note_id = $2",
        person_id,
        note_id,
        status.value,
        replaced_by_id,
    )
    await conn.execute("DELETE FROM billing_act WHERE person_id = $1 AND note_id = $2", person_id, note_id)


async def mark_sent(conn: Connection, person_id: UUID, note_id: UUID, at: datetime) -> None:
    """Write that a note reached the health insurance, the first time."""
    await conn.execute(
        "UPDATE billing_note SET sent_at = coalesce(sent_at, $3) WHERE person_id = $1 AND note_id = $2",
        person_id,
        note_id,
        at,
    )


def _note(row: Any) -> KeptNote:
    values = dict(row)
    return KeptNote(**(values | {"channel": Channel(values["channel"]), "status": NoteStatus(values["status"])}))


def _escaped(text: str) -> str:
    """Return a text for LIKE, in which it stands for itself."""
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


async def fetch_past_acts(source: Database | Connection, person_id: UUID, since: date) -> list[PastAct]:
    """Return the acts billed for a person since a day, the oldest first."""
    rows = await source.fetch(
        "SELECT code, on_day, provider_code, quantity, hospital_class FROM billing_act"
        " WHERE person_id = $1 AND on_day >= $2 ORDER BY on_day, note_id, line",
        person_id,
        since,
    )
    return [
        PastAct(
            code=row["code"],
            on=row["on_day"],
            provider_code=row["provider_code"],
            quantity=row["quantity"],
            hospital_class=row["hospital_class"],
        )
        for row in rows
    ]

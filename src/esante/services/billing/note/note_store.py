"""SQL of fee notes."""

from collections.abc import Sequence
from datetime import date
from uuid import UUID

from esante.core.storage import Connection, Database, Kind, Row, Table
from esante.services.billing.adjudication.model import PastAct
from esante.services.billing.note.model import Channel, KeptNote, NoteStatus

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


async def fetch_note(source: Database | Connection, person_id: UUID, note_id: UUID) -> KeptNote | None:
    """Return a note of a person, None when there is none."""
    row = await source.fetchrow(
        f"SELECT {_COLUMNS} FROM billing_note WHERE person_id = $1 AND note_id = $2",  # noqa: S608 - columns are declared
        person_id,
        note_id,
    )
    if row is None:
        return None
    values = dict(row)
    return KeptNote(**(values | {"channel": Channel(values["channel"]), "status": NoteStatus(values["status"])}))


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

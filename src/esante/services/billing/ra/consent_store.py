"""SQL of consents about fee notes."""

from datetime import datetime
from typing import Any
from uuid import UUID

from esante.core.storage import Connection, Database, Kind, Row, Table
from esante.services.billing.ra.model import ConsentType, NoteConsent

CONSENT = Table(
    "billing_consent",
    Kind.PERSON,
    {
        "person_id": "uuid",
        "consent_id": "uuid",
        "type": "text",
        "since": "timestamptz",
        "until": "timestamptz",
        "author": "text",
        "ended_at": "timestamptz",
    },
)


def consent_row(one: NoteConsent) -> Row:
    """Return the row of a new consent."""
    return CONSENT, (one.person_id, one.id, one.type.value, one.since, one.until, one.author, one.ended_at)


async def fetch_consents(source: Database | Connection, person_id: UUID) -> list[NoteConsent]:
    """Return the consents of a person, of each type the latest one."""
    rows = await source.fetch(
        "SELECT DISTINCT ON (type) person_id, consent_id AS id, type, since, until, author, ended_at"
        " FROM billing_consent WHERE person_id = $1 ORDER BY type, ended_at DESC NULLS FIRST, since DESC",
        person_id,
    )
    return [_consent(row) for row in rows]


async def end_consent(conn: Connection, person_id: UUID, kind: ConsentType, at: datetime) -> bool:
    """End the consent of a type; return whether there was one."""
    tag: str = await conn.execute(
        "UPDATE billing_consent SET ended_at = $3 WHERE person_id = $1 AND type = $2 AND ended_at IS NULL",
        person_id,
        kind.value,
        at,
    )
    return tag != "UPDATE 0"


def _consent(row: Any) -> NoteConsent:
    return NoteConsent(**(dict(row) | {"type": ConsentType(row["type"])}))

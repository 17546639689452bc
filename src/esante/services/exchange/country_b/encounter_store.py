"""SQL of encounters and their steps."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from esante.core.storage import Connection, Database, Kind, Row, Table
from esante.services.exchange.country_b.model import AnyStep, Encounter, Ended, Found, Taken
from esante.services.exchange.country_b.rules import advance

ENCOUNTER = Table(
    "exchange_encounter",
    Kind.LOCAL,
    {
        "encounter_id": "uuid",
        "country": "text",
        "practitioner_id": "uuid",
        "practitioner": "text",
        "organization_id": "uuid",
        "organization": "text",
        "began_at": "timestamptz",
    },
)
STEP = Table(
    "exchange_step",
    Kind.LOCAL,
    {
        "encounter_id": "uuid",
        "number": "integer",
        "at": "timestamptz",
        "label": "text",
        "content": "text",
        "document": "bytea",
        "is_end": "boolean",
    },
)
_HEAD = "SELECT encounter_id, country, practitioner_id, practitioner, organization_id, organization, began_at"
_decoder = msgspec.json.Decoder(AnyStep)


def encounter_row(encounter: Encounter) -> Row:
    """Return the row of a new encounter."""
    return ENCOUNTER, (
        encounter.id,
        encounter.country,
        encounter.practitioner_id,
        encounter.practitioner,
        encounter.organization_id,
        encounter.organization,
        encounter.began_at,
    )


def step_row(encounter_id: UUID, taken: Taken, document: bytes = b"") -> Row:
    """Return the row of a step; `document`: the bytes that belong to it."""
    step = taken.step
    label = step.patient.name if isinstance(step, Found) and step.patient else ""
    content = msgspec.json.encode(step).decode()
    return STEP, (encounter_id, taken.number, taken.at, label, content, document, isinstance(step, Ended))


async def fetch(db: Database | Connection, encounter_id: UUID) -> Encounter | None:
    """Return an encounter as its steps made it, or None."""
    head = await db.fetchrow(f"{_HEAD} FROM exchange_encounter WHERE encounter_id = $1", encounter_id)
    if head is None:
        return None
    return (await _with_steps(db, [head]))[0]


async def fetch_page(
    db: Database, practitioner_id: UUID, text: str, before: UUID | None, limit: int
) -> Sequence[Encounter]:
    """Return encounters of a professional, the newest first; `text`: a part of the patient's name or the country."""
    heads = await db.fetch(
        f"{_HEAD} FROM exchange_encounter e WHERE practitioner_id = $1 AND ($2::uuid IS NULL OR encounter_id < $2)"
        " AND ($3 = '' OR lower(country) = lower($3) OR EXISTS (SELECT FROM exchange_step s"
        " WHERE s.encounter_id = e.encounter_id AND position(lower($3) IN lower(s.label)) > 0))"
        " ORDER BY encounter_id DESC LIMIT $4",
        practitioner_id,
        before,
        text,
        limit,
    )
    return await _with_steps(db, heads)


async def fetch_document(db: Database, encounter_id: UUID, kind: str, about: str) -> bytes:
    """Return the bytes beside the newest step of a kind about something, b"" for none.

    `kind` and `about`: `retrieved` and a unique id, or `prepared` and the id of a document.
    """
    name = "unique_id" if kind == "retrieved" else "document_id"
    found = await db.fetchval(
        "SELECT document FROM exchange_step WHERE encounter_id = $1 AND content::jsonb ->> 'step' = $2"
        " AND content::jsonb ->> $3 = $4 AND document <> '' ORDER BY number DESC LIMIT 1",
        encounter_id,
        kind,
        name,
        about,
    )
    return bytes(found or b"")


async def fetch_open(db: Database, began_before: datetime, limit: int) -> Sequence[Encounter]:
    """Return encounters that began before a moment and have not ended."""
    heads = await db.fetch(
        f"{_HEAD} FROM exchange_encounter e WHERE began_at < $1 AND NOT EXISTS (SELECT FROM exchange_step s"
        " WHERE s.encounter_id = e.encounter_id AND s.is_end) ORDER BY encounter_id LIMIT $2",
        began_before,
        limit,
    )
    return await _with_steps(db, heads)


async def delete_steps(conn: Connection, encounter_id: UUID) -> None:
    """Delete what was received in an encounter."""
    await conn.execute("DELETE FROM exchange_step WHERE encounter_id = $1", encounter_id)


async def delete_received(conn: Connection, encounter_id: UUID) -> None:
    """Delete the documents received in an encounter, and keep what was sent."""
    await conn.execute(
        "UPDATE exchange_step SET document = '' WHERE encounter_id = $1 AND document <> ''"
        " AND content::jsonb ->> 'step' = 'retrieved'",
        encounter_id,
    )


async def delete_ended(db: Database, began_before: datetime) -> None:
    """Delete the lines of encounters that ended and began before a moment."""
    async with db.transaction() as conn:
        rows = await conn.fetch(
            "DELETE FROM exchange_encounter e WHERE began_at < $1 AND EXISTS (SELECT FROM exchange_step s"
            " WHERE s.encounter_id = e.encounter_id AND s.is_end) RETURNING encounter_id",
            began_before,
        )
        await conn.execute(
            "DELETE FROM exchange_step WHERE encounter_id = ANY($1)", [row["encounter_id"] for row in rows]
        )


async def _with_steps(db: Database | Connection, heads: Sequence[Any]) -> list[Encounter]:
    rows = await db.fetch(
        "SELECT encounter_id, number, at, content FROM exchange_step WHERE encounter_id = ANY($1) ORDER BY number",
        [head["encounter_id"] for head in heads],
    )
    steps: dict[UUID, list[Taken]] = {head["encounter_id"]: [] for head in heads}
    for row in rows:
        step = _decoder.decode(row["content"])
        steps[row["encounter_id"]].append(Taken(number=row["number"], at=row["at"], step=step))
    return [advance(_encounter(head), steps[head["encounter_id"]]) for head in heads]


def _encounter(head: Any) -> Encounter:
    values = dict(head)
    return Encounter(id=values.pop("encounter_id"), **values)

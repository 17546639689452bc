"""SQL of simulations."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import msgspec

from esante.core.storage import Connection, Database, Kind, Row, Table
from esante.services.billing.adjudication.model import Adjudication, PastAct
from esante.services.billing.note.model import FeeNote
from esante.services.billing.payment.model import NOTHING, Payment
from esante.services.billing.payment.payment_store import COLUMNS, payment_from
from esante.services.billing.pid.model import Simulation

SIMULATION = Table(
    "billing_simulation",
    Kind.PERSON,
    {
        "person_id": "uuid",
        "simulation_id": "uuid",
        "note_id": "uuid",
        "provider_code": "text",
        "biller_id": "uuid",
        "biller": "text",
        "organization_id": "uuid",
        "note": "bytea",
        "note_sha256": "bytea",
        "adjudication": "bytea",
        "created_at": "timestamptz",
        "expires_at": "timestamptz",
        "replaces_id": "uuid",
    },
)
PLACE = Table(
    "billing_simulation_place",
    Kind.LOCAL,
    {
        "simulation_id": "uuid",
        "person_id": "uuid",
        "provider_code": "text",
        "note_id": "uuid",
        "note_sha256": "bytea",
        "expires_at": "timestamptz",
    },
)
_OWN = (
    "s.simulation_id AS id, s.person_id, s.note, s.note_sha256 AS sha256, s.adjudication, s.biller_id, s.biller,"
    " s.organization_id, s.created_at AS simulated_at, s.expires_at, s.replaces_id"
)
_FROM = """
    FROM billing_simulation_place k JOIN billing_simulation s
        ON s.person_id = k.person_id AND s.simulation_id = k.simulation_id
    LEFT JOIN billing_payment p ON p.person_id = s.person_id AND p.note_id = s.note_id
    LEFT JOIN billing_transfer t ON t.payment_id = p.payment_id
"""
_PAID = COLUMNS.replace("p.person_id, p.note_id", "p.note_id")
_note = msgspec.json.Decoder(FeeNote)
_adjudication = msgspec.json.Decoder(Adjudication)


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A simulation with the payment of its note, if there is one, and what the professional owes back."""

    simulation: Simulation
    payment: Payment | None
    recoverable: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What is known of a note that is to be simulated: `is_kept`: it was deposited or validated; `has_payee`."""

    found: Found | None
    is_kept: bool
    has_payee: bool


def simulation_rows(simulation: Simulation, note: bytes, adjudication: bytes) -> list[Row]:
    """Return the rows of a new simulation; note and adjudication as JSON."""
    provider_code, key = simulation.note.biller.provider_code, simulation.id
    return [
        (
            SIMULATION,
            (
                simulation.person_id,
                key,
                simulation.note.id,
                provider_code,
                simulation.biller_id,
                simulation.biller,
                simulation.organization_id,
                note,
                simulation.note_sha256,
                adjudication,
                simulation.created_at,
                simulation.expires_at,
                simulation.replaces_id,
            ),
        ),
        (
            PLACE,
            (
                key,
                simulation.person_id,
                provider_code,
                simulation.note.id,
                simulation.note_sha256,
                simulation.expires_at,
            ),
        ),
    ]


async def fetch_known(db: Database, provider_code: str, note_id: UUID) -> Known:
    """Return what is known of a biller's note, in one round trip: its validated simulation, or else the newest."""
    row = await db.fetchrow(
        f"""
        SELECT f.*, h.* FROM (SELECT
            EXISTS (SELECT FROM billing_payee WHERE provider_code = $1 AND state = 'confirmed') AS has_payee,
            EXISTS (SELECT FROM billing_biller_note WHERE provider_code = $1 AND note_id = $2) AS is_kept
        ) h LEFT JOIN LATERAL (
            SELECT {_OWN}, {_PAID}, NULL::numeric AS recoverable {_FROM}
            WHERE k.provider_code = $1 AND k.note_id = $2
            ORDER BY p.simulation_id = s.simulation_id DESC NULLS LAST, s.simulation_id DESC LIMIT 1
        ) f ON true
        """,  # noqa: S608 - constants
        provider_code,
        note_id,
    )
    return Known(
        found=_found(row) if row and row["id"] else None,
        is_kept=bool(row and row["is_kept"]),
        has_payee=bool(row and row["has_payee"]),
    )


async def fetch_simulation(db: Database, simulation_id: UUID) -> Found | None:
    """Return a simulation with the payment of its note, in one round trip; None for an unknown one."""
    row = await db.fetchrow(
        f"SELECT {_OWN}, {_PAID}, r.amount AS recoverable {_FROM}"
        " LEFT JOIN billing_recoverable r ON r.provider_code = s.provider_code WHERE k.simulation_id = $1",
        simulation_id,
    )
    return _found(row) if row else None


async def fetch_paid(db: Database, note_id: UUID) -> list[Found]:
    """Return the validated simulations of notes with an id; billers may have used the same one."""
    rows = await db.fetch(
        f"SELECT {_OWN}, {_PAID}, NULL::numeric AS recoverable {_FROM}"
        " WHERE k.note_id = $1 AND p.simulation_id = s.simulation_id",
        note_id,
    )
    return [_found(row) for row in rows]


async def fetch_past_acts(
    db: Database, person_id: UUID, since: date, codes: Sequence[str], without: UUID | None
) -> list[PastAct]:
    """Return the acts billed for a person since a day, and those with some codes of all times, the oldest first.

    `without`: a note that does not count, since it is being replaced.
    """
    rows = await db.fetch(
        "SELECT code, on_day AS on, provider_code, quantity, hospital_class FROM billing_act"
        " WHERE person_id = $1 AND (on_day >= $2 OR code = ANY ($3::text[]))"
        " AND ($4::uuid IS NULL OR note_id <> $4) ORDER BY on_day, note_id, line",
        person_id,
        since,
        list(codes),
        without,
    )
    return [PastAct(**dict(row)) for row in rows]


async def delete_expired(conn: Connection, before: datetime, limit: int) -> int:
    """Delete simulations that expired before a moment and were not validated; return how many."""
    rows = await conn.fetch(
        "WITH due AS (SELECT k.simulation_id, k.person_id FROM billing_simulation_place k"
        " WHERE k.expires_at < $1 AND NOT EXISTS (SELECT FROM billing_payment p"
        " WHERE p.person_id = k.person_id AND p.note_id = k.note_id)"
        " AND NOT EXISTS (SELECT FROM billing_contestation c WHERE c.simulation_id = k.simulation_id)"
        " LIMIT $2 FOR UPDATE SKIP LOCKED),"
        " gone AS (DELETE FROM billing_simulation s USING due"
        " WHERE s.person_id = due.person_id AND s.simulation_id = due.simulation_id)"
        " DELETE FROM billing_simulation_place k USING due WHERE k.simulation_id = due.simulation_id RETURNING 1",
        before,
        limit,
    )
    return len(rows)


def _found(row: Any) -> Found:
    simulation = Simulation(
        id=row["id"],
        person_id=row["person_id"],
        note=_note.decode(row["note"]),
        note_sha256=row["sha256"],
        adjudication=_adjudication.decode(row["adjudication"]),
        biller_id=row["biller_id"],
        biller=row["biller"],
        organization_id=row["organization_id"],
        created_at=row["simulated_at"],
        expires_at=row["expires_at"],
        replaces_id=row["replaces_id"],
        payment_id=row["payment_id"],
    )
    payment = payment_from(row) if row["payment_id"] else None
    return Found(simulation=simulation, payment=payment, recoverable=row["recoverable"] or NOTHING)

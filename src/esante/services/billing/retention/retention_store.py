"""SQL of the end of fee notes."""

from collections.abc import Sequence
from datetime import datetime

from esante.core.storage import Connection, Database
from esante.services.billing.retention.model import OldNote

_OF_NOTES = " WHERE (person_id, note_id) IN (SELECT * FROM unnest($1::uuid[], $2::uuid[]))"
_TABLES = ("billing_act", "billing_reimbursement", "billing_waiting", "billing_simulation", "billing_contestation")
"""Tables with rows of a note by person and note, beside those of its payment."""


async def fetch_providers(db: Database, before: datetime) -> list[str]:
    """Return the provider codes with notes that came before a moment."""
    rows = await db.fetch(
        "SELECT DISTINCT provider_code FROM billing_biller_note WHERE received_at < $1 ORDER BY 1", before
    )
    return [row[0] for row in rows]


async def lock_old(conn: Connection, provider_code: str, before: datetime) -> list[OldNote]:
    """Return the notes of a provider code that came before a moment, locked."""
    rows = await conn.fetch(
        "SELECT person_id, note_id, received_at FROM billing_biller_note"
        " WHERE provider_code = $1 AND received_at < $2 ORDER BY note_id FOR UPDATE",
        provider_code,
        before,
    )
    return [OldNote(**row) for row in rows]


async def books_allow(conn: Connection, notes: Sequence[OldNote]) -> bool:
    """Return whether the payments of notes can go: all have ended, and what was owed back for them is netted."""
    keys = _keys(notes)
    is_open = await conn.fetchval(
        "SELECT EXISTS (SELECT FROM billing_payment p JOIN billing_transfer t USING (payment_id)"
        " WHERE (p.person_id, p.note_id) IN (SELECT * FROM unnest($1::uuid[], $2::uuid[]))"
        " AND t.state NOT IN ('paid', 'withdrawn'))",
        *keys,
    )
    owed = await conn.fetchval(
        "SELECT coalesce(sum(g.amount), 0) FROM billing_posting g JOIN billing_payment p USING (person_id, payment_id)"
        " WHERE (p.person_id, p.note_id) IN (SELECT * FROM unnest($1::uuid[], $2::uuid[]))"
        " AND g.account = 'recoverable'",
        *keys,
    )
    return not is_open and owed == 0


async def delete(conn: Connection, provider_code: str, notes: Sequence[OldNote]) -> list[bytes]:
    """Delete notes of a provider code and all that is kept for them; return the large bodies that no note has now."""
    keys = _keys(notes)
    rows = await conn.fetch(f"DELETE FROM billing_payment{_OF_NOTES} RETURNING person_id, payment_id", *keys)  # noqa: S608
    payments = [row["payment_id"] for row in rows]
    await conn.execute(
        "DELETE FROM billing_posting WHERE (person_id, payment_id) IN (SELECT * FROM unnest($1::uuid[], $2::uuid[]))",
        [row["person_id"] for row in rows],
        payments,
    )
    await conn.execute("DELETE FROM billing_transfer WHERE payment_id = ANY($1)", payments)
    await conn.execute(
        "DELETE FROM billing_bank_line WHERE payment_id = ANY($1) AND (fault = '' OR resolved_at IS NOT NULL)",
        payments,
    )
    for table in _TABLES:
        await conn.execute(f"DELETE FROM {table}{_OF_NOTES}", *keys)  # noqa: S608
    for table in ("billing_simulation_place", "billing_biller_note"):
        await conn.execute(
            f"DELETE FROM {table} WHERE provider_code = $1 AND note_id = ANY($2)",  # noqa: S608 - names of this module
            provider_code,
            keys[1],
        )
    gone = await conn.fetch(f"DELETE FROM billing_note{_OF_NOTES} RETURNING object_sha256", *keys)  # noqa: S608
    digests = {row[0] for row in gone if row[0] is not None}
    used = await conn.fetch("SELECT object_sha256 FROM billing_note WHERE object_sha256 = ANY($1)", [*digests])
    return sorted(digests - {row[0] for row in used})


def _keys(notes: Sequence[OldNote]) -> tuple[list[object], list[object]]:
    return [one.person_id for one in notes], [one.note_id for one in notes]

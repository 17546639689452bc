"""SQL of the exchange: enrolled certificates, signatures of received messages."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from esante.core.storage import Connection, Database, Kind, Row, Table
from esante.services.billing.exchange.model import EnrolledCertificate

CERTIFICATE = Table(
    "billing_certificate",
    Kind.LOCAL,
    {
        "fingerprint": "bytea",
        "practitioner_id": "uuid",
        "certificate": "bytea",
        "subject": "text",
        "not_before": "timestamptz",
        "not_after": "timestamptz",
        "added_at": "timestamptz",
    },
)
MESSAGE = Table("billing_exchange_message", Kind.LOCAL, {"digest": "bytea", "expires_at": "timestamptz"})
_COLUMNS = ", ".join((*CERTIFICATE.columns, "revoked_at", "reason"))


def certificate_row(one: EnrolledCertificate) -> Row:
    """Return the row of a new certificate."""
    key = one.fingerprint, one.practitioner_id, one.certificate, one.subject
    return CERTIFICATE, (*key, one.not_before, one.not_after, one.added_at)


def message_row(digest: bytes, expires_at: datetime) -> Row:
    """Return the row of a received message; a second one of the same digest violates the key."""
    return MESSAGE, (digest, expires_at)


async def fetch_certificate(source: Database | Connection, fingerprint: bytes) -> EnrolledCertificate | None:
    """Return an enrolled certificate, revoked or not; None when there is none."""
    row = await source.fetchrow(
        f"SELECT {_COLUMNS} FROM billing_certificate WHERE fingerprint = $1",  # noqa: S608 - columns are declared
        fingerprint,
    )
    return EnrolledCertificate(**dict(row)) if row else None


async def fetch_certificates(db: Database, practitioner_id: UUID | None) -> Sequence[EnrolledCertificate]:
    """Return the certificates of a professional, or of all (None), the newest first."""
    rows = await db.fetch(
        f"SELECT {_COLUMNS} FROM billing_certificate"  # noqa: S608 - columns are declared
        " WHERE $1::uuid IS NULL OR practitioner_id = $1 ORDER BY added_at DESC, fingerprint",
        practitioner_id,
    )
    return [EnrolledCertificate(**dict(row)) for row in rows]


async def revoke_certificate(conn: Connection, fingerprint: bytes, at: datetime, reason: str) -> bool:
    """Mark a certificate as revoked, unless it is; return whether it was marked."""
    tag = await conn.execute(
        "UPDATE billing_certificate SET revoked_at = $2, reason = $3 WHERE fingerprint = $1 AND revoked_at IS NULL",
        fingerprint,
        at,
        reason,
    )
    return bool(tag == "UPDATE 1")


async def delete_old_messages(db: Database, before: datetime) -> None:
    """Forget messages that would be refused by their time now."""
    await db.fetch("DELETE FROM billing_exchange_message WHERE expires_at < $1", before)

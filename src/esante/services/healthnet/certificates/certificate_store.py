"""SQL of certificates."""

from datetime import datetime
from uuid import UUID

from esante.core.storage import Connection, Database, Kind, Row, Table
from esante.services.healthnet.certificates.model import IssuedCertificate

AUTHORITY = Table(
    "healthnet_authority",
    Kind.LOCAL,
    {"fingerprint": "text", "certificate": "text", "root": "text", "installed_at": "timestamptz"},
)
CERTIFICATE = Table(
    "healthnet_certificate",
    Kind.LOCAL,
    {
        "serial": "text",
        "site_id": "uuid",
        "fingerprint": "text",
        "issued_at": "timestamptz",
        "not_after": "timestamptz",
        "revoked_at": "timestamptz",
    },
)


def authority_row(fingerprint: str, certificate: str, root: str, at: datetime) -> Row:
    """Return the row of an intermediate authority."""
    return AUTHORITY, (fingerprint, certificate, root, at)


async def fetch_authority(db: Database | Connection) -> tuple[str, str] | None:
    """Return certificate and root (PEM) of the authority that was installed last, or None."""
    rows = await db.fetch("SELECT certificate, root FROM healthnet_authority ORDER BY installed_at DESC LIMIT 1")
    return (rows[0]["certificate"], rows[0]["root"]) if rows else None


def certificate_row(issued: IssuedCertificate) -> Row:
    """Return the row of a certificate."""
    return CERTIFICATE, tuple(getattr(issued, name) for name in CERTIFICATE.columns)


async def count_issued(conn: Connection, site_id: UUID, since: datetime) -> int:
    """Return how many certificates a site got since a moment."""
    return int(
        await conn.fetchval(
            "SELECT count(*) FROM healthnet_certificate WHERE site_id = $1 AND not_after > $2 AND issued_at > $2",
            site_id,
            since,
        )
    )


async def fetch_site_of(db: Database, serial: str) -> UUID | None:
    """Return the site of a certificate that is not revoked, or None."""
    found: UUID | None = await db.fetchval(
        "SELECT site_id FROM healthnet_certificate WHERE serial = $1 AND revoked_at IS NULL", serial
    )
    return found


async def revoke(conn: Connection, site_id: UUID, at: datetime) -> list[str]:
    """Revoke the certificates of a site that have not ended; return their serial numbers."""
    rows = await conn.fetch(
        "UPDATE healthnet_certificate SET revoked_at = $2 WHERE site_id = $1 AND not_after > $2 AND revoked_at IS NULL"
        " RETURNING serial",
        site_id,
        at,
    )
    return sorted(row["serial"] for row in rows)


async def revoke_ended(conn: Connection, at: datetime) -> dict[str, list[str]]:
    """Revoke the certificates of sites that ended, or that the controller revoked; return their serials by site."""
    rows = await conn.fetch(
        "UPDATE healthnet_certificate c SET revoked_at = $1 FROM healthnet_site s"
        " LEFT JOIN healthnet_connection k ON k.site = s.key"
        " WHERE s.site_id = c.site_id AND c.not_after > $1 AND c.revoked_at IS NULL"
        " AND (s.state = 'ended' OR k.is_revoked) RETURNING s.key, c.serial",
        at,
    )
    found: dict[str, list[str]] = {}
    for row in rows:
        found.setdefault(row["key"], []).append(row["serial"])
    return found


async def fetch_revoked(db: Database, now: datetime) -> list[tuple[int, datetime]]:
    """Return serial number and time of the certificates that have not ended and were revoked, or whose site is off.

    A site that is resumed has its certificate back.
    """
    rows = await db.fetch(
        "SELECT serial, coalesce(revoked_at, $1) AS revoked_at FROM healthnet_certificate"
        " JOIN healthnet_site USING (site_id) WHERE not_after > $1 AND (revoked_at IS NOT NULL OR state <> 'active')"
        " ORDER BY revoked_at, serial",
        now,
    )
    return [(int(row["serial"], 16), row["revoked_at"]) for row in rows]

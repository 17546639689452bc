"""SQL of the systems of hospitals: keys of the registry, certificates, their own numbers of persons."""

from collections.abc import Mapping, Sequence
from dataclasses import astuple
from datetime import datetime
from uuid import UUID

from esante.core.storage import Connection, Database, Kind, Row, Table
from esante.services.exchange.hospital.model import RegisteredCertificate, RegistryKey

REGISTRY_KEY = Table(
    "exchange_registry_key",
    Kind.LOCAL,
    {"key": "text", "person_id": "uuid", "object_id": "uuid", "sha256": "bytea"},
    once=True,
)
CERTIFICATE = Table(
    "exchange_certificate",
    Kind.LOCAL,
    {
        "fingerprint": "bytea",
        "organization_id": "uuid",
        "subject": "text",
        "not_before": "timestamptz",
        "not_after": "timestamptz",
        "added_at": "timestamptz",
        "ended_at": "timestamptz",
    },
)
LOCAL_IDENTIFIER = Table(
    "exchange_local_identifier",
    Kind.LOCAL,
    {"organization_id": "uuid", "issuer": "text", "value": "text", "person_id": "uuid", "since": "timestamptz"},
    once=True,
)
_CERTIFICATE = ", ".join(CERTIFICATE.columns)


def key_row(key: str, person_id: UUID, object_id: UUID | None, sha256: bytes | None = None) -> Row:
    """Return the row of a key; one that is known already is left out."""
    return REGISTRY_KEY, (key, person_id, object_id, sha256)


async def find_keys(db: Database, keys: Sequence[str]) -> Mapping[str, RegistryKey]:
    """Return what is known of some keys; those that are not are missing, and cost the same."""
    rows = await db.fetch(
        "SELECT key, person_id, object_id, sha256 FROM unnest($1::text[]) AS k (key)"
        " LEFT JOIN exchange_registry_key USING (key)",
        list(keys),
    )
    found = [row for row in rows if row["person_id"] is not None]
    return {row["key"]: RegistryKey(row["person_id"], row["object_id"], row["sha256"]) for row in found}


async def complete_key(db: Database, key: str, person_id: UUID, object_id: UUID, sha256: bytes) -> None:
    """Say which document has a unique id that was taken for it."""
    await db.fetch(
        "UPDATE exchange_registry_key SET object_id = $3, sha256 = $4 WHERE key = $1 AND person_id = $2",
        key, person_id, object_id, sha256,
    )  # fmt: skip


async def release_keys(db: Database, keys: Sequence[str], person_id: UUID) -> None:
    """Give unique ids back that were taken for documents that were not stored."""
    await db.fetch(
        "DELETE FROM exchange_registry_key WHERE key = ANY ($1) AND person_id = $2 AND object_id IS NULL",
        list(keys),
        person_id,
    )


async def delete_of_person(conn: Connection, person_id: UUID) -> int:
    """Delete what is kept of a person; return how much."""
    tags = [
        await conn.execute("DELETE FROM exchange_registry_key WHERE person_id = $1", person_id),
        await conn.execute("DELETE FROM exchange_local_identifier WHERE person_id = $1", person_id),
    ]
    return sum(int(tag.rpartition(" ")[2]) for tag in tags)


def certificate_row(one: RegisteredCertificate) -> Row:
    """Return the row of a certificate."""
    return CERTIFICATE, astuple(one)


async def find_certificate(source: Database | Connection, fingerprint: bytes) -> RegisteredCertificate | None:
    """Return a certificate, ended or not; None when there is none."""
    row = await source.fetchrow(
        f"SELECT {_CERTIFICATE} FROM exchange_certificate WHERE fingerprint = $1",  # noqa: S608 - columns are declared
        fingerprint,
    )
    return RegisteredCertificate(*row) if row else None


async def fetch_certificates(db: Database, organization_id: UUID | None) -> Sequence[RegisteredCertificate]:
    """Return the certificates of an organisation, or of all (None), the newest first."""
    rows = await db.fetch(
        f"SELECT {_CERTIFICATE} FROM exchange_certificate"  # noqa: S608 - columns are declared
        " WHERE $1::uuid IS NULL OR organization_id = $1 ORDER BY added_at DESC, fingerprint",
        organization_id,
    )
    return [RegisteredCertificate(*row) for row in rows]


async def end_certificate(conn: Connection, fingerprint: bytes, at: datetime) -> bool:
    """End a certificate, unless it has ended; return whether it did."""
    tag = await conn.execute(
        "UPDATE exchange_certificate SET ended_at = $2 WHERE fingerprint = $1 AND ended_at IS NULL", fingerprint, at
    )
    return bool(tag == "UPDATE 1")


async def find_by_local_identifier(db: Database, organization_id: UUID, issuer: str, value: str) -> UUID | None:
    """Return whose a number of an organisation is."""
    found: UUID | None = await db.fetchval(
        "SELECT person_id FROM exchange_local_identifier WHERE organization_id = $1 AND issuer = $2 AND value = $3",
        organization_id,
        issuer,
        value,
    )
    return found


async def lock_local_identifier(conn: Connection, organization_id: UUID, issuer: str, value: str) -> UUID | None:
    """Lock a number of an organisation, where it is known; return whose it is."""
    found: UUID | None = await conn.fetchval(
        "SELECT person_id FROM exchange_local_identifier WHERE organization_id = $1 AND issuer = $2 AND value = $3"
        " FOR UPDATE",
        organization_id,
        issuer,
        value,
    )
    return found


async def set_local_identifier(
    conn: Connection, organization_id: UUID, issuer: str, value: str, person_id: UUID, since: datetime
) -> None:
    """Say whose a number of an organisation is."""
    await conn.execute(
        "INSERT INTO exchange_local_identifier (organization_id, issuer, value, person_id, since)"
        " VALUES ($1, $2, $3, $4, $5) ON CONFLICT (organization_id, issuer, value)"
        " DO UPDATE SET person_id = excluded.person_id, since = excluded.since",
        organization_id,
        issuer,
        value,
        person_id,
        since,
    )


async def find_issuers(db: Database, issuers: Sequence[str]) -> set[str]:
    """Return those of some issuers of whom numbers are known."""
    rows = await db.fetch(
        "SELECT i.issuer FROM unnest($1::text[]) AS i (issuer) WHERE EXISTS"
        " (SELECT FROM exchange_local_identifier l WHERE l.issuer = i.issuer)",
        list(issuers),
    )
    return {row["issuer"] for row in rows}


async def fetch_local_identifiers(db: Database, organization_id: UUID, person_id: UUID) -> Sequence[tuple[str, str]]:
    """Return the numbers that an organisation has for a person: issuer and value."""
    rows = await db.fetch(
        "SELECT issuer, value FROM exchange_local_identifier WHERE person_id = $1 AND organization_id = $2"
        " ORDER BY issuer, value",
        person_id,
        organization_id,
    )
    return [(row["issuer"], row["value"]) for row in rows]

"""The SQL of the attestation of software."""

from collections.abc import Sequence
from dataclasses import astuple, dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from esante.core.storage import NIL, Connection, Database, Row, Table
from esante.core.storage import Kind as TableKind
from esante.services.conformance.model import Act, Kind, Product, Status, Version

PRODUCT = Table(
    "conformance_product",
    TableKind.LOCAL,
    {
        "product_id": "uuid",
        "name": "text",
        "vendor": "text",
        "contact": "text",
        "registered_at": "timestamptz",
        "vendor_id": "uuid",
    },
)
VERSION = Table(
    "conformance_version",
    TableKind.LOCAL,
    {
        "version_id": "uuid",
        "product_id": "uuid",
        "version": "text",
        "profiles": "text",
        "registered_at": "timestamptz",
        "status": "text",
        "attested_at": "timestamptz",
        "clients": "text",
    },
)
ACT = Table(
    "conformance_act",
    TableKind.LOCAL,
    {
        "act_id": "uuid",
        "version_id": "uuid",
        "kind": "text",
        "at": "timestamptz",
        "operator_id": "uuid",
        "operator": "text",
        "body": "text",
        "reference": "text",
        "passed_on": "date",
        "reason": "text",
    },
)
PRODUCT_NAME, VERSION_NAME = "conformance_product_name", "conformance_version_name"
"""The unique indexes of names."""
_VERSION = f"SELECT {', '.join(VERSION.columns)} FROM conformance_version"  # noqa: S608 - declared in code


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """Which versions are searched: of a status and with a profile ("" for any), with every word somewhere.

    `vendor_id`: only those of a vendor's account (None: of all).
    """

    words: Sequence[str] = ()
    status: str = ""
    profile: str = ""
    vendor_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """The place in a list of versions after which a page begins: vendor and name in small letters, and version."""

    vendor: str
    name: str
    version_id: UUID


FIRST = Place("", "", NIL)


def product_row(product: Product) -> Row:
    """Return the row of a product."""
    return PRODUCT, astuple(product)


def version_row(version: Version) -> Row:
    """Return the row of a version."""
    return VERSION, (
        version.version_id,
        version.product_id,
        version.version,
        " ".join(version.profiles),
        version.registered_at,
        version.status.value,
        version.attested_at,
        " ".join(version.clients),
    )


def act_row(act: Act) -> Row:
    """Return the row of an act."""
    return ACT, (
        act.act_id,
        act.version_id,
        act.kind.value,
        act.at,
        act.operator_id,
        act.operator,
        act.body,
        act.reference,
        act.passed_on,
        act.reason,
    )


async def search(
    db: Database, wanted: Search, after: Place, limit: int
) -> list[tuple[Place, Product, Version | None]]:
    """Return products with each of their versions by vendor and name, after a place; None: it has no version.

    A search with a status or a profile finds no product without a version.
    """
    rows = await db.fetch(
        """
        SELECT lower(p.vendor) AS by_vendor, lower(p.name) AS by_name, p.product_id, p.name, p.vendor, p.contact,
            p.registered_at AS since, p.vendor_id, v.version_id, v.version, v.profiles, v.registered_at, v.status,
            v.attested_at, v.clients
        FROM conformance_product p LEFT JOIN conformance_version v USING (product_id)
        WHERE ($8::uuid IS NULL OR p.vendor_id = $8)
          AND ($1 = '' OR v.status = $1) AND ($2 = '' OR $2 = ANY(string_to_array(v.profiles, ' ')))
          AND (lower(p.vendor), lower(p.name), coalesce(v.version_id, p.product_id)) > ($3, $4, $5)
          AND NOT EXISTS (SELECT FROM unnest($6::text[]) AS w (word)
              WHERE position(w.word IN lower(concat_ws(' ', p.vendor, p.name, v.version))) = 0)
        ORDER BY lower(p.vendor), lower(p.name), coalesce(v.version_id, p.product_id) LIMIT $7
        """,
        wanted.status,
        wanted.profile,
        after.vendor,
        after.name,
        after.version_id,
        list(wanted.words),
        limit,
        wanted.vendor_id,
    )
    return [_found(row) for row in rows]


async def fetch_product(db: Database, product_id: UUID) -> Product | None:
    """Return a product, or None."""
    row = await db.fetchrow("SELECT * FROM conformance_product WHERE product_id = $1", product_id)
    return Product(**row) if row else None


async def fetch_version(db: Database | Connection, version_id: UUID) -> tuple[Product, Version] | None:
    """Return a version with its product, or None."""
    row = await db.fetchrow(f"{_VERSION} WHERE version_id = $1", version_id)
    if row is None:
        return None
    product = await db.fetchrow("SELECT * FROM conformance_product WHERE product_id = $1", row["product_id"])
    return (Product(**product), _version(row)) if product else None


async def fetch_versions(db: Database, product_id: UUID) -> list[Version]:
    """Return the versions of a product, the newest first."""
    rows = await db.fetch(f"{_VERSION} WHERE product_id = $1 ORDER BY version_id DESC", product_id)
    return [_version(row) for row in rows]


async def lock_version(conn: Connection, version_id: UUID) -> Version | None:
    """Return a version, locked until the end of the transaction; None for an unknown one."""
    row = await conn.fetchrow(f"{_VERSION} WHERE version_id = $1 FOR UPDATE", version_id)
    return _version(row) if row else None


async def fetch_acts(db: Database | Connection, versions: Sequence[UUID]) -> list[Act]:
    """Return the acts of versions, the oldest first."""
    rows = await db.fetch("SELECT * FROM conformance_act WHERE version_id = ANY($1) ORDER BY act_id", list(versions))
    return [Act(**{**row, "kind": Kind(row["kind"])}) for row in rows]


async def write_status(conn: Connection, version_id: UUID, status: Status, attested_at: datetime | None) -> None:
    """Write the status of a version."""
    await conn.execute(
        "UPDATE conformance_version SET status = $2, attested_at = $3 WHERE version_id = $1",
        version_id,
        status.value,
        attested_at,
    )


def _found(row: Any) -> tuple[Place, Product, Version | None]:
    product = Product(
        product_id=row["product_id"],
        name=row["name"],
        vendor=row["vendor"],
        contact=row["contact"],
        registered_at=row["since"],
        vendor_id=row["vendor_id"],
    )
    version = _version({name: row[name] for name in VERSION.columns}) if row["version_id"] else None
    return Place(row["by_vendor"], row["by_name"], row["version_id"] or row["product_id"]), product, version


def _version(row: Any) -> Version:
    lists = {name: tuple(row[name].split()) for name in ("profiles", "clients")}
    return Version(**{**row, **lists, "status": Status(row["status"])})

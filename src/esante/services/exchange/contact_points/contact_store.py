"""SQL of contact points."""

import json
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from esante.core.storage import Connection, Database, Kind, Table
from esante.services.exchange.contact_points.model import ContactPoint, FieldKind, MaskField, Transaction

CONTACT_POINT = Table(
    "exchange_contact_point",
    Kind.LOCAL,
    {
        "country": "text",
        "home": "text",
        "languages": "text[]",
        "endpoints": "jsonb",
        "seals": "bytea[]",
        "tls": "bytea[]",
        "mask": "jsonb",
        "offers": "text[]",
        "asks": "text[]",
        "valid_until": "timestamptz",
        "is_suspended": "boolean",
        "fhir_url": "text",
    },
)
_LOCK = 0x6578_6370


async def lock(conn: Connection) -> None:
    """Wait until nobody else changes contact points, and keep others from it until the transaction ends."""
    await conn.execute("SELECT pg_advisory_xact_lock($1)", _LOCK)


async def fetch_all(db: Database | Connection) -> list[ContactPoint]:
    """Return all contact points, by country."""
    return [_contact_point(row) for row in await db.fetch("SELECT * FROM exchange_contact_point ORDER BY country")]


async def put(conn: Connection, one: ContactPoint) -> None:
    """Store a contact point in place of the one of its country."""
    await conn.execute(
        "INSERT INTO exchange_contact_point (country, home, languages, endpoints, seals, tls, mask, offers, asks,"
        " valid_until, is_suspended, fhir_url) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)"
        " ON CONFLICT (country) DO UPDATE SET home = EXCLUDED.home, languages = EXCLUDED.languages,"
        " endpoints = EXCLUDED.endpoints, seals = EXCLUDED.seals, tls = EXCLUDED.tls, mask = EXCLUDED.mask,"
        " offers = EXCLUDED.offers, asks = EXCLUDED.asks, valid_until = EXCLUDED.valid_until,"
        " is_suspended = EXCLUDED.is_suspended, fhir_url = EXCLUDED.fhir_url",
        one.country,
        one.home,
        list(one.languages),
        json.dumps(one.endpoints),
        [_der(seal) for seal in one.seals],
        [_der(certificate) for certificate in one.tls],
        json.dumps([[field.kind, field.label, field.domain, field.pattern, field.is_mandatory] for field in one.mask]),
        sorted(one.offers),
        sorted(one.asks),
        one.valid_until,
        one.is_suspended,
        one.fhir_url,
    )


async def delete(conn: Connection, country: str) -> None:
    """Remove the contact point of a country."""
    await conn.execute("DELETE FROM exchange_contact_point WHERE country = $1", country)


def _contact_point(row: Any) -> ContactPoint:
    return ContactPoint(
        country=row["country"],
        home=row["home"],
        languages=tuple(row["languages"]),
        endpoints={Transaction(name): url for name, url in json.loads(row["endpoints"]).items()},
        seals=tuple(map(x509.load_der_x509_certificate, row["seals"])),
        tls=tuple(map(x509.load_der_x509_certificate, row["tls"])),
        mask=tuple(MaskField(FieldKind(kind), *rest) for kind, *rest in json.loads(row["mask"])),
        offers=frozenset(row["offers"]),
        asks=frozenset(row["asks"]),
        valid_until=row["valid_until"],
        is_suspended=row["is_suspended"],
        fhir_url=row["fhir_url"],
    )


def _der(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(Encoding.DER)

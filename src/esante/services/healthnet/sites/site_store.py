"""SQL of sites."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from esante.core.storage import Connection, Database, Kind, Row, Table
from esante.identity.directory import Address
from esante.services.healthnet.sites.model import Contact, NetworkSite, SiteState

SITE = Table(
    "healthnet_site",
    Kind.LOCAL,
    {
        "site_id": "uuid",
        "key": "text",
        "provider_code": "text",
        "name": "text",
        "label": "text",
        "kind": "text",
        "profession": "text",
        "line": "text",
        "postal_code": "text",
        "city": "text",
        "service_class": "text",
        "contact_name": "text",
        "contact_phone": "text",
        "contact_email": "text",
        "state": "text",
        "is_quarantined": "boolean",
        "requested_at": "timestamptz",
        "requested_by": "text",
        "requested_by_id": "uuid",
        "decided_at": "timestamptz",
        "decided_by": "text",
        "reason": "text",
        "wireguard_key": "text",
        "enrolled_at": "timestamptz",
        "ended_at": "timestamptz",
    },
)
_SITE = f"SELECT {', '.join(SITE.columns)} FROM healthnet_site"  # noqa: S608 - declared in code
_SET = ", ".join(f"{name} = ${number}" for number, name in enumerate(SITE.columns, 1) if name != "site_id")
_UPDATE = f"UPDATE healthnet_site SET {_SET} WHERE site_id = $1"  # noqa: S608 - declared in code


async def next_number(conn: Connection) -> int:
    """Return a number that no site has had."""
    return int(await conn.fetchval("SELECT nextval('healthnet_site_number')"))


def site_row(site: NetworkSite) -> Row:
    """Return the row of a site."""
    return SITE, _values(site)


async def update(conn: Connection, site: NetworkSite) -> None:
    """Replace the row of a site."""
    await conn.execute(_UPDATE, *_values(site))


async def fetch(db: Database | Connection, site_id: UUID, *, lock: bool = False) -> NetworkSite | None:
    """Return a site, locked until the transaction ends if asked for, or None."""
    rows = await db.fetch(f"{_SITE} WHERE site_id = $1{' FOR UPDATE' if lock else ''}", site_id)
    return _site(rows[0]) if rows else None


async def fetch_by_key(db: Database, key: str) -> NetworkSite | None:
    """Return the site with a key, or None."""
    rows = await db.fetch(f"{_SITE} WHERE key = $1", key)
    return _site(rows[0]) if rows else None


async def fetch_states(db: Database | Connection, states: Sequence[SiteState]) -> list[NetworkSite]:
    """Return all sites in some states, by their keys."""
    rows = await db.fetch(f"{_SITE} WHERE state = ANY($1) ORDER BY key", [one.value for one in states])
    return [_site(row) for row in rows]


async def count_states(db: Database) -> dict[str, int]:
    """Return how many sites there are by state, and as `quarantined` how many of those that have addresses."""
    rows = await db.fetch(
        "SELECT state, count(*) AS found, count(*) FILTER (WHERE is_quarantined AND ended_at IS NULL) AS quarantined"
        " FROM healthnet_site GROUP BY state"
    )
    return {row["state"]: row["found"] for row in rows} | {"quarantined": sum(row["quarantined"] for row in rows)}


async def fetch_page(
    db: Database, codes: Sequence[str] | None, text: str, state: str, after: UUID | None, limit: int
) -> list[NetworkSite]:
    """Return sites of provider codes (None: of all), the newest first; `text`: a part of key, code, name or place."""
    rows = await db.fetch(
        f"{_SITE} WHERE ($1::text[] IS NULL OR provider_code = ANY($1)) AND ($2 = '' OR position(lower($2) IN"
        " lower(concat_ws(' ', key, provider_code, name, label, city))) > 0) AND ($3 = '' OR state = $3)"
        " AND ($4::uuid IS NULL OR site_id < $4) ORDER BY site_id DESC LIMIT $5",
        None if codes is None else [*codes],
        text,
        state,
        after,
        limit,
    )
    return [_site(row) for row in rows]


def _values(site: NetworkSite) -> tuple[Any, ...]:
    nested = {
        "line": site.address.line,
        "postal_code": site.address.postal_code,
        "city": site.address.city,
        "contact_name": site.contact.name,
        "contact_phone": site.contact.phone,
        "contact_email": site.contact.email,
        "state": site.state.value,
    }
    return tuple(nested[name] if name in nested else getattr(site, name) for name in SITE.columns)


def _site(row: Any) -> NetworkSite:
    plain = {name: row[name] for name in SITE.columns if name in NetworkSite.__slots__}
    plain["state"] = SiteState(row["state"])
    return NetworkSite(
        address=Address(row["line"], row["postal_code"], row["city"]),
        contact=Contact(name=row["contact_name"], phone=row["contact_phone"], email=row["contact_email"]),
        **plain,
    )

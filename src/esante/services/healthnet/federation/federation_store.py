"""SQL of agreements."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from esante.core.storage import Connection, Database, Kind, Table
from esante.services.healthnet.federation.model import Agreement, AgreementState, FederationKind, Terms

AGREEMENT = Table(
    "healthnet_agreement",
    Kind.LOCAL,
    {
        "agreement_id": "uuid",
        "federation": "text",
        "site": "text",
        "kind": "text",
        "peer_key": "text",
        "number": "integer",
        "network6": "cidr",
        "network4": "cidr",
        "valid_from": "date",
        "valid_until": "date",
        "document": "text",
        "state": "text",
        "proposed_at": "timestamptz",
        "proposed_by": "text",
        "proposed_by_id": "uuid",
    },
)
_LOCK = 0x686E_6664
_SELECT = "SELECT * FROM healthnet_agreement"


async def lock(conn: Connection) -> None:
    """Wait until nobody else changes agreements, and keep others from it until the transaction ends."""
    await conn.execute("SELECT pg_advisory_xact_lock($1)", _LOCK)


async def next_site(conn: Connection) -> str:
    """Return the key of a site that stands for another network, which none had."""
    number = int(await conn.fetchval("SELECT nextval('healthnet_federation_number')"))
    return f"F{number:05}"


async def insert_agreement(conn: Connection, one: Agreement) -> None:
    """Keep a new agreement."""
    terms = one.terms
    await conn.execute(
        "INSERT INTO healthnet_agreement (agreement_id, federation, site, kind, peer_key, number, network6, network4,"
        " uses, offers, sites, valid_from, valid_until, document, state, proposed_at, proposed_by, proposed_by_id)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)",
        one.agreement_id,
        terms.federation,
        one.site,
        terms.kind.value,
        one.peer_key,
        one.number,
        one.network6,
        one.network4,
        sorted(terms.uses),
        sorted(terms.offers),
        sorted(terms.sites),
        terms.valid_from,
        terms.valid_until,
        one.document,
        one.state.value,
        one.proposed_at,
        one.proposed_by,
        one.proposed_by_id,
    )


async def update_state(conn: Connection, one: Agreement) -> None:
    """Store the state of an agreement, and who decided it."""
    await conn.execute(
        "UPDATE healthnet_agreement SET state = $2, decided_at = $3, decided_by = $4, reason = $5"
        " WHERE agreement_id = $1",
        one.agreement_id,
        one.state.value,
        one.decided_at,
        one.decided_by,
        one.reason,
    )


async def fetch(db: Database | Connection, agreement_id: UUID) -> Agreement | None:
    """Return an agreement, or None."""
    rows = await db.fetch(f"{_SELECT} WHERE agreement_id = $1", agreement_id)
    return _agreement(rows[0]) if rows else None


async def fetch_states(db: Database | Connection, states: Sequence[AgreementState]) -> list[Agreement]:
    """Return the agreements in some states, by federation."""
    rows = await db.fetch(
        f"{_SELECT} WHERE state = ANY($1) ORDER BY federation, number", [one.value for one in states]
    )
    return [_agreement(row) for row in rows]


async def fetch_of(db: Database | Connection, federation: str) -> list[Agreement]:
    """Return the agreements of a federation, the newest first."""
    rows = await db.fetch(f"{_SELECT} WHERE federation = $1 ORDER BY number DESC", federation)
    return [_agreement(row) for row in rows]


async def fetch_page(db: Database, text: str, before: UUID | None, limit: int) -> list[Agreement]:
    """Return agreements, the newest first; `text`: a part of name, prefix or service."""
    rows = await db.fetch(
        f"{_SELECT} WHERE ($1 = '' OR position(lower($1) IN lower(concat_ws(' ', federation, site, network6::text,"
        " network4::text, array_to_string(uses || offers, ' ')))) > 0)"
        " AND ($2::uuid IS NULL OR agreement_id < $2) ORDER BY agreement_id DESC LIMIT $3",
        text,
        before,
        limit,
    )
    return [_agreement(row) for row in rows]


def _agreement(row: Any) -> Agreement:
    terms = Terms(
        federation=row["federation"],
        kind=FederationKind(row["kind"]),
        uses=frozenset(row["uses"]),
        offers=frozenset(row["offers"]),
        sites=frozenset(row["sites"]),
        valid_from=row["valid_from"],
        valid_until=row["valid_until"],
    )
    own = {name: row[name] for name in Agreement.__slots__ if name not in ("terms", "state")}
    return Agreement(terms=terms, state=AgreementState(row["state"]), **own)

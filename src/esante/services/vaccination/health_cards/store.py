"""SQL of health cards: cards of persons, revoked identifiers, public keys."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson

from esante.core.storage import Connection, Database, Kind, Row, Table
from esante.core.types import Json
from esante.services.vaccination.health_cards.model import HealthCard, PublishedKey

CARD = Table(
    "health_card",
    Kind.PERSON,
    {
        "person_id": "uuid",
        "card_id": "uuid",
        "kid": "text",
        "rid": "text",
        "dose_ids": "text",
        "jws": "text",
        "linked": "boolean",
        "issued_at": "timestamptz",
    },
)
REVOCATION = Table("health_card_revocation", Kind.LOCAL, {"kid": "text", "rid": "text", "revoked_at": "timestamptz"})
KEY = Table("health_card_key", Kind.LOCAL, {"kid": "text", "jwk": "jsonb", "created_at": "timestamptz"})
_CARD = "person_id, card_id, kid, rid, dose_ids, jws, linked, issued_at, revoked_at"


def card_row(card: HealthCard) -> Row:
    """Return the row of a new card; that of a link is kept without its content."""
    doses, jws = " ".join(map(str, card.dose_ids)), "" if card.linked else card.jws
    return CARD, (card.person_id, card.card_id, card.kid, card.rid, doses, jws, card.linked, card.issued_at)


async def find_cards(db: Database, person_id: UUID) -> list[HealthCard]:
    """Return a person's cards with a code, the latest first."""
    rows = await db.fetch(
        f"SELECT {_CARD} FROM health_card WHERE person_id = $1 AND NOT linked ORDER BY card_id DESC",  # noqa: S608 - constant
        person_id,
    )
    return [_card(row) for row in rows]


async def find_card(db: Database | Connection, person_id: UUID, card_id: UUID) -> HealthCard | None:
    """Return a card of a person with a code, or None."""
    row = await db.fetchrow(
        f"SELECT {_CARD} FROM health_card WHERE person_id = $1 AND card_id = $2 AND NOT linked",  # noqa: S608 - constant
        person_id,
        card_id,
    )
    return _card(row) if row else None


async def find_cards_with(conn: Connection, person_id: UUID, dose_ids: Sequence[UUID]) -> list[HealthCard]:
    """Return the valid cards of a person with one of some doses."""
    rows = await conn.fetch(
        f"SELECT {_CARD} FROM health_card WHERE person_id = $1 AND revoked_at IS NULL"  # noqa: S608 - constant
        " AND string_to_array(dose_ids, ' ')::uuid[] && $2::uuid[] ORDER BY card_id",
        person_id,
        dose_ids,
    )
    return [_card(row) for row in rows]


async def revoke(conn: Connection, card: HealthCard, at: datetime) -> bool:
    """Mark a card as revoked, unless it is, and publish its identifier; return whether it was marked."""
    tag = await conn.execute(
        "UPDATE health_card SET revoked_at = $3, jws = '' WHERE person_id = $1 AND card_id = $2"
        " AND revoked_at IS NULL",
        card.person_id,
        card.card_id,
        at,
    )
    if tag != "UPDATE 1":
        return False
    await conn.execute(
        "INSERT INTO health_card_revocation (kid, rid, revoked_at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
        card.kid,
        card.rid,
        at,
    )
    return True


async def add_key(conn: Connection, kid: str, jwk: Json, at: datetime) -> None:
    """Publish a public key, unless it is."""
    await conn.execute(
        "INSERT INTO health_card_key (kid, jwk, created_at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
        kid,
        orjson.dumps(jwk).decode(),
        at,
    )


async def is_published(db: Database, kid: str) -> bool:
    """Return whether a key is known."""
    return bool(await db.fetchval("SELECT EXISTS (SELECT FROM health_card_key WHERE kid = $1)", kid))


async def retire_others(conn: Connection, kid: str, at: datetime, *, compromised: bool) -> list[str]:
    """Retire all keys but one; return those that were in use. `compromised`: they are not published any more."""
    rows = await conn.fetch(
        "UPDATE health_card_key SET retired_at = $2, compromised = $3 WHERE kid <> $1 AND retired_at IS NULL"
        " RETURNING kid",
        kid,
        at,
        compromised,
    )
    return [row["kid"] for row in rows]


async def fetch_keys(db: Database) -> Sequence[PublishedKey]:
    """Return the published keys with their revoked cards, the oldest key first."""
    rows = await db.fetch(
        "SELECT k.kid, k.jwk, k.created_at, k.retired_at,"
        " coalesce(array_agg(r.rid ORDER BY r.revoked_at, r.rid) FILTER (WHERE r.rid IS NOT NULL), '{}') AS rids"
        " FROM health_card_key k LEFT JOIN health_card_revocation r USING (kid)"
        " WHERE NOT k.compromised GROUP BY k.kid ORDER BY k.created_at, k.kid"
    )
    return [
        PublishedKey(
            kid=row["kid"],
            jwk=orjson.loads(row["jwk"]) if isinstance(row["jwk"], str) else row["jwk"],
            created_at=row["created_at"],
            retired_at=row["retired_at"],
            rids=tuple(row["rids"]),
        )
        for row in rows
    ]


async def delete_of_person(conn: Connection, person_id: UUID) -> int:
    """Delete a person's cards, which so become invalid for everybody; return how many."""
    await conn.execute(
        "INSERT INTO health_card_revocation (kid, rid, revoked_at)"
        " SELECT kid, rid, now() FROM health_card WHERE person_id = $1 AND revoked_at IS NULL ON CONFLICT DO NOTHING",
        person_id,
    )
    tag: str = await conn.execute("DELETE FROM health_card WHERE person_id = $1", person_id)
    return int(tag.rpartition(" ")[2])


def _card(row: Any) -> HealthCard:
    found = dict(row)
    return HealthCard(**found | {"dose_ids": tuple(map(UUID, found["dose_ids"].split()))})

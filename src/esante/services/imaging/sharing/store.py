"""SQL of shared studies: links, and the visits of their recipients."""

from datetime import datetime
from typing import Any
from uuid import UUID

from esante.core.storage import Connection, Database, Kind, Row, Table
from esante.services.imaging.sharing.model import Share

SHARE = Table(
    "imaging_share",
    Kind.LOCAL,
    {
        "address_hash": "bytea",
        "person_id": "uuid",
        "share_id": "uuid",
        "study_uid": "text",
        "label": "text",
        "downloads": "boolean",
        "pin_hash": "bytea",
        "attempts_left": "integer",
        "created_at": "timestamptz",
        "expires_at": "timestamptz",
    },
)
VISIT = Table(
    "imaging_share_visit",
    Kind.LOCAL,
    {"visit_hash": "bytea", "address_hash": "bytea", "recipient": "text", "expires_at": "timestamptz"},
)
_SHARE = (
    "share_id, person_id, study_uid, label, downloads, attempts_left, created_at, imaging_share.expires_at, ended_at,"
    " end_cause, openings, opened_at"
)


def share_row(share: Share, address_hash: bytes, pin_hash: bytes) -> Row:
    """Return the row of a new link."""
    head = (address_hash, share.person_id, share.share_id, share.study_uid, share.label, share.downloads, pin_hash)
    return SHARE, (*head, share.attempts_left, share.created_at, share.expires_at)


async def find_shares(db: Database, person_id: UUID, study_uid: str) -> list[Share]:
    """Return the links to a study of a person, the latest first."""
    rows = await db.fetch(
        f"SELECT {_SHARE} FROM imaging_share WHERE person_id = $1 AND study_uid = $2"  # noqa: S608 - constant
        " ORDER BY created_at DESC, share_id",
        person_id,
        study_uid,
    )
    return [Share(**row) for row in rows]


async def lock_own(conn: Connection, person_id: UUID, share_id: UUID) -> tuple[bytes, Share] | None:
    """Return the hash of the address and a link of a person, locked until the end of the transaction; None."""
    row = await conn.fetchrow(
        f"SELECT address_hash, {_SHARE} FROM imaging_share"  # noqa: S608 - constant
        " WHERE person_id = $1 AND share_id = $2 FOR UPDATE",
        person_id,
        share_id,
    )
    return (row["address_hash"], _share(row)) if row else None


async def lock_by_address(conn: Connection, address_hash: bytes) -> tuple[bytes, Share] | None:
    """Return the hash of the PIN and a link, locked until the end of the transaction: one attempt after the other."""
    row = await conn.fetchrow(
        f"SELECT pin_hash, {_SHARE} FROM imaging_share WHERE address_hash = $1 FOR UPDATE",  # noqa: S608 - constant
        address_hash,
    )
    return (row["pin_hash"], _share(row)) if row else None


async def count_wrong_pin(conn: Connection, address_hash: bytes) -> None:
    """Take one of the attempts of a link."""
    await conn.execute(
        "UPDATE imaging_share SET attempts_left = attempts_left - 1 WHERE address_hash = $1", address_hash
    )


async def count_opening(conn: Connection, address_hash: bytes, at: datetime) -> None:
    """Count an opening of a link."""
    await conn.execute(
        "UPDATE imaging_share SET openings = openings + 1, opened_at = $2 WHERE address_hash = $1", address_hash, at
    )


async def end(conn: Connection, address_hash: bytes, at: datetime, cause: str) -> None:
    """End a link, and every visit by it."""
    await conn.execute(
        "UPDATE imaging_share SET ended_at = $2, end_cause = $3 WHERE address_hash = $1", address_hash, at, cause
    )
    await conn.execute("DELETE FROM imaging_share_visit WHERE address_hash = $1", address_hash)


async def find_visit(db: Database, address_hash: bytes, visit_hash: bytes, now: datetime) -> tuple[str, Share] | None:
    """Return the recipient and the link of a visit that goes on, by a link that works; None."""
    row = await db.fetchrow(
        f"SELECT recipient, {_SHARE} FROM imaging_share_visit v JOIN imaging_share USING (address_hash)"  # noqa: S608
        " WHERE visit_hash = $1 AND address_hash = $2 AND v.expires_at > $3"
        " AND ended_at IS NULL AND imaging_share.expires_at > $3",
        visit_hash,
        address_hash,
        now,
    )
    return (row["recipient"], _share(row)) if row else None


async def add_series(conn: Connection, visit_hash: bytes, opened: str) -> bool | None:
    """Note that a series is opened in a visit; return whether for the first time, None for a visit that ended."""
    known: bool | None = await conn.fetchval(
        "SELECT series @> $2 FROM imaging_share_visit WHERE visit_hash = $1 FOR UPDATE", visit_hash, [opened]
    )
    if known is False:
        await conn.execute(
            "UPDATE imaging_share_visit SET series = series || $2 WHERE visit_hash = $1", visit_hash, [opened]
        )
    return None if known is None else not known


async def delete_visits(db: Database, now: datetime) -> None:
    """Delete the visits whose time is over."""
    async with db.transaction() as conn:
        await conn.execute("DELETE FROM imaging_share_visit WHERE expires_at <= $1", now)


async def delete_of_person(conn: Connection, person_id: UUID) -> int:
    """Delete a person's links; return how many."""
    tag: str = await conn.execute("DELETE FROM imaging_share WHERE person_id = $1", person_id)
    return int(tag.rpartition(" ")[2])


def _share(row: Any) -> Share:
    found = dict(row)
    return Share(**{name.rpartition(".")[2]: found[name.rpartition(".")[2]] for name in _SHARE.split(", ")})

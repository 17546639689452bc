"""The SQL of retention: what ends when, agreements, deletion for good."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from esante.core.storage import INLINE_LIMIT, Connection, Database, Kind, Row, Table
from esante.services.record.retention.rules import FOR_LIFE

AGREEMENT = Table(
    "retention_agreement",
    Kind.PERSON,
    {
        "person_id": "uuid",
        "agreement_id": "uuid",
        "source_id": "uuid",
        "until": "date",
        "state": "text",
        "proposer_id": "uuid",
        "proposer": "text",
        "organization": "text",
        "proposed_at": "timestamptz",
        "decided_at": "timestamptz",
    },
)
REMOVAL = Table("document_removal", Kind.LOCAL, {"sha256": "bytea", "since": "timestamptz"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """What a person agreed to about how long a source is kept (`state`: proposed, agreed, refused or ended)."""

    id: UUID
    person_id: UUID
    source_id: UUID
    until: date
    state: str
    proposer_id: UUID | None
    proposer: str
    organization: str
    proposed_at: datetime
    decided_at: datetime | None

    @property
    def is_for_life(self) -> bool:
        """Whether the source is kept for as long as the record is open."""
        return self.until == FOR_LIFE


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptContribution:
    """A contribution of clinical data, and the day on which the first of its resources ends."""

    id: UUID
    category: str
    author: str
    organization: str
    expires_on: date | None
    notified_on: date | None


# What ends when


async def fetch_undated(db: Database, limit: int) -> list[tuple[UUID, UUID, datetime]]:
    """Return documents whose last day is not computed yet: person, document, moment of deposit."""
    rows = await db.fetch(
        "SELECT person_id, document_id, deposited_at FROM document WHERE expires_on IS NULL LIMIT $1", limit
    )
    return [(row["person_id"], row["document_id"], row["deposited_at"]) for row in rows]


async def fetch_undated_contributions(db: Database, limit: int) -> list[tuple[UUID, UUID, datetime]]:
    """Return contributions whose last day is not computed yet: person, contribution, moment of the first."""
    rows = await db.fetch(
        "SELECT person_id, contribution_id, began_at FROM contribution WHERE expires_on IS NULL LIMIT $1", limit
    )
    return [(row["person_id"], row["contribution_id"], row["began_at"]) for row in rows]


async def set_days(conn: Connection, table: str, rows: Sequence[tuple[UUID, UUID, date]]) -> None:
    """Write the last day of documents or contributions where it is not computed yet: person, key, day."""
    key = {"document": "document_id", "contribution": "contribution_id"}[table]
    await conn.execute(
        f"UPDATE {table} t SET expires_on = w.day FROM unnest($1::uuid[], $2::uuid[], $3::date[])"  # noqa: S608
        f" AS w (person_id, key, day) WHERE t.person_id = w.person_id AND t.{key} = w.key AND t.expires_on IS NULL",
        *(list(column) for column in zip(*rows, strict=True)),
    )


async def fetch_unnotified_persons(db: Database, upto: date, limit: int) -> list[UUID]:
    """Return persons of whose documents or clinical data something ends by a day of which they were not told."""
    rows = await db.fetch(
        "SELECT person_id FROM document WHERE expires_on <= $1 AND notified_on IS NULL UNION"
        " SELECT person_id FROM contribution WHERE expires_on <= $1 AND notified_on IS NULL LIMIT $2",
        upto,
        limit,
    )
    return [row["person_id"] for row in rows]


async def mark_notified(conn: Connection, person_id: UUID, upto: date, today: date) -> list[str]:
    """Write that a person is told today of what ends by a day; return the category of each thing."""
    found = []
    for table in ("document", "contribution"):
        rows = await conn.fetch(
            f"UPDATE {table} SET notified_on = $3 WHERE person_id = $1 AND expires_on <= $2 AND notified_on IS NULL"  # noqa: S608
            " RETURNING category",
            person_id,
            upto,
            today,
        )
        found += [row["category"] for row in rows]
    return found


async def fetch_ended(conn: Connection, person_id: UUID, upto: date, limit: int) -> list[UUID]:
    """Return, locked, documents that end by a day, of which the person was told; the oldest first."""
    rows = await conn.fetch(
        "SELECT document_id FROM document WHERE person_id = $1 AND expires_on <= $2 AND notified_on IS NOT NULL"
        " ORDER BY document_id LIMIT $3 FOR UPDATE",
        person_id,
        upto,
        limit,
    )
    return [row["document_id"] for row in rows]


async def fetch_documents(conn: Connection, person_id: UUID, limit: int) -> list[UUID]:
    """Return, locked, any documents of a person."""
    rows = await conn.fetch(
        "SELECT document_id FROM document WHERE person_id = $1 ORDER BY document_id LIMIT $2 FOR UPDATE",
        person_id,
        limit,
    )
    return [row["document_id"] for row in rows]


@dataclass(frozen=True, slots=True)
class DeletedDocuments:
    """Documents that were deleted: their categories, and how many were the current version."""

    categories: frozenset[str]
    current: int


async def delete_documents(
    conn: Connection, person_id: UUID, documents: Collection[UUID], now: datetime
) -> DeletedDocuments:
    """Delete documents with their bytes for good; contents in the object store are noted for their removal."""
    keys = list(documents)
    wholes = await conn.fetch(
        "DELETE FROM document_whole WHERE person_id = $1 AND document_id = ANY ($2::uuid[]) RETURNING sha256, size",
        person_id,
        keys,
    )
    for table in ("document_opening", "document_content"):
        await conn.execute(
            f"DELETE FROM {table} WHERE person_id = $1 AND document_id = ANY ($2::uuid[])",  # noqa: S608
            person_id,
            keys,
        )
    await conn.execute(
        "UPDATE document SET replaces = NULL WHERE person_id = $1 AND replaces = ANY ($2::uuid[])", person_id, keys
    )
    rows = await conn.fetch(
        "DELETE FROM document WHERE person_id = $1 AND document_id = ANY ($2::uuid[])"
        " RETURNING category, status, sha256, size",
        person_id,
        keys,
    )
    await note_removals(conn, {row["sha256"] for row in (*rows, *wholes) if row["size"] > INLINE_LIMIT}, now)
    current = sum(row["status"] == "current" for row in rows)
    return DeletedDocuments(frozenset(row["category"] for row in rows), current)


async def fetch_ended_contributions(conn: Connection, person_id: UUID, upto: date) -> list[tuple[UUID, str]]:
    """Return key and category of contributions of which something ends by a day that the person was told of."""
    rows = await conn.fetch(
        "SELECT contribution_id, category FROM contribution WHERE person_id = $1 AND expires_on <= $2"
        " AND notified_on IS NOT NULL ORDER BY contribution_id FOR UPDATE",
        person_id,
        upto,
    )
    return [(row["contribution_id"], row["category"]) for row in rows]


async def set_contribution_day(conn: Connection, person_id: UUID, id_: UUID, day: date) -> None:
    """Write the day on which the first of a contribution's resources ends."""
    await conn.execute(
        "UPDATE contribution SET expires_on = $3, notified_on = NULL WHERE person_id = $1 AND contribution_id = $2",
        person_id,
        id_,
        day,
    )


async def fetch_contributions(db: Database | Connection, person_id: UUID) -> list[KeptContribution]:
    """Return the contributions of a person, what ends first first."""
    rows = await db.fetch(
        "SELECT contribution_id, category, author, organization, expires_on, notified_on FROM contribution"
        " WHERE person_id = $1 ORDER BY expires_on, contribution_id",
        person_id,
    )
    return [KeptContribution(id=row[0], **dict(list(row.items())[1:])) for row in rows]


async def delete_rest(conn: Connection, person_id: UUID) -> int:
    """Delete what is left of a record without documents and resources: contributions, agreements; return how many."""
    count = 0
    for table in ("contribution", "retention_agreement", "statement_question"):
        status = await conn.execute(f"DELETE FROM {table} WHERE person_id = $1", person_id)  # noqa: S608
        count += int(status.rpartition(" ")[2])
    return count


async def existing_documents(conn: Connection, person_id: UUID, keys: Collection[UUID]) -> set[UUID]:
    """Return those of a person's documents that exist."""
    rows = await conn.fetch(
        "SELECT document_id FROM document WHERE person_id = $1 AND document_id = ANY ($2::uuid[])",
        person_id,
        list(keys),
    )
    return {row["document_id"] for row in rows}


# Agreements


def agreement_row(agreement: Agreement) -> Row:
    """Return the row of a new agreement."""
    values: dict[str, Any] = {
        name: getattr(agreement, "id" if name == "agreement_id" else name) for name in AGREEMENT.columns
    }
    return AGREEMENT, tuple(values.values())


async def fetch_agreements(
    db: Database | Connection, person_id: UUID, states: Sequence[str] = ("proposed", "agreed")
) -> list[Agreement]:
    """Return a person's agreements in some states, the newest first."""
    rows = await db.fetch(
        "SELECT * FROM retention_agreement WHERE person_id = $1 AND state = ANY ($2) ORDER BY agreement_id DESC",
        person_id,
        list(states),
    )
    return [_agreement(row) for row in rows]


async def lock_agreement(conn: Connection, person_id: UUID, agreement_id: UUID) -> Agreement | None:
    """Return an agreement, locked until the end of the transaction, or None."""
    row = await conn.fetchrow(
        "SELECT * FROM retention_agreement WHERE person_id = $1 AND agreement_id = $2 FOR UPDATE",
        person_id,
        agreement_id,
    )
    return _agreement(row) if row else None


async def set_agreement_state(conn: Connection, agreement: Agreement, state: str, at: datetime) -> None:
    """Write the state of an agreement."""
    await conn.execute(
        "UPDATE retention_agreement SET state = $3, decided_at = $4 WHERE person_id = $1 AND agreement_id = $2",
        agreement.person_id,
        agreement.id,
        state,
        at,
    )


async def end_agreements(conn: Connection, person_id: UUID, source_id: UUID, at: datetime) -> None:
    """End what was proposed or agreed about a source."""
    await conn.execute(
        "UPDATE retention_agreement SET state = 'ended', decided_at = $3"
        " WHERE person_id = $1 AND source_id = $2 AND state IN ('proposed', 'agreed')",
        person_id,
        source_id,
        at,
    )


async def end_proposals(conn: Connection, person_id: UUID, source_id: UUID, at: datetime) -> None:
    """End what was proposed about a source and not answered."""
    await conn.execute(
        "UPDATE retention_agreement SET state = 'ended', decided_at = $3"
        " WHERE person_id = $1 AND source_id = $2 AND state = 'proposed'",
        person_id,
        source_id,
        at,
    )


async def fetch_deposits(conn: Connection, person_id: UUID, source_id: UUID) -> list[tuple[UUID, datetime]]:
    """Return key and moment of deposit of the versions of a document."""
    rows = await conn.fetch(
        "SELECT document_id, deposited_at FROM document WHERE person_id = $1 AND series_id = $2", person_id, source_id
    )
    return [(row["document_id"], row["deposited_at"]) for row in rows]


async def set_source_day(conn: Connection, person_id: UUID, source_id: UUID, until: date | None) -> None:
    """Write the last day of all versions of a document, or of a contribution; None: as without any agreement.

    The person is told again before the end.
    """
    for table, key in (("document", "series_id"), ("contribution", "contribution_id")):
        await conn.execute(
            f"UPDATE {table} SET expires_on = $3, notified_on = NULL WHERE person_id = $1 AND {key} = $2",  # noqa: S608
            person_id,
            source_id,
            until,
        )


def _agreement(row: Any) -> Agreement:
    values = dict(row)
    return Agreement(id=values.pop("agreement_id"), **values)


# Contents in the object store


async def note_removals(conn: Connection, digests: Collection[bytes], now: datetime) -> None:
    """Note contents that may be removed from the object store."""
    await conn.execute(
        "INSERT INTO document_removal (sha256, since) SELECT unnest($1::bytea[]), $2"
        " ON CONFLICT (sha256) DO UPDATE SET since = excluded.since",
        list(digests),
        now,
    )


async def delay_removal(db: Database, digest: bytes, now: datetime) -> None:
    """Begin the time anew after which a content is removed that is about to be deposited again."""
    await db.fetchval("UPDATE document_removal SET since = $2 WHERE sha256 = $1 RETURNING true", digest, now)


async def lock_removal(conn: Connection, before: datetime) -> bytes | None:
    """Return a content that was noted before a moment, locked until the end of the transaction; None for none."""
    digest: bytes | None = await conn.fetchval(
        "SELECT sha256 FROM document_removal WHERE since < $1 ORDER BY since LIMIT 1 FOR UPDATE SKIP LOCKED", before
    )
    return digest


async def is_referred_to(conn: Connection, digest: bytes) -> bool:
    """Return whether any document of anybody has a content of the object store."""
    return bool(
        await conn.fetchval(
            f"SELECT EXISTS (SELECT FROM document WHERE sha256 = $1 AND size > {INLINE_LIMIT})"  # noqa: S608
            f" OR EXISTS (SELECT FROM document_whole WHERE sha256 = $1 AND size > {INLINE_LIMIT})",
            digest,
        )
    )


async def forget_removal(conn: Connection, digest: bytes) -> None:
    """Delete the note about a content."""
    await conn.execute("DELETE FROM document_removal WHERE sha256 = $1", digest)

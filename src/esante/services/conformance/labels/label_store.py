"""The SQL of labels and their reviews."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from esante.core.storage import Connection, Database, Kind, Row, Table
from esante.services.conformance.labels.model import Label, LabelState, ListedLabel, Review

LABEL = Table(
    "conformance_label",
    Kind.LOCAL,
    {
        "label_id": "uuid",
        "version_id": "uuid",
        "vendor_id": "uuid",
        "run_id": "uuid",
        "kit": "text",
        "kit_version": "text",
        "state": "text",
        "applied_at": "timestamptz",
        "granted_at": "timestamptz",
        "until": "date",
        "run_again_by": "date",
        "ended_at": "timestamptz",
        "cause": "text",
        "reason": "text",
    },
)
REVIEW = Table(
    "conformance_label_review",
    Kind.LOCAL,
    {
        "label_id": "uuid",
        "operator_id": "uuid",
        "operator": "text",
        "at": "timestamptz",
        "approved": "boolean",
        "reason": "text",
    },
)
_LISTED = """
    SELECT l.*, p.product_id, p.name AS product, p.vendor, v.version AS version_name
    FROM conformance_label AS l JOIN conformance_version AS v USING (version_id)
        JOIN conformance_product AS p USING (product_id)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelSearch:
    """Which labels are searched: of a state and a kit ("" for any), with every word somewhere.

    `holds_on`: only those that hold on a day.
    """

    words: Sequence[str] = ()
    state: str = ""
    kit: str = ""
    holds_on: date | None = None


def label_row(label: Label) -> Row:
    """Return the row of a label."""
    return LABEL, (
        label.label_id,
        label.version_id,
        label.vendor_id,
        label.run_id,
        label.kit,
        label.kit_version,
        label.state.value,
        label.applied_at,
        label.granted_at,
        label.until,
        label.run_again_by,
        label.ended_at,
        label.cause,
        label.reason,
    )


def review_row(review: Review) -> Row:
    """Return the row of a review."""
    return REVIEW, (
        review.label_id,
        review.operator_id,
        review.operator,
        review.at,
        review.approved,
        review.reason,
    )


async def search(db: Database, wanted: LabelSearch, before: UUID | None, limit: int) -> list[ListedLabel]:
    """Return the newest labels with the names of their software, before a label."""
    rows = await db.fetch(
        f"""
        {_LISTED}
        WHERE ($1 = '' OR l.state = $1) AND ($2 = '' OR l.kit = $2) AND ($3::uuid IS NULL OR l.label_id < $3)
          AND ($4::date IS NULL OR (l.until >= $4 AND coalesce(l.run_again_by, l.until) >= $4))
          AND NOT EXISTS (SELECT FROM unnest($5::text[]) AS w (word)
              WHERE position(w.word IN lower(concat_ws(' ', p.vendor, p.name, v.version, l.kit))) = 0)
        ORDER BY l.label_id DESC LIMIT $6
        """,
        wanted.state,
        wanted.kit,
        before,
        wanted.holds_on,
        list(wanted.words),
        limit,
    )
    return [_listed(row) for row in rows]


async def find_listed(db: Database, label_id: UUID) -> ListedLabel | None:
    """Return a label with the names of its software, or None."""
    row = await db.fetchrow(f"{_LISTED} WHERE l.label_id = $1", label_id)
    return _listed(row) if row else None


async def lock_label(conn: Connection, label_id: UUID) -> Label | None:
    """Return a label, locked until the end of the transaction; None for an unknown one."""
    row = await conn.fetchrow("SELECT * FROM conformance_label WHERE label_id = $1 FOR UPDATE", label_id)
    return _label(row) if row else None


async def fetch_labels(db: Database | Connection, versions: Sequence[UUID]) -> list[Label]:
    """Return the labels of versions and applications for them, newest first."""
    rows = await db.fetch(
        "SELECT * FROM conformance_label WHERE version_id = ANY($1) ORDER BY label_id DESC", list(versions)
    )
    return [_label(row) for row in rows]


async def fetch_of_vendor(db: Database, vendor_id: UUID, limit: int) -> list[ListedLabel]:
    """Return the newest labels of a vendor and applications for them."""
    rows = await db.fetch(f"{_LISTED} WHERE l.vendor_id = $1 ORDER BY l.label_id DESC LIMIT $2", vendor_id, limit)
    return [_listed(row) for row in rows]


async def granted_ids(db: Database) -> list[UUID]:
    """Return the ids of the labels that are granted."""
    rows = await db.fetch("SELECT label_id FROM conformance_label WHERE state = 'granted' ORDER BY label_id")
    return [row["label_id"] for row in rows]


async def lock_granted(conn: Connection, version_id: UUID, kit: str) -> Label | None:
    """Return the granted label of a version for a kit, locked, or None."""
    row = await conn.fetchrow(
        "SELECT * FROM conformance_label WHERE version_id = $1 AND kit = $2 AND state = 'granted' FOR UPDATE",
        version_id,
        kit,
    )
    return _label(row) if row else None


async def count_applied(db: Database, most: int) -> int:
    """Return how many applications wait for a decision; at most `most`."""
    found: int = await db.fetchval(
        "SELECT count(*) FROM (SELECT FROM conformance_label WHERE state = 'applied' LIMIT $1) AS waiting", most
    )
    return found


async def fetch_reviews(db: Database | Connection, label_id: UUID) -> list[Review]:
    """Return the reviews of an application, the oldest first."""
    rows = await db.fetch("SELECT * FROM conformance_label_review WHERE label_id = $1 ORDER BY at", label_id)
    return [Review(**row) for row in rows]


async def write_label(conn: Connection, label: Label) -> None:
    """Write what can change of a label."""
    await conn.execute(
        "UPDATE conformance_label SET state = $2, granted_at = $3, until = $4, run_again_by = $5, ended_at = $6,"
        " cause = $7, reason = $8 WHERE label_id = $1",
        label.label_id,
        label.state.value,
        label.granted_at,
        label.until,
        label.run_again_by,
        label.ended_at,
        label.cause,
        label.reason,
    )


def _label(row: Any) -> Label:
    return Label(**{**{name: row[name] for name in LABEL.columns}, "state": LabelState(row["state"])})


def _listed(row: Any) -> ListedLabel:
    return ListedLabel(
        label=_label(row),
        product_id=row["product_id"],
        product=row["product"],
        vendor=row["vendor"],
        version=row["version_name"],
    )

"""SQL of lots and recalls. Doses are found by their lot as lots are compared (`lot_key`)."""

from collections.abc import Sequence
from datetime import date
from uuid import UUID

from esante.core.storage import Connection, Database, Kind, Row, Table
from esante.services.vaccination.products.catalogue import normal_lot
from esante.services.vaccination.recalls.model import LotDose, LotRecall, RecallProgress

RECALL = Table(
    "vaccination_lot_recall",
    Kind.LOCAL,
    {
        "recall_id": "uuid",
        "product": "text",
        "lot": "text",
        "lot_key": "text",
        "recalled_on": "date",
        "reason": "text",
        "source": "text",
        "entered_at": "timestamptz",
        "entered_by": "text",
    },
)
NOTIFIED = Table(
    "vaccination_recall", Kind.PERSON, {"person_id": "uuid", "dose_id": "uuid", "recalled_on": "date"}, once=True
)
_RECALL = (
    "SELECT recall_id, product, lot, recalled_on, reason, source, entered_at, entered_by, lifted_at"
    " FROM vaccination_lot_recall"
)
_DOSES = " FROM vaccination_dose d WHERE d.lot = $1 AND d.lot <> '' AND ($2 = '' OR d.product IN ($2, ''))"
_NOT_NOTIFIED = (
    " AND NOT EXISTS (SELECT FROM vaccination_recall r"
    " WHERE r.person_id = d.person_id AND r.dose_id = d.dose_id AND r.recalled_on = $3)"
)


def recall_row(recall: LotRecall) -> Row:
    """Return the row of a recall."""
    values = recall.recalled_on, recall.reason, recall.source, recall.entered_at, recall.entered_by
    return RECALL, (recall.id, recall.product, recall.lot, normal_lot(recall.lot), *values)


async def is_recalled(db: Database | Connection, product: str, lot: str) -> bool:
    """Return whether an operator recalled a lot of a product."""
    sql = (
        "SELECT EXISTS (SELECT FROM vaccination_lot_recall WHERE product = $1 AND lot_key = $2 AND lot_key <> ''"
        " AND lifted_at IS NULL)"
    )
    return bool(await db.fetchval(sql, product, normal_lot(lot)))


async def fetch_recalls(db: Database, text: str, before: UUID | None, limit: int) -> list[LotRecall]:
    """Return recalls, the newest first; `text`: a part of the lot or a product."""
    rows = await db.fetch(
        f"{_RECALL} WHERE ($1 = '' OR lot_key LIKE '%' || $2 || '%' AND $2 <> '' OR product = $1)"
        " AND ($3::uuid IS NULL OR recall_id < $3) ORDER BY recall_id DESC LIMIT $4",
        text,
        normal_lot(text),
        before,
        limit,
    )
    return [_recall(row) for row in rows]


async def fetch_recall(db: Database | Connection, recall_id: UUID) -> LotRecall | None:
    """Return a recall, or None."""
    row = await db.fetchrow(f"{_RECALL} WHERE recall_id = $1", recall_id)
    return _recall(row) if row else None


async def fetch_active(db: Database) -> list[LotRecall]:
    """Return the recalls that were not lifted."""
    return [_recall(row) for row in await db.fetch(f"{_RECALL} WHERE lifted_at IS NULL ORDER BY recall_id")]


async def lock_free_lot(conn: Connection, product: str, lot: str) -> bool:
    """Return whether a lot is not recalled; nobody else recalls it until the end of the transaction."""
    await conn.execute("SELECT pg_advisory_xact_lock(hashtextextended('vaccination recall', 0))")
    return not await is_recalled(conn, product, lot)


async def lift(conn: Connection, recall_id: UUID) -> bool:
    """Lift a recall; return whether there was one in force."""
    status = await conn.execute(
        "UPDATE vaccination_lot_recall SET lifted_at = now() WHERE recall_id = $1 AND lifted_at IS NULL", recall_id
    )
    return bool(status.endswith(" 1"))


async def count_doses(db: Database, lot: str, product: str) -> int:
    """Return how many doses of a lot are known; `product` "": of any product."""
    return int(await db.fetchval(f"SELECT count(*){_DOSES}", normal_lot(lot), product))


async def fetch_doses(db: Database, lot: str, product: str, after: UUID | None, limit: int) -> list[LotDose]:
    """Return doses of a lot by person, those of persons after one."""
    rows = await db.fetch(
        f"SELECT d.person_id, d.dose_id, d.occurred, d.product, d.lot, d.organization_id{_DOSES}"
        " AND ($3::uuid IS NULL OR d.person_id > $3) ORDER BY d.person_id, d.dose_id LIMIT $4",
        normal_lot(lot),
        product,
        after,
        limit,
    )
    return [LotDose(*row) for row in rows]


async def progress(db: Database, recall: LotRecall) -> RecallProgress:
    """Return how far the notification of a recall is."""
    row = await db.fetchrow(
        f"SELECT count(*), count(*) FILTER (WHERE TRUE{_NOT_NOTIFIED}){_DOSES}",
        normal_lot(recall.lot),
        recall.product,
        recall.recalled_on,
    )
    return RecallProgress(int(row[0]), int(row[0]) - int(row[1])) if row else RecallProgress(0, 0)


async def lock_unnotified(
    conn: Connection, product: str, lot: str, recalled_on: date, limit: int
) -> list[tuple[UUID, UUID]]:
    """Return doses (person, dose) of a recalled lot of which nobody was notified; nobody else notifies meanwhile."""
    await conn.execute("SELECT pg_advisory_xact_lock(hashtextextended('vaccination recall', 0))")
    rows = await conn.fetch(
        f"SELECT d.person_id, d.dose_id{_DOSES}{_NOT_NOTIFIED} ORDER BY d.person_id, d.dose_id LIMIT $4",
        normal_lot(lot),
        product,
        recalled_on,
        limit,
    )
    return [(row[0], row[1]) for row in rows]


def _recall(row: Sequence[object]) -> LotRecall:
    names = ("id", "product", "lot", "recalled_on", "reason", "source", "entered_at", "entered_by", "lifted_at")
    return LotRecall(**dict(zip(names, row, strict=True)))  # type: ignore[arg-type]

"""SQL of stock: movements, levels, breaks of the cold chain. Rows of several sites are locked in one order."""

from collections.abc import Collection, Sequence
from datetime import date
from typing import Any
from uuid import UUID

from esante.core.storage import Connection, Database, Kind, Row, Table
from esante.services.vaccination.products.catalogue import normal_lot
from esante.services.vaccination.stock.model import (
    ColdChainBreak,
    EntryKind,
    LotAt,
    ProductLevel,
    StockEntry,
    StockLevel,
)

ENTRY = Table(
    "vaccination_stock_entry",
    Kind.LOCAL,
    {
        "entry_id": "uuid",
        "organization_id": "uuid",
        "product": "text",
        "lot": "text",
        "lot_key": "text",
        "kind": "text",
        "quantity": "integer",
        "expires_on": "date",
        "other_id": "uuid",
        "ref": "uuid",
        "note": "text",
        "at": "timestamptz",
        "by_name": "text",
    },
)
BREAK = Table(
    "vaccination_break",
    Kind.LOCAL,
    {
        "break_id": "uuid",
        "organization_id": "uuid",
        "product": "text",
        "lot": "text",
        "lot_key": "text",
        "first_day": "date",
        "last_day": "date",
        "note": "text",
        "at": "timestamptz",
        "by_name": "text",
    },
)
STOCK = Table("vaccination_stock", Kind.LOCAL, {"organization_id": "uuid", "product": "text", "lot_key": "text"})
REORDER = Table("vaccination_reorder", Kind.LOCAL, {"organization_id": "uuid", "product": "text"})
_SUSPECT = (
    "EXISTS (SELECT FROM vaccination_break b WHERE b.lot_key = s.lot_key AND b.organization_id = s.organization_id"
    " AND b.product = s.product AND b.cleared_at IS NULL)"
)
_BREAK = (
    "SELECT break_id, organization_id, product, lot, first_day, last_day, note, at, by_name, cleared_at"
    " FROM vaccination_break"
)


def entry_row(entry: StockEntry) -> Row:
    """Return the row of a movement."""
    place = entry.place
    return ENTRY, (
        entry.id,
        place.organization_id,
        place.product,
        place.lot,
        normal_lot(place.lot),
        entry.kind.value,
        entry.quantity,
        entry.expires_on,
        entry.other_id,
        entry.ref,
        entry.note,
        entry.at,
        entry.by,
    )


def break_row(one: ColdChainBreak) -> Row:
    """Return the row of a break of the cold chain."""
    place = one.place
    values = one.first_day, one.last_day, one.note, one.at, one.by
    return BREAK, (one.id, place.organization_id, place.product, place.lot, normal_lot(place.lot), *values)


async def lock(conn: Connection, places: Collection[LotAt], since: date, *, create: bool) -> dict[LotAt, StockLevel]:
    """Return what there is of lots at sites, locked until the end of the transaction, in one order for everybody.

    `create`: sites that keep no account of the lot begin to, with nothing.
    """
    found = {}
    for place in sorted(places, key=lambda one: (one.organization_id.bytes, one.product, normal_lot(one.lot))):
        key = place.organization_id, place.product, normal_lot(place.lot)
        if create:
            await conn.execute(
                "INSERT INTO vaccination_stock (organization_id, product, lot_key, lot, since, quantity)"
                " VALUES ($1, $2, $3, $4, $5, 0) ON CONFLICT DO NOTHING",
                *key,
                place.lot,
                since,
            )
        row = await conn.fetchrow(
            f"SELECT s.quantity, s.expires_on, {_SUSPECT} FROM vaccination_stock s"  # noqa: S608 - a constant
            " WHERE organization_id = $1 AND product = $2 AND lot_key = $3 FOR UPDATE OF s",
            *key,
        )
        if row:
            found[place] = StockLevel(place, *row)
    return found


async def move(conn: Connection, entry: StockEntry) -> None:
    """Apply a movement to a locked row."""
    await conn.execute(
        "UPDATE vaccination_stock SET quantity = quantity + $4, expires_on = coalesce($5, expires_on)"
        " WHERE organization_id = $1 AND product = $2 AND lot_key = $3",
        entry.place.organization_id,
        entry.place.product,
        normal_lot(entry.place.lot),
        entry.quantity,
        entry.expires_on,
    )


async def is_known(conn: Connection, ref: UUID) -> bool:
    """Return whether a form with this key was saved already."""
    return bool(await conn.fetchval("SELECT EXISTS (SELECT FROM vaccination_stock_entry WHERE ref = $1)", ref))


async def fetch_levels(
    db: Database, organization_id: UUID | None, products: Collection[str] | None, text: str, offset: int, limit: int
) -> list[StockLevel]:
    """Return what sites have of each lot: of one site or of all, of some products or those whose lot has a text."""
    rows = await db.fetch(
        f"SELECT s.organization_id, s.product, s.lot, s.quantity, s.expires_on, {_SUSPECT} FROM vaccination_stock s"  # noqa: S608 - a constant
        " WHERE ($1::uuid IS NULL OR s.organization_id = $1)"
        " AND ($2::text[] IS NULL OR s.product = ANY ($2) OR $3 <> '' AND s.lot_key LIKE '%' || $3 || '%')"
        " ORDER BY s.organization_id, s.product, s.expires_on, s.lot_key LIMIT $4 OFFSET $5",
        organization_id,
        list(products) if products is not None else None,
        normal_lot(text),
        limit,
        offset,
    )
    return [StockLevel(LotAt(*row[:3]), *row[3:]) for row in rows]


async def fetch_products(db: Database, organization_id: UUID | None, on: date) -> list[ProductLevel]:
    """Return the usable doses of each product at a site, or at every site: neither expired nor suspect."""
    rows = await db.fetch(
        "SELECT organization_id, product, coalesce(usable, 0), coalesce(level, 0) FROM ("  # noqa: S608 - a constant
        " SELECT organization_id, product, sum(quantity) FILTER (WHERE (expires_on IS NULL OR expires_on >= $2)"
        f" AND NOT {_SUSPECT})::integer AS usable FROM vaccination_stock s GROUP BY organization_id, product) held"
        " FULL JOIN vaccination_reorder USING (organization_id, product)"
        " WHERE $1::uuid IS NULL OR organization_id = $1 ORDER BY organization_id, product",
        organization_id,
        on,
    )
    return [ProductLevel(*row) for row in rows]


async def set_reorder(conn: Connection, organization_id: UUID, product: str, level: int) -> int:
    """Set the level below which a site orders a product; return the level until then, 0 for none."""
    await conn.execute("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", f"reorder {organization_id} {product}")
    before = await conn.fetchval(
        "SELECT level FROM vaccination_reorder WHERE organization_id = $1 AND product = $2", organization_id, product
    )
    await conn.execute(
        "INSERT INTO vaccination_reorder (organization_id, product, level) VALUES ($1, $2, $3)"
        " ON CONFLICT (organization_id, product) DO UPDATE SET level = excluded.level",
        organization_id,
        product,
        level,
    )
    return before or 0


async def fetch_entries(
    db: Database, organization_id: UUID | None, before: UUID | None, limit: int
) -> list[StockEntry]:
    """Return movements of a site, or of all, the newest first."""
    rows = await db.fetch(
        "SELECT * FROM vaccination_stock_entry WHERE ($1::uuid IS NULL OR organization_id = $1)"
        " AND ($2::uuid IS NULL OR entry_id < $2) ORDER BY entry_id DESC LIMIT $3",
        organization_id,
        before,
        limit,
    )
    return [_entry(row) for row in rows]


async def fetch_months(db: Database, organization_id: UUID | None, kind: str, since: date) -> list[tuple[date, int]]:
    """Return how many doses moved by a kind in each month, the oldest first."""
    rows = await db.fetch(
        "SELECT date_trunc('month', at)::date AS month, abs(sum(quantity)) FROM vaccination_stock_entry"
        " WHERE ($1::uuid IS NULL OR organization_id = $1) AND kind = $2 AND at >= $3 GROUP BY month ORDER BY month",
        organization_id,
        kind,
        since,
    )
    return [(row[0], int(row[1])) for row in rows]


async def fetch_breaks(
    db: Database, organization_id: UUID | None, before: UUID | None, limit: int
) -> list[ColdChainBreak]:
    """Return breaks of the cold chain at a site, or at all, the newest first."""
    rows = await db.fetch(
        f"{_BREAK} WHERE ($1::uuid IS NULL OR organization_id = $1) AND ($2::uuid IS NULL OR break_id < $2)"
        " ORDER BY break_id DESC LIMIT $3",
        organization_id,
        before,
        limit,
    )
    return [_break(row) for row in rows]


async def fetch_open_breaks(db: Database, lots: Collection[str]) -> list[ColdChainBreak]:
    """Return the breaks that are not cleared of lots, as lots are compared."""
    keys = [normal_lot(lot) for lot in lots]
    rows = await db.fetch(f"{_BREAK} WHERE lot_key = ANY ($1::text[]) AND cleared_at IS NULL", keys)
    return [_break(row) for row in rows]


async def clear_break(conn: Connection, break_id: UUID) -> ColdChainBreak | None:
    """Clear a break; return it, None when there is no open one."""
    row = await conn.fetchrow(
        "UPDATE vaccination_break SET cleared_at = now() WHERE break_id = $1 AND cleared_at IS NULL"
        " RETURNING break_id, organization_id, product, lot, first_day, last_day, note, at, by_name, cleared_at",
        break_id,
    )
    return _break(row) if row else None


async def fetch_persons(conn: Connection, one: ColdChainBreak) -> list[UUID]:
    """Return the persons who were given the lot at the site within the days of a break."""
    rows = await conn.fetch(
        "SELECT DISTINCT person_id FROM vaccination_dose WHERE lot = $1 AND lot <> '' AND given_here"
        " AND organization_id = $2 AND given_on >= $3 AND ($4::date IS NULL OR given_on <= $4)",
        normal_lot(one.place.lot),
        one.place.organization_id,
        one.first_day,
        one.last_day,
    )
    return [row[0] for row in rows]


async def fetch_used(conn: Connection, doses: Sequence[UUID]) -> set[tuple[UUID, LotAt]]:
    """Return from which stock doses are counted as used."""
    rows = await conn.fetch(
        "SELECT ref, organization_id, product, lot_key FROM vaccination_stock_entry"
        " WHERE ref = ANY ($1::uuid[]) AND kind IN ('use', 'use_undone')"
        " GROUP BY ref, organization_id, product, lot_key HAVING sum(quantity) < 0",
        list(doses),
    )
    return {(row[0], LotAt(*row[1:])) for row in rows}


async def fetch_given(conn: Connection, person_id: UUID) -> set[tuple[UUID, LotAt]]:
    """Return the doses of a person that were given where account is kept of their lot, and from which stock."""
    rows = await conn.fetch(
        "SELECT d.dose_id, s.organization_id, s.product, s.lot_key FROM vaccination_dose d JOIN vaccination_stock s"
        " ON s.organization_id = d.organization_id AND s.product = d.product AND s.lot_key = d.lot"
        " WHERE d.person_id = $1 AND d.given_here AND d.lot <> '' AND d.given_on >= s.since",
        person_id,
    )
    return {(row[0], LotAt(*row[1:])) for row in rows}


async def fetch_doses(conn: Connection, person_id: UUID) -> list[UUID]:
    """Return the keys of a person's doses."""
    rows = await conn.fetch("SELECT dose_id FROM vaccination_dose WHERE person_id = $1", person_id)
    return [row[0] for row in rows]


def _entry(row: Any) -> StockEntry:
    return StockEntry(
        id=row["entry_id"],
        place=LotAt(row["organization_id"], row["product"], row["lot"]),
        kind=EntryKind(row["kind"]),
        quantity=row["quantity"],
        ref=row["ref"],
        at=row["at"],
        by=row["by_name"],
        expires_on=row["expires_on"],
        other_id=row["other_id"],
        note=row["note"],
    )


def _break(row: Any) -> ColdChainBreak:
    return ColdChainBreak(
        id=row["break_id"],
        place=LotAt(row["organization_id"], row["product"], row["lot"]),
        first_day=row["first_day"],
        last_day=row["last_day"],
        note=row["note"],
        at=row["at"],
        by=row["by_name"],
        cleared_at=row["cleared_at"],
    )

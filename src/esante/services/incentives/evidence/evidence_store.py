"""SQL of evidence, labels and connected practices."""

from collections.abc import Collection, Mapping
from datetime import date
from decimal import Decimal
from uuid import UUID

from esante.core.storage import Connection, Database, Kind, Row, Table
from esante.services.incentives.evidence.model import DayCount, Evidence, Label, UnusualCounts

EVIDENCE = Table(
    "incentive_evidence",
    Kind.LOCAL,
    {
        "kind": "text",
        "document_id": "uuid",
        "provider_code": "text",
        "payee_code": "text",
        "profession": "text",
        "on_day": "date",
        "client_id": "text",
        "software": "text",
        "patient_key": "bigint",
        "amount": "numeric",
        "seq": "bigint",
    },
    once=True,
)
WITHDRAWAL = Table(
    "incentive_withdrawal",
    Kind.LOCAL,
    {"kind": "text", "document_id": "uuid", "on_day": "date", "seq": "bigint"},
    once=True,
)
LABEL = Table(
    "incentive_label",
    Kind.LOCAL,
    {
        "version_id": "uuid",
        "since": "date",
        "kit": "text",
        "product": "text",
        "version": "text",
        "vendor_id": "uuid",
        "vendor": "text",
        "clients": "text",
        "until": "date",
        "ended_on": "date",
    },
    once=True,
)
CONNECTION = Table(
    "incentive_connection",
    Kind.LOCAL,
    {"kind": "text", "provider_code": "text", "software": "text", "since": "date"},
    once=True,
)
_OF_KIND = (
    " FROM incentive_evidence e LEFT JOIN incentive_withdrawal w"
    " ON w.kind = e.kind AND w.document_id = e.document_id AND w.seq <= $4"
    " WHERE e.kind = $1 AND e.on_day BETWEEN $2 AND $3 AND e.seq <= $4"
    " AND (cardinality($5::text[]) = 0 OR e.profession = '' OR e.profession = ANY($5))"
    " AND ($6::text[] IS NULL OR e.provider_code = ANY($6))"
)
"""The documents of a kind, of days, up to a leaf of the journal, of professions (none: of all; those of an association
have none), of professionals (null: of all)."""


def evidence_row(one: Evidence) -> Row:
    """Return the row of a document."""
    return EVIDENCE, tuple(getattr(one, name) for name in EVIDENCE.columns)


def withdrawal_row(kind: str, document_id: UUID, on_day: date, seq: int) -> Row:
    """Return the row of a withdrawal."""
    return WITHDRAWAL, (kind, document_id, on_day, seq)


async def last_seq(db: Database | Connection) -> int:
    """Return the leaf of the journal up to which evidence was kept."""
    sql = (
        "SELECT greatest((SELECT max(seq) FROM incentive_evidence), (SELECT max(seq) FROM incentive_withdrawal),"
        " 0::bigint)"
    )
    return int(await db.fetchval(sql))


async def count_days(
    db: Database,
    kind: str,
    days: tuple[date, date],
    upto_seq: int,
    professions: Collection[str] = (),
    providers: Collection[str] | None = None,
) -> list[DayCount]:
    """Return the documents of a kind by professional, account, software and day, in that order."""
    rows = await db.fetch(
        "SELECT e.provider_code, e.payee_code, e.client_id, e.software, e.on_day,"
        " count(*) FILTER (WHERE w.document_id IS NULL), count(w.document_id)"
        f"{_OF_KIND} GROUP BY 1, 2, 3, 4, 5 ORDER BY 1, 2, 3, 4, 5",
        kind,
        *days,
        upto_seq,
        [*professions],
        None if providers is None else [*providers],
    )
    return [DayCount(*row) for row in rows]


async def count_unusual(
    db: Database,
    kind: str,
    days: tuple[date, date],
    upto_seq: int,
    professions: Collection[str],
    providers: Collection[str],
    *,
    last_from: date,
    minimal: Decimal,
) -> list[UnusualCounts]:
    """Return what may be unusual in documents of professionals: those from `last_from` on, and of a small amount."""
    rows = await db.fetch(
        "WITH found AS (SELECT e.provider_code, e.patient_key, e.on_day, e.amount, w.document_id IS NOT NULL AS gone"  # noqa: S608 - constants
        f"{_OF_KIND}), patients AS (SELECT provider_code, patient_key, count(*) AS documents FROM found WHERE NOT gone"
        " GROUP BY 1, 2), most AS (SELECT provider_code, max(documents) AS documents FROM patients GROUP BY 1)"
        " SELECT f.provider_code, count(*) FILTER (WHERE NOT gone), count(*) FILTER (WHERE NOT gone AND on_day >= $7),"
        " count(*) FILTER (WHERE NOT gone AND amount <= $8), coalesce(max(m.documents), 0),"
        " count(*) FILTER (WHERE gone)"
        " FROM found f LEFT JOIN most m USING (provider_code) GROUP BY 1 ORDER BY 1",
        kind,
        *days,
        upto_seq,
        [*professions],
        [*providers],
        last_from,
        minimal,
    )
    return [UnusualCounts(*row) for row in rows]


async def withdrawn_since(db: Database, kind: str, before: date, after_seq: int, upto_seq: int) -> set[str]:
    """Return the professionals of whom documents from before a day were taken back between two leaves."""
    rows = await db.fetch(
        "SELECT DISTINCT e.provider_code FROM incentive_withdrawal w JOIN incentive_evidence e"
        " ON e.kind = w.kind AND e.document_id = w.document_id"
        " WHERE w.kind = $1 AND e.on_day < $2 AND w.seq > $3 AND w.seq <= $4",
        kind,
        before,
        after_seq,
        upto_seq,
    )
    return {row[0] for row in rows}


async def fetch_documents(
    db: Database, provider_code: str, first: date, last: date, after: UUID | None, limit: int
) -> list[tuple[Evidence, date | None]]:
    """Return the documents of a professional by their keys, each with the day on which it was taken back."""
    names = ", ".join(f"e.{name}" for name in EVIDENCE.columns)
    rows = await db.fetch(
        f"SELECT {names}, w.on_day AS gone FROM incentive_evidence e LEFT JOIN incentive_withdrawal w"  # noqa: S608 - declared
        " ON w.kind = e.kind AND w.document_id = e.document_id WHERE e.provider_code = $1"
        " AND e.on_day BETWEEN $2 AND $3 AND ($4::uuid IS NULL OR e.document_id > $4) ORDER BY e.document_id LIMIT $5",
        provider_code,
        first,
        last,
        after,
        limit,
    )
    return [(Evidence(**{name: row[name] for name in EVIDENCE.columns}), row["gone"]) for row in rows]


async def keep_label(conn: Connection, label: Label) -> None:
    """Keep a label; one that was granted again on the same day replaces it."""
    await conn.execute(
        "INSERT INTO incentive_label (version_id, since, kit, product, version, vendor_id, vendor, clients, until)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (version_id, since, kit) DO UPDATE"
        " SET clients = excluded.clients, until = excluded.until, ended_on = NULL",
        label.version_id,
        label.since,
        label.kit,
        label.product,
        label.version,
        label.vendor_id,
        label.vendor,
        " ".join(sorted(label.clients)),
        label.until,
    )


async def end_label(conn: Connection, version_id: UUID, kit: str, on_day: date) -> None:
    """Let the labels of a version for a kit end on a day."""
    await conn.execute(
        "UPDATE incentive_label SET ended_on = $3 WHERE version_id = $1 AND kit = $2 AND ended_on IS NULL",
        version_id,
        kit,
        on_day,
    )


async def fetch_labels(db: Database) -> list[Label]:
    """Return all labels, by version and first day."""
    rows = await db.fetch(
        "SELECT version_id, kit, product, version, vendor_id, vendor, clients, since, until, ended_on"
        " FROM incentive_label ORDER BY version_id, since, kit"
    )
    return [Label(**{**row, "clients": frozenset(row["clients"].split())}) for row in rows]


async def add_connections(conn: Connection, first: Mapping[tuple[str, str, str], date]) -> list[tuple[str, str, str]]:
    """Keep the first evidence of a kind that a professional made with a software; return those that are new."""
    keys = sorted(first)
    rows = await conn.fetch(
        "INSERT INTO incentive_connection (kind, provider_code, software, since)"
        " SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::date[]) ON CONFLICT DO NOTHING"
        " RETURNING kind, provider_code, software",
        [key[0] for key in keys],
        [key[1] for key in keys],
        [key[2] for key in keys],
        [first[key] for key in keys],
    )
    return [(row[0], row[1], row[2]) for row in rows]


async def count_connected(db: Database, kind: str, first: date) -> list[tuple[str, str, list[str]]]:
    """Return each software (registration, name) with the professionals who made evidence of a kind from a day on."""
    rows = await db.fetch(
        "SELECT client_id, software, array_agg(DISTINCT provider_code) FROM incentive_evidence"
        " WHERE kind = $1 AND on_day >= $2 GROUP BY 1, 2 ORDER BY 1, 2",
        kind,
        first,
    )
    return [(row[0], row[1], row[2]) for row in rows]

"""SQL of exchanged messages."""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from esante.core.storage import Database, Kind, Row, Table
from esante.services.exchange.audit.model import Message, Side
from esante.services.exchange.contact_points.model import Transaction

MESSAGE = Table(
    "exchange_message",
    Kind.LOCAL,
    {
        "id": "uuid",
        "at": "timestamptz",
        "side": "text",
        "transaction": "text",
        "content": "text",
        "country": "text",
        "outcome": "text",
        "took_ms": "integer",
        "message_id": "text",
        "answer_id": "text",
        "request_hash": "text",
        "answer_hash": "text",
    },
)
_BATCH = 5_000


def message_row(key: UUID, one: Message) -> Row:
    """Return the row of a message."""
    return MESSAGE, (
        key,
        one.at,
        one.side.value,
        one.transaction.value,
        one.content,
        one.country,
        one.outcome,
        one.took_ms,
        one.message_id,
        one.answer_id,
        one.request_hash,
        one.answer_hash,
    )


async def fetch_page(
    db: Database, country: str, side: str, text: str, *, is_failed: bool, before: UUID | None, limit: int
) -> list[tuple[UUID, Message]]:
    """Return messages, the newest first.

    `country`, `side`: "" for all. `text`: a part of the identifier of the message or of its answer, of the outcome or
    of the class. `is_failed`: only those with an outcome.
    """
    rows = await db.fetch(
        "SELECT * FROM exchange_message WHERE ($1 = '' OR country = $1) AND ($2 = '' OR side = $2)"
        " AND ($3 = '' OR position(lower($3) IN lower(concat_ws(' ', message_id, answer_id, outcome, content))) > 0)"
        " AND (NOT $4 OR outcome <> '') AND ($5::uuid IS NULL OR id < $5) ORDER BY id DESC LIMIT $6",
        country,
        side,
        text,
        is_failed,
        before,
        limit,
    )
    return [(row["id"], _message(row)) for row in rows]


async def iterate(db: Database, country: str, begin: datetime, end: datetime) -> AsyncIterator[Message]:
    """Yield the messages of a time, of a country or ("") of all, in order."""
    last: UUID | None = None
    while True:
        rows = await db.fetch(
            "SELECT * FROM exchange_message WHERE ($1 = '' OR country = $1) AND at >= $2 AND at < $3"
            " AND ($4::uuid IS NULL OR id > $4) ORDER BY id LIMIT $5",
            country,
            begin,
            end,
            last,
            _BATCH,
        )
        for row in rows:
            yield _message(row)
        if len(rows) < _BATCH:
            return
        last = rows[-1]["id"]


async def fetch_figures(db: Database, begin: datetime, end: datetime, zone: str) -> Sequence[Any]:
    """Return counts and times by month, side, country, transaction, class and outcome (`zone`: of the calendar)."""
    return await db.fetch(
        "SELECT to_char(at AT TIME ZONE $3, 'YYYY-MM') AS month, side, country, transaction, content, outcome,"
        " count(*)::bigint AS messages,"
        " percentile_disc(0.5) WITHIN GROUP (ORDER BY took_ms) AS median_ms,"
        " percentile_disc(0.95) WITHIN GROUP (ORDER BY took_ms) AS p95_ms"
        " FROM exchange_message WHERE at >= $1 AND at < $2 GROUP BY 1, 2, 3, 4, 5, 6 ORDER BY 1, 2, 3, 4, 5, 6",
        begin,
        end,
        zone,
    )


async def count_by_day(db: Database, country: str, begin: datetime, zone: str) -> Sequence[Any]:
    """Return `day`, `side`, `messages` and `failed` since a moment, for a country or ("") for all."""
    return await db.fetch(
        "SELECT (at AT TIME ZONE $3)::date AS day, side, count(*)::bigint AS messages,"
        " count(*) FILTER (WHERE outcome <> '')::bigint AS failed"
        " FROM exchange_message WHERE at >= $2 AND ($1 = '' OR country = $1) GROUP BY 1, 2 ORDER BY 1, 2",
        country,
        begin,
        zone,
    )


def _message(row: Any) -> Message:
    values = {name: row[name] for name in Message.__slots__}
    values |= {"side": Side(row["side"]), "transaction": Transaction(row["transaction"])}
    return Message(**values)

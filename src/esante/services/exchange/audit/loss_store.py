"""SQL of the codes that translations left: counted for operators, they say what the catalogue lacks."""

from dataclasses import dataclass
from datetime import date

from esante.core.storage import Database, Kind, Row, Table, uuid7
from esante.core.time_zone import today
from esante.services.exchange.audit.model import Side
from esante.services.exchange.translation.model import Outcome, Translation

LOSS = Table(
    "exchange_loss",
    Kind.LOCAL,
    {
        "id": "uuid",
        "day": "date",
        "side": "text",
        "country": "text",
        "language": "text",
        "outcome": "text",
        "system": "text",
        "code": "text",
    },
)
LOST = (Outcome.UNTRANSLATED, Outcome.NOT_IN_CATALOGUE, Outcome.ERROR)
_MAX_CODES, _MAX_LENGTH = 500, 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Loss:
    """A code that was left: in how many documents, between which days, of which countries."""

    system: str
    code: str
    language: str
    outcome: Outcome
    documents: int
    first: date
    last: date
    countries: tuple[str, ...]


def loss_rows(side: Side, country: str, translation: Translation) -> list[Row]:
    """Return the rows of a translated document, for the write of its message: each code that it left, once."""
    lost = {
        (one.outcome.value, one.before[1][:_MAX_LENGTH], one.before[0][:_MAX_LENGTH])
        for one in translation.elements
        if one.outcome in LOST
    }
    day = today()
    return [
        (LOSS, (uuid7(), day, side.value, country, translation.language, *one)) for one in sorted(lost)[:_MAX_CODES]
    ]


async def fetch_losses(db: Database, text: str, offset: int, limit: int) -> list[Loss]:
    """Return the codes that were left, the most frequent first; `text`: a part of code, system or language."""
    rows = await db.fetch(
        "SELECT system, code, language, outcome, count(*)::bigint AS documents, min(day) AS first, max(day) AS last,"
        " array_agg(DISTINCT country ORDER BY country) AS countries FROM exchange_loss"
        " WHERE $1 = '' OR position(lower($1) IN lower(concat_ws(' ', code, system, language))) > 0"
        " GROUP BY system, code, language, outcome ORDER BY documents DESC, system, code, language, outcome"
        " OFFSET $2 LIMIT $3",
        text,
        offset,
        limit,
    )
    return [
        Loss(
            system=row["system"],
            code=row["code"],
            language=row["language"],
            outcome=Outcome(row["outcome"]),
            documents=row["documents"],
            first=row["first"],
            last=row["last"],
            countries=tuple(row["countries"]),
        )
        for row in rows
    ]

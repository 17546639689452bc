"""SQL of claims."""

from collections.abc import Sequence
from datetime import date
from typing import Any
from uuid import UUID

from esante.core.storage import Connection, Database, Kind, Row, Table
from esante.services.incentives.decisions.model import Claim, ClaimState, Reason

CLAIM = Table(
    "incentive_claim",
    Kind.LOCAL,
    {
        "claim_id": "uuid",
        "scheme": "text",
        "provider_code": "text",
        "version_id": "uuid",
        "product": "text",
        "version": "text",
        "vendor_id": "uuid",
        "vendor": "text",
        "made_at": "timestamptz",
        "made_on": "date",
        "made_by": "text",
        "state": "text",
        "reasons": "text",
        "decided_in": "text",
    },
)
_CLAIM = f"SELECT {', '.join(CLAIM.columns)} FROM incentive_claim"  # noqa: S608 - declared in code


def claim_row(claim: Claim) -> Row:
    """Return the row of a claim."""
    values = {name: getattr(claim, name) for name in CLAIM.columns}
    reasons = " ".join(one.value for one in claim.reasons)
    return CLAIM, tuple({**values, "state": claim.state.value, "reasons": reasons}.values())


async def fetch_open(db: Database, until: date, quarter: str) -> list[Claim]:
    """Return the claims made until a day that no quarter before one has decided, by their ids."""
    rows = await db.fetch(
        f"{_CLAIM} WHERE (state = 'open' OR decided_in >= $2) AND made_on <= $1 ORDER BY claim_id", until, quarter
    )
    return [_claim(row) for row in rows]


async def fetch_some(db: Database, ids: Sequence[UUID]) -> dict[UUID, Claim]:
    """Return claims by their ids."""
    rows = await db.fetch(f"{_CLAIM} WHERE claim_id = ANY($1)", [*ids])
    return {row["claim_id"]: _claim(row) for row in rows}


async def fetch_page(
    db: Database, vendor_id: UUID | None, text: str, state: str, before: UUID | None, limit: int
) -> list[Claim]:
    """Return claims of a vendor (None: of all), the newest first; `text`: a part of a code, product or vendor."""
    rows = await db.fetch(
        f"{_CLAIM} WHERE ($1::uuid IS NULL OR vendor_id = $1) AND ($2 = '' OR position(lower($2) IN"
        " lower(concat_ws(' ', provider_code, product, version, vendor, scheme))) > 0) AND ($3 = '' OR state = $3)"
        " AND ($4::uuid IS NULL OR claim_id < $4) ORDER BY claim_id DESC LIMIT $5",
        vendor_id,
        text,
        state,
        before,
        limit,
    )
    return [_claim(row) for row in rows]


async def settle(conn: Connection, claim_id: UUID, state: ClaimState, reasons: Sequence[Reason], quarter: str) -> None:
    """Keep what was decided of a claim; one that stays open keeps why it was not paid yet."""
    await conn.execute(
        "UPDATE incentive_claim SET state = $2, reasons = $3, decided_in = $4 WHERE claim_id = $1",
        claim_id,
        state.value,
        " ".join(one.value for one in reasons),
        quarter,
    )


def _claim(row: Any) -> Claim:
    reasons = tuple(Reason(one) for one in row["reasons"].split())
    return Claim(**{**row, "state": ClaimState(row["state"]), "reasons": reasons})

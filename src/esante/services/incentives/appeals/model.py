"""Types of appeals."""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

from esante.core.web import N_
from esante.services.incentives.decisions.model import KeptLine

OUTCOMES = {"upheld": N_("Upheld"), "rejected": N_("Rejected")}
"""How an appeal is answered (msgids)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Appeal:
    """An appeal against a line; `due_on` is the last day for the answer, `amount` what is paid in addition if upheld.

    `reference` is its number, by which it is spoken of; `read_at`: when the answer was read.
    """

    appeal_id: UUID
    line_id: UUID
    reference: str
    text: str
    made_at: datetime
    made_by: str
    made_by_id: UUID
    due_on: date
    outcome: str = ""
    answer: str = ""
    amount: Decimal = Decimal("0.00")
    answered_at: datetime | None = None
    answered_by: str = ""
    read_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class AppealedLine:
    """An appeal with the line that it is against."""

    appeal: Appeal
    line: KeptLine

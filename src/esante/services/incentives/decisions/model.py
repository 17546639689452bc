"""Types of decisions and their journal events. Amounts are euros with two decimals."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import NamedTuple
from uuid import UUID

from esante.core.journal import Event, event
from esante.core.web import N_
from esante.services.incentives.evidence.model import DayCount
from esante.services.incentives.schemes.model import SchemeId
from esante.services.incentives.schemes.quarter import Quarter

NOTHING = Decimal("0.00")


class PayeeKind(StrEnum):
    """Who is paid."""

    PROVIDER = "provider"
    """The account of a provider code: of a professional, an association, or a medical house."""
    VENDOR = "vendor"


class Reason(StrEnum):
    """Why something is paid, or nothing, or less; the first of a line decides, others are remarks."""

    ENTITLED = "entitled"
    THRESHOLD = "threshold"
    UNLABELLED = "unlabelled"
    WITHDRAWN = "withdrawn"
    PAYEE_CAP = "payee-cap"
    BUDGET = "budget"
    DEADLINE = "deadline"
    CLAIMED_TWICE = "claimed-twice"
    CONNECTED_BEFORE = "connected-before"
    NO_EVIDENCE = "no-evidence"
    SOFTWARE_CHANGED = "software-changed"
    CORRECTION = "correction"
    APPEAL = "appeal"


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A line of a decision: what a payee gets by a row of a scheme for the evidence of a professional, and why.

    `documents` counted, `uncounted` did not (their software was not labelled on the day), `withdrawn` were taken back.
    `reached_on`: the day on which the threshold was reached. `amount` is negative for what is owed back.
    """

    scheme: SchemeId
    of_quarter: Quarter
    payee_kind: PayeeKind
    payee: str
    provider_code: str
    product: str
    documents: int
    uncounted: int = 0
    withdrawn: int = 0
    amount: Decimal = NOTHING
    reasons: tuple[Reason, ...]
    claim_id: UUID | None = None
    appeal_id: UUID | None = None
    reached_on: date | None = None

    @property
    def key(self) -> "LineKey":
        """What the line is about."""
        return LineKey(self.scheme, self.of_quarter, self.provider_code, self.payee, self.product, self.claim_id)


class LineKey(NamedTuple):
    """What a line is about: lines of one key are the same entitlement, and its corrections."""

    scheme: SchemeId
    of_quarter: Quarter
    provider_code: str
    payee: str
    product: str
    claim_id: UUID | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """An installation that a vendor claims: a practice (provider code) connected by a version of its product."""

    claim_id: UUID
    scheme: str
    provider_code: str
    version_id: UUID
    product: str
    version: str
    vendor_id: UUID
    vendor: str
    made_at: datetime
    made_on: date
    made_by: str
    state: "ClaimState"
    reasons: tuple[Reason, ...] = ()
    decided_in: str = ""


class ClaimState(StrEnum):
    """The state of a claim."""

    OPEN = "open"
    """It is decided with the next quarter, and again until there is evidence or the deadline has passed."""
    ACCEPTED = "accepted"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Upheld:
    """What an upheld appeal adds to the line of a key."""

    appeal_id: UUID
    key: LineKey
    payee_kind: PayeeKind
    amount: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """All that the decision of a quarter depends on, beside the schemes and the labels.

    `counts`: by row of a scheme, the documents of the quarter; of rows that are paid once, those since the row began.
    `decided`: what earlier quarters gave, by key. `recounts`: by row and earlier quarter, the present documents of the
    professionals of whom some were taken back since they were decided.
    """

    counts: Mapping[SchemeId, Sequence[DayCount]]
    claims: Sequence[Claim] = ()
    decided: Mapping[LineKey, Decimal]
    recounts: Mapping[tuple[SchemeId, Quarter], Sequence[DayCount]]
    recounted: Mapping[tuple[SchemeId, Quarter], frozenset[str]]
    upheld: Sequence[Upheld] = ()
    paid_claims: Mapping[UUID, Claim]


class RunState(StrEnum):
    """The state of a quarter's decision."""

    RUNNING = "running"
    DRAFT = "draft"
    """Decided by one operator; another one confirms it."""
    CONFIRMED = "confirmed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """The decision of a quarter; `done` of `total` steps are worked out, `error` is the name of a failure."""

    quarter: str
    state: RunState
    asked_at: datetime
    asked_by: str
    asked_by_id: UUID
    done: int
    total: int
    error: str
    upto_seq: int
    decided_at: datetime | None
    confirmed_at: datetime | None
    confirmed_by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptLine:
    """A line as it is kept: of the quarter in which it was decided, with its id and the payee's name."""

    line_id: UUID
    quarter: str
    payee_name: str
    line: Line


class SignalKind(StrEnum):
    """What is unusual."""

    CLAIMED_TWICE = "claimed-twice"
    BURST = "burst"
    MINIMAL = "minimal"
    ONE_PATIENT = "one-patient"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True, kw_only=True)
class Signal:
    """Something unusual about the evidence of a professional: `part` of `whole` documents (or claims)."""

    scheme: str
    payee: str
    provider_code: str
    kind: SignalKind
    part: int
    whole: int


SIGNAL_NAMES: Mapping[str, str] = {
    SignalKind.CLAIMED_TWICE: N_("An installation was claimed twice"),
    SignalKind.BURST: N_("Most documents in the last days of the quarter"),
    SignalKind.MINIMAL: N_("Most documents with a very small amount"),
    SignalKind.ONE_PATIENT: N_("Very many documents of one patient"),
    SignalKind.CANCELLED: N_("Many documents cancelled"),
}


@event("incentives.quarter_decided")
class QuarterDecided(Event, frozen=True, kw_only=True):
    """An operator decided a quarter, which another one has to confirm; `amount` is the sum of its lines (text)."""

    quarter: str
    lines: int
    amount: str


@event("incentives.quarter_confirmed")
class QuarterConfirmed(Event, frozen=True, kw_only=True):
    """A second operator confirmed the decision of a quarter: orders of payment were made."""

    quarter: str
    orders: int
    held: int
    amount: str


@event("incentives.signal_decided")
class SignalDecided(Event, frozen=True, kw_only=True):
    """An operator proposed what becomes of a held payment, or a second one confirmed it (`decision`: pay, refuse)."""

    signal_id: UUID
    decision: str
    second: bool


@event("incentives.claim_made")
class ClaimMade(Event, frozen=True, kw_only=True):
    """A vendor claimed an installation."""

    claim_id: UUID
    scheme: str
    provider_code: str
    version_id: UUID


@event("incentives.appeal_made")
class AppealMade(Event, frozen=True, kw_only=True):
    """Somebody appealed against a line; the text stays out of the journal."""

    appeal_id: UUID
    line_id: UUID


@event("incentives.appeal_answered")
class AppealAnswered(Event, frozen=True, kw_only=True):
    """An operator answered an appeal (`outcome`: upheld, rejected) with an amount that is paid in addition (text)."""

    appeal_id: UUID
    outcome: str
    amount: str

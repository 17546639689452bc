"""Types of adjudication: what is known of a case, and what each line of a note gets. Amounts are euros."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum
from uuid import UUID

from esante.services.billing.note.model import FeeNote


@dataclass(frozen=True, slots=True, kw_only=True)
class Cover:
    """The insurance of a person: at which fund, from when until when (inclusive; None: no end is known)."""

    fund: str
    since: date
    until: date | None = None
    third_party_payer: bool = False
    """Whether the social office has decided that the insurance pays the whole tariff to the provider."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PastAct:
    """An act that was billed for the person before, and not cancelled."""

    code: str
    on: date
    provider_code: str
    quantity: int = 1
    hospital_class: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Approval:
    """A prior approval of the social security's medical control (CMSS) for an act."""

    code: str
    since: date
    until: date
    quantity: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """All that a decision on a note depends on; the rules in force are those of the day of each act.

    `profession` and `specialities` are keys of the directory, of the performer on the day of the note. `received_on`:
    the day of the decision, None: that of the note. `has_amounts`: the lines say what is charged; those of a PID
    simulation do not, and `gross` means nothing there.
    """

    note: FeeNote
    birth_date: date
    deceased_on: date | None = None
    covers: tuple[Cover, ...] = ()
    profession: str = "doctor"
    specialities: tuple[str, ...] = ()
    past: tuple[PastAct, ...] = ()
    approvals: tuple[Approval, ...] = ()
    received_on: date | None = None
    has_amounts: bool = True


class Effect(StrEnum):
    """What a rule does to a line."""

    REFUSED = "refused"
    REDUCED = "reduced"
    RATE = "rate"
    """It sets the share that the insurance bears."""
    WARNING = "warning"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A rule that applied: its key, the line (0: the note), and its parameters for the texts.

    `id` is made of the note, the line and the rule, so that a contestation can name it.
    """

    id: UUID
    rule: str
    effect: Effect
    line: int = 0
    legal_source: str = ""
    params: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class LineDecision:
    """The decision on a line.

    `tariff` is the amount that may be charged (montant opposable) for the `quantity` that is reimbursed; `statutory` +
    `personal` = `tariff`. `convenience` is charged beside it, and never reimbursed.
    """

    number: int
    line_id: UUID | None
    code: str
    quantity: int
    tariff: Decimal
    rate: Decimal
    statutory: Decimal
    personal: Decimal
    convenience: Decimal = Decimal("0.00")
    findings: tuple[Finding, ...] = ()

    @property
    def is_refused(self) -> bool:
        """Whether nothing of the line is reimbursed by a rule that refuses it."""
        return any(one.effect is Effect.REFUSED for one in self.findings)


@dataclass(frozen=True, slots=True, kw_only=True)
class Adjudication:
    """The decision on a note; `findings` are those of the whole note.

    `rules` is the digest of the data by which it was made.
    """

    note_id: UUID
    lines: tuple[LineDecision, ...]
    findings: tuple[Finding, ...] = ()
    rules: str

    @property
    def statutory(self) -> Decimal:
        """The share of the insurance."""
        return sum((line.statutory for line in self.lines), Decimal("0.00"))

    @property
    def personal(self) -> Decimal:
        """The share of the patient, with what is never reimbursed."""
        return sum((line.personal + line.convenience for line in self.lines), Decimal("0.00"))

    @property
    def total(self) -> Decimal:
        """The sum of both shares."""
        return self.statutory + self.personal

"""Types of schemes: who gets how much for which evidence, from when until when."""

from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from enum import StrEnum

CENT = Decimal("0.01")


class Unit(StrEnum):
    """What is paid for, and to whom."""

    INSTALLATION = "installation"
    """A practice that was newly connected: once, to the vendor of the software."""
    DOCUMENT = "document"
    """Each document of a quarter: to the account of the code that it was billed under."""
    PROFESSIONAL = "professional"
    """A professional who has reached the threshold: once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MovedDeadline:
    """A deadline that was moved for some accounts (provider codes); `source` says why."""

    until: date
    accounts: frozenset[str]
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Scheme:
    """A row of the file of schemes; rows of one `key` follow one another without gap.

    `label` is a msgid. `evidence`: a kind of evidence. `professions`: of whom evidence counts (none: of all). `kit`:
    the conformance kit by which software must be labelled ("": any software counts). `threshold`: documents from
    which something is paid. `amount` is euros for one unit (up to four decimals for a document), `payee_cap` and
    `budget` the most that a payee, and all payees, get in the time of the row (None: no limit). `claims_until`: the
    last day on which an installation may be claimed. `sample`: the fields whose values are invented; such a row is in
    force in a demonstration only.
    """

    key: str
    label: str
    valid_from: date
    valid_until: date | None
    unit: Unit
    evidence: str
    professions: frozenset[str]
    kit: str
    threshold: int
    amount: Decimal
    payee_cap: Decimal | None
    budget: Decimal | None
    claims_until: date | None
    moved: tuple[MovedDeadline, ...]
    legal_source: str
    verified: bool
    sample: tuple[str, ...]

    @property
    def id(self) -> "SchemeId":
        """What identifies the row: its key and its first day."""
        return self.key, self.valid_from

    def overlaps(self, first: date, last: date) -> bool:
        """Return whether the row is in force on a day from `first` to `last`."""
        return self.valid_from <= last and (self.valid_until is None or first <= self.valid_until)

    def deadline(self, provider_code: str) -> date | None:
        """Return the last day on which an installation may be claimed for an account; None: there is no such day."""
        moved = [one.until for one in self.moved if provider_code in one.accounts]
        return max([*moved, self.claims_until]) if self.claims_until and moved else self.claims_until

    def amount_of(self, documents: int) -> Decimal:
        """Return euros for a number of documents, rounded half up; for what is paid once, the amount itself."""
        units = documents if self.unit is Unit.DOCUMENT else 1
        return (self.amount * units).quantize(CENT, ROUND_HALF_UP)


SchemeId = tuple[str, date]

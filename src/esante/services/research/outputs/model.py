"""Tables that jobs hand over, what the check finds in them, who released them, and the journal events."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from esante.core.journal import Event, event
from esante.core.web import N_, P_

PERSONS = "persons"
"""The column that says of how many persons a row speaks."""


class OutputVerdict(StrEnum):
    """What the check says of a table."""

    CLEAN = "clean"
    """One person may release it."""
    UNSURE = "unsure"
    """Two people must agree."""
    REFUSED = "refused"
    """Nobody may release it."""


class OutputState(StrEnum):
    """What became of a table."""

    REFUSED = "refused"
    WAITING = "waiting"
    RELEASED = "released"
    WITHHELD = "withheld"


OUTPUT_STATE_NAMES: Mapping[str, str] = {
    OutputState.REFUSED: N_("Refused by the check"),
    OutputState.WAITING: N_("Waiting for the access body"),
    OutputState.RELEASED: P_("output", "Released"),
    OutputState.WITHHELD: P_("output", "Not released"),
}


@dataclass(frozen=True, slots=True)
class FindingKind:
    """A kind of finding: its words and remedy (msgids), the article of Regulation (EU) 2025/327, what follows."""

    title: str
    remedy: str
    verdict: OutputVerdict = OutputVerdict.REFUSED
    article: str = "Art. 73(2)"


FINDING_KINDS: Mapping[str, FindingKind] = {
    "no-table": FindingKind(
        N_("This is no table."), N_("Hand over tables with a header and rows of equal length, and nothing else.")
    ),
    "no-persons": FindingKind(
        N_("The table does not say how many persons each row counts."),
        N_("Add a column “persons” with the number of different persons, such as count(DISTINCT person) AS persons."),
    ),
    "person": FindingKind(
        N_("The table holds pseudonyms of persons."), N_("Hand over counts and averages of groups, not persons.")
    ),
    "small-cell": FindingKind(
        N_("The row counts too few persons."),
        N_("Merge categories until each row counts enough persons, or have small cells suppressed."),
    ),
    "by-subtraction": FindingKind(
        N_("The suppressed row can be calculated from a total and the other rows."),
        N_("Suppress a second row of the same group, or leave the total out."),
    ),
    "too-large": FindingKind(
        N_("The table is too large for a result."), N_("Hand over fewer rows and columns: results, not data.")
    ),
    "text": FindingKind(
        N_("The table holds long texts."), N_("Hand over codes, names of categories and numbers only.")
    ),
    "not-counted": FindingKind(
        N_("The number of persons in a row is no whole number."),
        N_("Count persons; leave it empty to suppress a row."),
    ),
    "value": FindingKind(
        N_("The table holds values other than counts."),
        N_("Two people look whether a value tells something of single persons, such as a maximum."),
        OutputVerdict.UNSURE,
    ),
    "several-totals": FindingKind(
        N_("Rows are suppressed, and there are totals over several breakdowns."),
        N_("Two people look whether several totals together tell what is suppressed."),
        OutputVerdict.UNSURE,
    ),
    "script": FindingKind(
        N_("A script made the table; that the counts are right was not checked."),
        N_("Two people look at the script and the table."),
        OutputVerdict.UNSURE,
    ),
    "compared": FindingKind(
        N_("A table with the same columns was released under this permit before."),
        N_("Two people look whether the difference of the two tells something of single persons."),
        OutputVerdict.UNSURE,
    ),
}


@dataclass(frozen=True, slots=True)
class OutputFinding:
    """A finding of the check: its kind, and where: row from 1 (0: the whole table) and column ("" for a row)."""

    kind: str
    row: int = 0
    column: str = ""


@dataclass(frozen=True, slots=True)
class ResultTable:
    """A table as texts: its header and its rows."""

    header: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True, slots=True)
class Review:
    """What a person of the access body decided."""

    reviewer_id: UUID
    reviewer: str
    released: bool
    reason: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """A table that a job handed over, as CSV, with what the check found."""

    output_id: UUID
    job_id: UUID
    permit_id: UUID
    name: str
    content: bytes
    rows: int
    verdict: OutputVerdict
    findings: Sequence[OutputFinding]
    state: OutputState
    made_at: datetime
    ended_at: datetime | None

    @property
    def reviews_needed(self) -> int:
        """How many people must agree to its release."""
        return 2 if self.verdict is OutputVerdict.UNSURE else 1


@event("research.output_checked")
class OutputChecked(Event, frozen=True, kw_only=True):
    """A table that a job handed over was checked; `findings`: how many of each kind."""

    output_id: UUID
    job_id: UUID
    permit_id: UUID
    name: str
    rows: int
    sha256: str
    verdict: str
    findings: dict[str, int]


@event("research.output_reviewed")
class OutputReviewed(Event, frozen=True, kw_only=True):
    """A person of the access body decided on a table; `state` is what became of it."""

    output_id: UUID
    permit_id: UUID
    released: bool
    reason: str
    state: str


@event("research.result_downloaded")
class ResultDownloaded(Event, frozen=True, kw_only=True):
    """A released table was downloaded."""

    output_id: UUID
    permit_id: UUID

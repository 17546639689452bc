"""The types of deadlines: what an organisation or a professional has to deposit, and until when."""

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import ClassVar
from uuid import UUID

from esante.core.journal import event
from esante.core.web import N_
from esante.identity.access import AccessEvent, Purpose


class TaskState(StrEnum):
    """How far a task is."""

    OPEN = "open"
    ANSWERED = "answered"
    """The document was deposited."""
    DECLINED = "declined"
    """It will not be deposited, for a reason."""
    WITHDRAWN = "withdrawn"
    """It is not asked for any more, or the stay was reported in error."""
    EXCUSED = "excused"
    """The person opposes that it is added (RGD of 6 December 2019, article 6)."""


REASONS = {
    "already-there": N_("The document is already in the record."),
    "not-treated": N_("We did not treat this person at that time."),
    "no-document": N_("There is no such document."),
    "not-finished": N_("The document is not finished yet."),
    "other": N_("Another reason"),
}
"""The reasons for which a request is declined (msgids)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DepositTask:
    """A document that a depositor (an organisation or a professional) has to add to a person's record.

    `source`: stay (a discharge without its report), or request (the person asked for it). `care_on`: the day of care,
    or the first of a stay. `due_on`: the last day. `note`: what the person wrote. `answer` (a key of `REASONS`) and
    `answer_text`: why it was declined. `document_id`: what was deposited. `notified_overdue`: the person knows it.
    """

    id: UUID
    person_id: UUID
    depositor_id: UUID
    depositor_kind: str
    depositor: str
    kind: str
    source: str
    stay_id: UUID | None = None
    care_on: date | None
    asked_at: datetime
    due_on: date
    state: TaskState = TaskState.OPEN
    closed_at: datetime | None = None
    document_id: UUID | None = None
    note: str = ""
    answer: str = ""
    answer_text: str = ""
    answered_by: str = ""
    notified_overdue: bool = False

    def is_overdue(self, today: date) -> bool:
        """Return whether the last day is over and nothing came."""
        return self.state is TaskState.OPEN and self.due_on < today


@dataclass(frozen=True, slots=True)
class Depositor:
    """An organisation or a professional who treated a person, by what is known of it."""

    id: UUID
    kind: str
    name: str


@dataclass(frozen=True, slots=True)
class Punctuality:
    """How many documents with a deadline came in time and late."""

    in_time: int
    late: int

    def __add__(self, other: "Punctuality") -> "Punctuality":
        return Punctuality(self.in_time + other.in_time, self.late + other.late)

    @property
    def share(self) -> float | None:
        """The share that came in time, in per cent; None without any."""
        return 100 * self.in_time / total if (total := self.in_time + self.late) else None


@event("record.request_changed")
class RequestChanged(AccessEvent, frozen=True, kw_only=True):
    """A document was asked for, or a request was answered, declined, withdrawn or became overdue (`change`).

    `kind`: of the document (data/deadlines.toml). `reason`, if it was declined: a key of `REASONS`.
    """

    ACTION: ClassVar[str] = "U"
    RESOURCE: ClassVar[str] = "Task"
    WORDS: ClassVar[str] = N_("%(actor)s asked for a document, or changed such a request.")

    change: str
    task_id: UUID
    kind: str
    depositor_id: UUID
    depositor: str
    due_on: date

    @property
    def entities(self) -> list[tuple[str, UUID]]:
        """The request."""
        return [("Task", self.task_id)]


def request_changed(task: DepositTask, change: str) -> RequestChanged:
    """Return the event of a change of a task."""
    return RequestChanged(
        purpose=(Purpose.PATIENT_REQUEST if task.source == "request" else Purpose.TREATMENT).value,
        rule="request",
        change=change,
        task_id=task.id,
        kind=task.kind,
        reason=task.answer,
        depositor_id=task.depositor_id,
        depositor=task.depositor,
        due_on=task.due_on,
        documents=(task.document_id,) if task.document_id else (),
    )

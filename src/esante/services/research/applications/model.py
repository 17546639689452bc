"""Types of applications, and their journal events."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from uuid import UUID

from esante.core.journal import Event, event
from esante.core.web import N_, P_
from esante.services.research.permits.model import PermitKind


class ApplicationState(StrEnum):
    """The state of an application."""

    DRAFT = "draft"
    SUBMITTED = "submitted"
    ASKED = "asked"
    """A question of the access body waits for the applicant."""
    PROPOSED = "proposed"
    """An operator proposed a decision; another must confirm it."""
    GRANTED = "granted"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"
    """By the applicant."""


STATE_NAMES: Mapping[str, str] = {
    ApplicationState.DRAFT: P_("application", "Draft"),
    ApplicationState.SUBMITTED: P_("application", "Submitted"),
    ApplicationState.ASKED: N_("Question to the applicant"),
    ApplicationState.PROPOSED: N_("Decision to be confirmed"),
    ApplicationState.GRANTED: P_("application", "Granted"),
    ApplicationState.REFUSED: P_("application", "Refused"),
    ApplicationState.WITHDRAWN: P_("application", "Withdrawn"),
}
WAITING = (ApplicationState.SUBMITTED, ApplicationState.PROPOSED)
"""The states in which the access body has to act."""

Columns = Mapping[str, frozenset[str]]
"""Columns by "dataset.table"."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """What the applicant writes (Article 67(2)).

    `summary`: the study in plain words, published with the permit. `aim`: what is to be found out, and who benefits.
    `necessity`: why these data, and why pseudonymised ones are needed. `question`: of a data request, the statistics
    wanted. `members`: email addresses of people beside the applicant. `lawful`: nothing prohibited is pursued, and
    nobody will be identified.
    """

    kind: PermitKind = PermitKind.PERMIT
    title: str = ""
    summary: str = ""
    purpose: str = ""
    aim: str = ""
    necessity: str = ""
    safeguards: str = ""
    question: str = ""
    columns: Columns = field(default_factory=dict)
    members: tuple[str, ...] = ()
    months: int = 12
    lawful: bool = False

    @property
    def datasets(self) -> tuple[str, ...]:
        """The names of the datasets asked for."""
        return tuple(dict.fromkeys(table.partition(".")[0] for table in sorted(self.columns)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Application:
    """An application of an account; `due_on`: the day by which a decision is due."""

    application_id: UUID
    account_id: UUID
    content: Content
    state: ApplicationState
    saved_at: datetime
    submitted_at: datetime | None = None
    due_on: date | None = None
    asked_at: datetime | None = None
    decided_at: datetime | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A question of the access body (`from_authority`), or an answer of the applicant."""

    message_id: UUID
    application_id: UUID
    at: datetime
    from_authority: bool
    author_id: UUID
    author: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What an operator wants to decide: to grant some columns for some months on conditions, or to refuse."""

    grants: bool
    columns: Columns = field(default_factory=dict)
    months: int = 0
    conditions: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """A proposed decision; `checker`: the other operator, who `confirmed` it or did not (`remark`: why)."""

    proposal_id: UUID
    application_id: UUID
    operator_id: UUID
    operator: str
    at: datetime
    decision: Decision
    checker_id: UUID | None = None
    checker: str = ""
    checked_at: datetime | None = None
    confirmed: bool = False
    remark: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """An application with the names of its applicant."""

    application: Application
    applicant: str
    organization: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """An application with everything about it; `permit_id`: of the permit that was issued for it."""

    listed: Listed
    messages: Sequence[Message]
    proposals: Sequence[Proposal]
    permit_id: UUID | None = None

    @property
    def proposal(self) -> Proposal | None:
        """The proposal that waits for another operator."""
        return next((one for one in self.proposals if one.checked_at is None), None)


@dataclass(frozen=True, slots=True)
class Finding:
    """What an application lacks: `title` and `remedy` are msgids, `place` the field, `article` the rule."""

    place: str
    article: str
    title: str
    remedy: str


@event("research.application_saved")
class ApplicationSaved(Event, frozen=True, kw_only=True):
    """A researcher saved a draft."""

    application_id: UUID


@event("research.draft_deleted")
class DraftDeleted(Event, frozen=True, kw_only=True):
    """A researcher deleted a draft."""

    application_id: UUID


@event("research.application_submitted")
class ApplicationSubmitted(Event, frozen=True, kw_only=True):
    """A researcher applied for a permit, or for statistics (`kind`)."""

    application_id: UUID
    account_id: UUID
    kind: str
    purpose: str
    datasets: tuple[str, ...]
    due_on: date


@event("research.application_withdrawn")
class ApplicationWithdrawn(Event, frozen=True, kw_only=True):
    """A researcher withdrew an application before the decision."""

    application_id: UUID


@event("research.question_asked")
class QuestionAsked(Event, frozen=True, kw_only=True):
    """An operator asked the applicant something; the time for the decision stops."""

    application_id: UUID
    message_id: UUID


@event("research.question_answered")
class QuestionAnswered(Event, frozen=True, kw_only=True):
    """The applicant answered; the time for the decision goes on."""

    application_id: UUID
    message_id: UUID
    due_on: date


@event("research.decision_proposed")
class DecisionProposed(Event, frozen=True, kw_only=True):
    """An operator proposed to grant or to refuse."""

    application_id: UUID
    proposal_id: UUID
    grants: bool


@event("research.decision_rejected")
class DecisionRejected(Event, frozen=True, kw_only=True):
    """Another operator did not confirm a proposal."""

    application_id: UUID
    proposal_id: UUID
    remark: str


@event("research.application_decided")
class ApplicationDecided(Event, frozen=True, kw_only=True):
    """Another operator confirmed a proposal: granted in whole or in part, or refused with a reason."""

    application_id: UUID
    proposal_id: UUID
    granted: bool
    whole: bool
    reason: str = ""

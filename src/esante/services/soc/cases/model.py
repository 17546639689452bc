"""Types of cases: states, markings, what is kept of a case."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from esante.core.web import N_, P_
from esante.services.soc.alerts.model import Level, Origin


class State(StrEnum):
    """The state of a case. `closing`: one person proposed to close it, and another has to confirm."""

    OPEN = "open"
    WORKING = "working"
    CLOSING = "closing"
    CLOSED = "closed"
    MERGED = "merged"


STATE_NAMES: Mapping[str, str] = {
    State.OPEN: P_("case", "Open"),
    State.WORKING: P_("case", "In progress"),
    State.CLOSING: P_("case", "To be closed"),
    State.CLOSED: P_("case", "Closed"),
    State.MERGED: P_("case", "Merged"),
}
"""The states in words (msgids)."""

ACTIVE = (State.OPEN, State.WORKING, State.CLOSING)
"""The states of cases that somebody has to do something about."""


class Outcome(StrEnum):
    """What a case turned out to be."""

    INCIDENT = "incident"
    EXPECTED = "expected"
    FALSE_ALARM = "false_alarm"


OUTCOME_NAMES: Mapping[str, str] = {
    Outcome.INCIDENT: N_("Security incident"),
    Outcome.EXPECTED: N_("True, but expected and harmless"),
    Outcome.FALSE_ALARM: N_("False alarm"),
}
"""The outcomes in words (msgids)."""


class Tlp(StrEnum):
    """The Traffic Light Protocol, version 2.0 (FIRST), from the widest to the narrowest."""

    CLEAR = "clear"
    GREEN = "green"
    AMBER = "amber"
    AMBER_STRICT = "amber+strict"
    RED = "red"

    @property
    def mark(self) -> str:
        """The marking as it is written."""
        return f"TLP:{self.value.upper()}"

    def is_within(self, most: "Tlp") -> bool:
        """Return whether what has this marking may go to somebody who may receive at most another."""
        order = list(Tlp)
        return order.index(self) <= order.index(most)


class TaskState(StrEnum):
    """The state of a step."""

    OPEN = "open"
    DONE = "done"
    NOT_APPLICABLE = "not_applicable"


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A case of a member. `severity` is a level of alerts; `owner_id` None: nobody has taken it.

    `outcome`, `summary` and `proposed_*` are of the proposal to close it, `closed_*` of its confirmation.
    """

    tenant_id: UUID
    case_id: UUID
    reference: str
    title: str
    state: State
    severity: Level
    tlp: Tlp
    playbook: str
    owner_id: UUID | None = None
    owner: str = ""
    opened_at: datetime
    opened_by: str
    changed_at: datetime
    outcome: str = ""
    summary: str = ""
    proposed_by_id: UUID | None = None
    proposed_by: str = ""
    proposed_at: datetime | None = None
    closed_by: str = ""
    closed_at: datetime | None = None
    merged_into: UUID | None = None
    is_exercise: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class QueuedAlert:
    """An alert as the queue lists it, with the name of its member ("": the agency).

    `dismissed_as` is the outcome with which somebody dismissed it, `dismissal` their reason.
    """

    tenant_id: UUID
    alert_id: UUID
    tenant: str
    raised_at: datetime
    first_at: datetime
    last_at: datetime
    origin: Origin
    rule: str
    title: str
    level: Level
    techniques: tuple[str, ...]
    subject: str
    dismissed_at: datetime | None = None
    dismissed_by: str = ""
    dismissed_as: str = ""
    dismissal: str = ""

    @property
    def is_exercise(self) -> bool:
        """Whether nothing has happened."""
        return self.origin is Origin.EXERCISE


class QueuePart(StrEnum):
    """A part of the alerts without a case: those that wait, are suppressed, or were dismissed."""

    WAITING = "waiting"
    SUPPRESSED = "suppressed"
    DISMISSED = "dismissed"


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueFilter:
    """Which alerts the queue lists: `text` is a part of title, rule or subject, `level` the lowest one."""

    text: str = ""
    level: Level = Level.INFORMATIONAL
    origin: Origin | None = None
    tenant_id: UUID | None = None
    part: QueuePart = QueuePart.WAITING


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseFilter:
    """Which cases are listed: `text` is a part of title or reference."""

    text: str = ""
    states: Sequence[State] = ACTIVE
    own: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Suppression:
    """Alerts of a rule, or about a subject, that wait no more; `tenant_id` None: of every member, "": any.

    It holds for alerts raised before `until`; one that was ended holds for none.
    """

    suppression_id: UUID
    tenant_id: UUID | None
    rule: str
    subject: str
    reason: str
    owner_id: UUID
    owner: str
    created_at: datetime
    until: datetime
    ended_at: datetime | None = None
    ended_by: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """A step of a case's playbook; `reason`: why it is not applicable, or what was done."""

    case_id: UUID
    step: str
    position: int
    who: str
    due_at: datetime
    state: TaskState = TaskState.OPEN
    reason: str = ""
    done_by: str = ""
    done_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TimelineEntry:
    """What happened in a case. `kind` has its words in `ENTRY_WORDS`; `text` is what somebody wrote.

    `tlp`: of a note; `is_internal`: for operators only.
    """

    case_id: UUID
    entry_id: UUID
    at: datetime
    actor: str
    kind: str
    params: Mapping[str, Any] = field(default_factory=dict)
    text: str = ""
    tlp: Tlp = Tlp.AMBER
    is_internal: bool = False


ENTRY_WORDS: Mapping[str, str] = {
    "opened": N_("The case was opened. Alerts: %(count)s"),
    "joined": N_("Alerts added: %(count)s"),
    "changed": N_("The case was changed"),
    "taken": N_("%(name)s took the case"),
    "playbook": N_("The playbook was added"),
    "note": P_("case", "Note"),
    "task_done": N_("A step is done"),
    "task_not_applicable": N_("A step is not applicable"),
    "task_open": N_("A step is open again"),
    "evidence": N_("Evidence added: %(name)s"),
    "closing": N_("Closing was proposed"),
    "declined": N_("The proposal to close was declined"),
    "closed": N_("The case was closed by a second person"),
    "reopened": N_("The case was opened again"),
    "merged": N_("The case was merged into %(reference)s"),
    "absorbed": N_("The case %(reference)s was merged into this one"),
    "handed_over": N_("Handed over to %(name)s"),
    "suspension_requested": N_("The suspension of %(name)s was requested"),
    "suspension_done": N_("The access of %(name)s was suspended"),
    "suspension_refused": N_("The suspension of %(name)s was refused"),
    "quarantine": N_("The quarantine of the site was requested"),
    "facts": N_("The facts of the incident were stated"),
    "drafted": N_("A notification was drafted"),
    "approved": N_("A notification was approved"),
    "sent": N_("A notification was marked as sent"),
}
"""What happened, in words (msgids)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Containment:
    """A request that stops an attack: the suspension of an account, which a second person decides, or a quarantine."""

    containment_id: UUID
    case_id: UUID
    kind: str
    holder_id: UUID
    holder: str
    reason: str
    state: str
    requested_by_id: UUID
    requested_by: str
    requested_at: datetime
    decided_by: str = ""
    decided_at: datetime | None = None

"""Journal events of cases. None names a patient, or has what an alert rests on."""

from datetime import datetime
from uuid import UUID

from esante.core.journal import Event, event


@event("soc.case_opened")
class CaseOpened(Event, frozen=True, kw_only=True):
    """An operator opened a case with alerts of a member."""

    tenant_id: UUID
    case_id: UUID
    reference: str
    alerts: tuple[UUID, ...] = ()
    severity: int
    playbook: str = ""
    is_exercise: bool = False


@event("soc.alerts_joined")
class AlertsJoined(Event, frozen=True, kw_only=True):
    """An operator added alerts to a case."""

    tenant_id: UUID
    case_id: UUID
    alerts: tuple[UUID, ...]


@event("soc.case_read")
class CaseRead(Event, frozen=True, kw_only=True):
    """Somebody opened a part of a case; what lies in it may name persons."""

    tenant_id: UUID
    case_id: UUID
    part: str


@event("soc.case_expired")
class CaseExpired(Event, frozen=True, kw_only=True):
    """The time of a closed case has ended by a rule: everything of it was deleted."""

    tenant_id: UUID
    case_id: UUID
    reference: str
    rule: str
    alerts: int


@event("soc.alerts_expired")
class AlertsExpired(Event, frozen=True, kw_only=True):
    """The time of alerts without a case, and of suppressions, has ended by a rule: so many were deleted."""

    rule: str
    alerts: int
    suppressions: int


@event("soc.case_changed")
class CaseChanged(Event, frozen=True, kw_only=True):
    """Somebody changed a case: its state, severity, marking, playbook or owner. `act`: what they did."""

    tenant_id: UUID
    case_id: UUID
    act: str
    state: str
    severity: int
    tlp: str
    outcome: str = ""
    owner_id: UUID | None = None
    merged_into: UUID | None = None


@event("soc.note_added")
class NoteAdded(Event, frozen=True, kw_only=True):
    """Somebody wrote a note in a case; its text stays out of the journal."""

    tenant_id: UUID
    case_id: UUID
    tlp: str
    is_internal: bool


@event("soc.task_changed")
class TaskChanged(Event, frozen=True, kw_only=True):
    """Somebody did a step of a case, found it not applicable, or opened it again."""

    tenant_id: UUID
    case_id: UUID
    step: str
    state: str


@event("soc.alerts_suppressed")
class AlertsSuppressed(Event, frozen=True, kw_only=True):
    """An operator suppressed the alerts of a rule or a subject until a moment; `tenant_id` None: of all members."""

    suppression_id: UUID
    tenant_id: UUID | None = None
    rule: str
    until: datetime


@event("soc.alerts_dismissed")
class AlertsDismissed(Event, frozen=True, kw_only=True):
    """An operator dismissed alerts of a member, singly or those of a suppression; the reason is not journalled."""

    tenant_id: UUID
    alerts: tuple[UUID, ...]
    outcome: str
    suppression_id: UUID | None = None


@event("soc.dismissal_ended")
class DismissalEnded(Event, frozen=True, kw_only=True):
    """An operator took a dismissal back: the alert waits again."""

    tenant_id: UUID
    alert_id: UUID


@event("soc.exercise_started")
class ExerciseStarted(Event, frozen=True, kw_only=True):
    """An operator raised an alert of an exercise at a member; nothing has happened, and no figure counts it."""

    tenant_id: UUID
    alert_id: UUID
    playbook: str


@event("soc.suppression_ended")
class SuppressionEnded(Event, frozen=True, kw_only=True):
    """An operator ended a suppression before its time."""

    suppression_id: UUID


@event("soc.suspension_requested")
class SuspensionRequested(Event, frozen=True, kw_only=True):
    """An operator requested that somebody's access is suspended."""

    tenant_id: UUID
    case_id: UUID
    containment_id: UUID
    holder_id: UUID


@event("soc.suspension_decided")
class SuspensionDecided(Event, frozen=True, kw_only=True):
    """A second operator decided on a request for suspension: `state` is done or refused."""

    tenant_id: UUID
    case_id: UUID
    containment_id: UUID
    holder_id: UUID
    state: str


@event("soc.quarantine_requested")
class QuarantineRequested(Event, frozen=True, kw_only=True):
    """An operator requested that the sites of an organisation are put in quarantine in HealthNet."""

    tenant_id: UUID
    case_id: UUID
    containment_id: UUID
    organization_id: UUID
    reason: str

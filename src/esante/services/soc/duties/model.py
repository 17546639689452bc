"""Types of duties: the facts of an incident, the rules, what is owed, drafts, journal events."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Annotated
from uuid import UUID

import msgspec

from esante.core.journal import Event, event

Count = Annotated[int, msgspec.Meta(ge=0, le=1_000_000_000)]
_MOST_EUROS = Decimal(1_000_000_000_000)


class Entity(StrEnum):
    """What kind of organisation has the incident; some thresholds hold for one kind only."""

    HOSPITAL = "hospital"
    LABORATORY = "laboratory"
    OTHER = "other"


class DataRisk(StrEnum):
    """How large the risk to the persons is whose data were concerned (GDPR, articles 33 and 34)."""

    NONE = "none"
    RISK = "risk"
    HIGH = "high"


class DeviceHarm(StrEnum):
    """What a medical device had to do with the incident (Regulation (EU) 2017/745, article 87)."""

    NONE = "none"
    SERIOUS = "serious"
    DEATH = "death"
    PUBLIC = "public"


class Facts(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is known of an incident, as far as a duty depends on it; moments are aware, money is euros.

    Raises: ValueError for a share above 100 per cent, and for an amount below 0 or above 10^12 euros.

    `detected_at`: something was noticed. `aware_at`: the organisation knew that the incident is significant.
    `breach_aware_at`: it knew that personal data were concerned. `handled_at`: the incident was over.
    `earlier_loss_eur`: of other incidents of the same cause within six months.
    """

    detected_at: datetime
    aware_at: datetime | None = None
    breach_aware_at: datetime | None = None
    handled_at: datetime | None = None
    entity: Entity = Entity.OTHER
    planned_maintenance: bool = False
    outage_minutes: Count = 0
    users_out_percent: Decimal = Decimal(0)
    analyses_out_percent: Decimal = Decimal(0)
    severe_disruption: bool = False
    malicious_access: bool = False
    physical_access: bool = False
    cross_border: bool = False
    affected_users: Count = 0
    trade_secrets: bool = False
    reversible_harm: Count = 0
    irreversible_harm: Count = 0
    deaths: Count = 0
    person_endangered: bool = False
    considerable_harm: bool = False
    public_health_risk: bool = False
    considerable_damage: bool = False
    loss_eur: Decimal = Decimal(0)
    earlier_loss_eur: Decimal = Decimal(0)
    turnover_eur: Decimal = Decimal(0)
    damage_legal_eur: Decimal = Decimal(0)
    damage_natural_eur: Decimal = Decimal(0)
    personal_data: bool = False
    data_risk: DataRisk = DataRisk.NONE
    data_unreadable: bool = False
    risk_removed: bool = False
    device_harm: DeviceHarm = DeviceHarm.NONE

    def __post_init__(self) -> None:
        for name in self.__struct_fields__:
            value = getattr(self, name)
            most = Decimal(100) if name.endswith("_percent") else _MOST_EUROS
            if isinstance(value, Decimal) and not (value.is_finite() and 0 <= value <= most):
                raise ValueError(f"{name} is not between 0 and {most}")

    @property
    def total_loss_eur(self) -> Decimal:
        """The loss with earlier ones of the same cause."""
        return self.loss_eur + self.earlier_loss_eur

    @property
    def loss_percent(self) -> Decimal:
        """The loss as a share of the turnover, 0 where that is not known."""
        return 100 * self.total_loss_eur / self.turnover_eur if self.turnover_eur else Decimal(0)


MOMENTS = ("detected_at", "aware_at", "breach_aware_at", "handled_at")
"""The moments of the facts, each of which may start a clock."""


class Status(StrEnum):
    """Whether a set of rules is in force."""

    IN_FORCE = "in_force"
    DRAFT = "draft"


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition on one fact: at least, or more than a number, is a truth value, or one of some words."""

    fact: str
    at_least: Decimal | None = None
    more_than: Decimal | None = None
    equals: bool | None = None
    one_of: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Threshold:
    """A threshold: reached when all conditions hold; `label` is a msgid."""

    key: str
    label: str
    conditions: tuple[Condition, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """How long somebody has: hours, or days or months of the calendar."""

    unit: str
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Duty:
    """A duty to notify. `to`: a key of the recipients; `period` None: without undue delay.

    `starts`: a moment of the facts, or the duty whose sending starts the clock. `only_while_unhandled`: owed only
    where the incident lasts until the deadline; `from_handling`: then the clock starts with the end of the incident.
    """

    key: str
    label: str
    to: str
    starts: str
    period: Period | None
    thresholds: frozenset[str]
    sections: tuple[str, ...]
    only_while_unhandled: bool = False
    from_handling: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleSet:
    """The thresholds and duties of a regime from a day on; `label` is a msgid."""

    key: str
    regime: str
    status: Status
    valid_from: date
    label: str
    legal_source: str
    verified: bool
    thresholds: tuple[Threshold, ...]
    duties: tuple[Duty, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipient:
    """Who gets notifications; `label` and `how` are msgids."""

    key: str
    label: str
    how: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Owed:
    """A duty that an incident brings, with the thresholds that it reached.

    `started_at` None: its clock has not started; `due_at` None: not started, or without undue delay.
    """

    duty: Duty
    rules: RuleSet
    why: tuple[Threshold, ...]
    started_at: datetime | None
    due_at: datetime | None
    sent_at: datetime | None = None

    @property
    def is_urgent(self) -> bool:
        """Whether it is owed without a time that is counted."""
        return self.duty.period is None

    def is_late(self, now: datetime) -> bool:
        """Return whether it was not sent in time; of one that was sent: whether it was sent late."""
        return self.due_at is not None and (self.sent_at or now) > self.due_at

    def elapsed(self, now: datetime) -> float:
        """Return the share of the time that is over, 0 to 1."""
        if self.started_at is None or self.due_at is None or self.due_at <= self.started_at:
            return 0.0
        return min(1.0, max(0.0, (now - self.started_at) / (self.due_at - self.started_at)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Notification:
    """The notification of a duty of a case: its draft by sections, who approved this version, and what was sent."""

    tenant_id: UUID
    case_id: UUID
    duty: str
    language: str
    sections: Mapping[str, str]
    version: int
    changed_at: datetime
    changed_by: str
    first_by_id: UUID | None = None
    first_by: str = ""
    first_at: datetime | None = None
    second_by_id: UUID | None = None
    second_by: str = ""
    second_at: datetime | None = None
    sent_at: datetime | None = None
    receipt: str = ""
    sent_by: str = ""
    delay_reason: str = ""

    @property
    def is_approved(self) -> bool:
        """Whether two people approved this version."""
        return self.second_by_id is not None


@event("soc.facts_stated")
class FactsStated(Event, frozen=True, kw_only=True):
    """Somebody stated the facts of a case; `duties` are those that they bring."""

    tenant_id: UUID
    case_id: UUID
    version: int
    duties: tuple[str, ...] = ()


@event("soc.notification_drafted")
class NotificationDrafted(Event, frozen=True, kw_only=True):
    """Somebody wrote a version of a notification; approvals of the version before ended."""

    tenant_id: UUID
    case_id: UUID
    duty: str
    version: int
    language: str


@event("soc.notification_approved")
class NotificationApproved(Event, frozen=True, kw_only=True):
    """Somebody approved a version of a notification, as the first or the second (`approval` 1, 2)."""

    tenant_id: UUID
    case_id: UUID
    duty: str
    version: int
    approval: int


@event("soc.notification_sent")
class NotificationSent(Event, frozen=True, kw_only=True):
    """A notification was marked as sent; `sha256` is that of its text."""

    tenant_id: UUID
    case_id: UUID
    duty: str
    version: int
    sent_at: datetime
    receipt: str
    is_late: bool
    sha256: str


@event("soc.notification_exported")
class NotificationExported(Event, frozen=True, kw_only=True):
    """Somebody downloaded a notification as a file."""

    tenant_id: UUID
    case_id: UUID
    duty: str
    version: int
    format: str

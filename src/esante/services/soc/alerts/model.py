"""Types of alerts."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum, StrEnum
from typing import Any
from uuid import UUID

from esante.core.journal import Event, event
from esante.core.web import N_


class Origin(StrEnum):
    """What raises alerts."""

    SIGMA = "sigma"
    CORRELATION = "correlation"
    INTELLIGENCE = "intelligence"
    HEALTH = "health"
    SILENCE = "silence"
    EXERCISE = "exercise"


ORIGIN_NAMES: Mapping[str, str] = {
    Origin.SIGMA: N_("Detection rule"),
    Origin.CORRELATION: N_("Correlation rule"),
    Origin.INTELLIGENCE: N_("Threat intelligence"),
    Origin.HEALTH: N_("Access to health data"),
    Origin.SILENCE: N_("Source without events"),
    Origin.EXERCISE: N_("Exercise"),
}
"""The origins in words (msgids)."""


class Level(IntEnum):
    """The level of an alert, as Sigma names it."""

    INFORMATIONAL = 0
    LOW = 1
    MEDIUM = 2
    HIGH = 3
    CRITICAL = 4


LEVEL_NAMES: Mapping[int, str] = {
    Level.INFORMATIONAL: N_("Informational"),
    Level.LOW: N_("Low"),
    Level.MEDIUM: N_("Medium"),
    Level.HIGH: N_("High"),
    Level.CRITICAL: N_("Critical"),
}
"""The levels in words (msgids)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """A value that a finding rests on: its field, the value, and the key of the event that has it ("" for none)."""

    field: str
    value: str
    event: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewAlert:
    """A finding of a detection about a member.

    `key` is made of what was found: the same finding again has the same key. `title` is the title of the rule (a msgid
    for rules of the program), `subject` what is affected (an account, a host, a professional), by which alerts are
    grouped. `why` is a msgid with the parameters `values`; "" where the rule's title says enough. `techniques` are
    identifiers of ATT&CK (T1059.001). `person_id`: the patient whose data it concerns.
    """

    tenant_id: UUID
    key: str
    first_at: datetime
    last_at: datetime
    origin: Origin
    rule: str
    title: str
    level: Level
    subject: str
    why: str = ""
    values: Mapping[str, Any] = field(default_factory=dict)
    techniques: tuple[str, ...] = ()
    evidence: tuple[Evidence, ...] = ()
    person_id: UUID | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert(NewAlert):
    """An alert that was raised."""

    alert_id: UUID
    raised_at: datetime

    @property
    def is_exercise(self) -> bool:
        """Whether nothing has happened."""
        return self.origin is Origin.EXERCISE


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertFilter:
    """Which alerts are listed: `text` is a part of title or subject, `level` the lowest one."""

    text: str = ""
    level: Level = Level.INFORMATIONAL
    origin: Origin | None = None
    since: datetime | None = None


@event("soc.alert_read")
class AlertRead(Event, frozen=True, kw_only=True):
    """Somebody opened an alert; what it rests on may name persons."""

    tenant_id: UUID
    alert_id: UUID


@event("soc.alert_raised")
class AlertRaised(Event, frozen=True, kw_only=True):
    """A detection raised an alert; what it rests on stays out of the journal."""

    tenant_id: UUID
    alert_id: UUID
    origin: str
    rule: str
    level: int

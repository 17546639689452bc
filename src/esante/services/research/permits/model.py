"""Types of permits, and their journal events."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from uuid import UUID

from esante.core.journal import Event, event
from esante.core.web import N_, P_


class PermitKind(StrEnum):
    """What is permitted."""

    PERMIT = "permit"
    """To process the data in a secure processing environment (Article 68)."""
    REQUEST = "request"
    """To get an answer in the form of anonymised statistics, which the access body makes (Article 69)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Permit:
    """A permit, or an approved data request.

    `columns`: the columns covered, by "dataset.table". `members`: the accounts that may use it, the holder's included.
    `valid_from` and `valid_to`: its first and last day. `conditions`: what the holder must observe beside the law.
    `purpose`: a key of the purposes; `summary`: the study in plain words, for the public. `holder`: the organisation.
    `reason`: why it was withdrawn.
    """

    permit_id: UUID
    application_id: UUID
    holder_id: UUID
    members: frozenset[UUID]
    columns: Mapping[str, frozenset[str]]
    valid_from: date
    valid_to: date
    withdrawn_at: datetime | None = None
    kind: PermitKind = PermitKind.PERMIT
    title: str = ""
    purpose: str = ""
    summary: str = ""
    holder: str = ""
    conditions: str = ""
    reason: str = ""
    issued_at: datetime | None = None

    @property
    def datasets(self) -> tuple[str, ...]:
        """The names of the datasets, in the order of their first table."""
        return tuple(dict.fromkeys(table.partition(".")[0] for table in self.columns))


class PermitState(StrEnum):
    """The state of a permit on a day."""

    COMING = "coming"
    VALID = "valid"
    EXPIRED = "expired"
    WITHDRAWN = "withdrawn"


PERMIT_STATE_NAMES: Mapping[str, str] = {
    PermitState.COMING: N_("Not valid yet"),
    PermitState.VALID: P_("permit", "Valid"),
    PermitState.EXPIRED: P_("permit", "Expired"),
    PermitState.WITHDRAWN: P_("permit", "Withdrawn"),
}
PERMIT_KIND_NAMES: Mapping[str, str] = {
    PermitKind.PERMIT: N_("Data permit"),
    PermitKind.REQUEST: N_("Data request"),
}


@dataclass(frozen=True, slots=True)
class PermitFault:
    """Why a use is not permitted; `title` and `remedy` are msgids, `article` is one of Regulation (EU) 2025/327.

    `columns`: what is not covered, as "dataset.table.column", sorted.
    """

    code: str
    article: str
    title: str
    remedy: str
    columns: tuple[str, ...] = ()


@event("research.permit_issued")
class PermitIssued(Event, frozen=True, kw_only=True):
    """A permit was issued, or a data request approved (`kind`), by the decision on an application."""

    permit_id: UUID
    application_id: UUID
    kind: str
    datasets: tuple[str, ...]
    valid_from: date
    valid_to: date


@event("research.permit_withdrawn")
class PermitWithdrawn(Event, frozen=True, kw_only=True):
    """An operator withdrew a permit."""

    permit_id: UUID
    application_id: UUID
    reason: str


@event("research.permit_expired")
class PermitExpired(Event, frozen=True, kw_only=True):
    """The last day of a permit has passed."""

    permit_id: UUID
    application_id: UUID

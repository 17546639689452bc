"""Types of labels, and their journal events."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from uuid import UUID

from esante.core.journal import Event, event
from esante.core.web import N_


class LabelState(StrEnum):
    """The state of a label of a version for a kit."""

    APPLIED = "applied"
    GRANTED = "granted"
    REFUSED = "refused"
    RENEWED = "renewed"
    """A newer label of the same version for the same kit took its place."""
    ENDED = "ended"


class EndCause(StrEnum):
    """Why a label ended."""

    EXPIRED = "expired"
    NOT_RUN_AGAIN = "not_run_again"
    """The kit has a new version, and the software was not tested against it in time."""
    WITHDRAWN = "withdrawn"


LABEL_STATE_NAMES: Mapping[str, str] = {
    LabelState.APPLIED: N_("In review"),
    LabelState.GRANTED: N_("Labelled"),
    LabelState.REFUSED: N_("Label refused"),
    LabelState.RENEWED: N_("Renewed"),
    LabelState.ENDED: N_("Label ended"),
}
END_CAUSE_NAMES: Mapping[str, str] = {
    EndCause.EXPIRED: N_("The label expired."),
    EndCause.NOT_RUN_AGAIN: N_("The software was not tested against the new version of the requirements in time."),
    EndCause.WITHDRAWN: N_("The label was withdrawn."),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """A label of a version for a kit, or the application for one.

    `run_id`: the evidence. `until`: its last day. `run_again_by`: the day by which the software must be tested against
    the kit's new version. `cause` and `reason`: why it ended or was refused.
    """

    label_id: UUID
    version_id: UUID
    vendor_id: UUID
    run_id: UUID
    kit: str
    kit_version: str
    state: LabelState
    applied_at: datetime
    granted_at: datetime | None = None
    until: date | None = None
    run_again_by: date | None = None
    ended_at: datetime | None = None
    cause: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Review:
    """What an operator decided about an application, and why."""

    label_id: UUID
    operator_id: UUID
    operator: str
    at: datetime
    approved: bool
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedLabel:
    """A label with the names of its software."""

    label: Label
    product_id: UUID
    product: str
    vendor: str
    version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelCase:
    """A label with its reviews; `findings` (msgids): what the present rules find against an application."""

    listed: ListedLabel
    reviews: Sequence[Review]
    findings: Sequence[str]


@event("conformance.label_applied")
class LabelApplied(Event, frozen=True, kw_only=True):
    """A vendor applied for the label of a version for a kit, with a run as evidence."""

    label_id: UUID
    version_id: UUID
    vendor_id: UUID
    kit: str
    kit_version: str
    run_id: UUID


@event("conformance.label_reviewed")
class LabelReviewed(Event, frozen=True, kw_only=True):
    """An operator reviewed an application; `reason`: why they refuse it."""

    label_id: UUID
    version_id: UUID
    kit: str
    approved: bool
    reason: str


@event("conformance.label_granted")
class LabelGranted(Event, frozen=True, kw_only=True):
    """A label of a version for a kit was granted or renewed: it holds to the end of the day `until`.

    It takes the place of an earlier one of the same version for the same kit.
    """

    label_id: UUID
    version_id: UUID
    product: str
    vendor_id: UUID
    vendor: str
    version: str
    kit: str
    kit_version: str
    clients: tuple[str, ...]
    until: date


@event("conformance.label_outdated")
class LabelOutdated(Event, frozen=True, kw_only=True):
    """The kit of a label has a new version: the software must be tested again by a day."""

    label_id: UUID
    version_id: UUID
    kit: str
    run_again_by: date


@event("conformance.label_ended")
class LabelEnded(Event, frozen=True, kw_only=True):
    """The label of a version for a kit ended (`cause`: expired, not_run_again, withdrawn)."""

    label_id: UUID
    version_id: UUID
    kit: str
    cause: str
    reason: str = ""

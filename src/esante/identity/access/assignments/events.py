"""The journal events of changes to the sorting of documents."""

from datetime import date
from uuid import UUID

from esante.core.journal import Event, event


@event("access.assignment_simulated")
class AssignmentSimulated(Event, frozen=True, kw_only=True):
    """An operator was shown what another legal category of a document class would change from a day on."""

    document_class: str
    category: str
    valid_from: date


@event("access.assignment_proposed")
class AssignmentProposed(Event, frozen=True, kw_only=True):
    """An operator proposed another legal category for a document class, from a day on."""

    change_id: UUID
    document_class: str
    category: str
    valid_from: date
    legal_source: str


@event("access.assignment_confirmed")
class AssignmentConfirmed(Event, frozen=True, kw_only=True):
    """A second operator confirmed another legal category for a document class, from a day on."""

    change_id: UUID
    document_class: str
    category: str
    valid_from: date
    proposed_by: UUID


@event("access.assignment_withdrawn")
class AssignmentWithdrawn(Event, frozen=True, kw_only=True):
    """An operator withdrew a proposal that was not confirmed; the reason is in the list of changes."""

    change_id: UUID
    document_class: str
    category: str
    valid_from: date

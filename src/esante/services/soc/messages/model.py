"""Types of messages."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from esante.core.journal import Event, event


class Kind(StrEnum):
    """Why a contact is written to: steps wait for their member, or one of them is late."""

    STEPS = "steps"
    LATE = "late"


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A message to a contact, with what its text names; `next_at` None: it is not tried any more.

    `failure`: why the last try failed (a msgid), "" for none.
    """

    message_id: UUID
    case_id: UUID
    tenant_id: UUID
    practitioner_id: UUID
    kind: Kind
    tries: int
    next_at: datetime | None
    sent_at: datetime | None
    failure: str
    name: str
    email: str
    language: str
    reference: str
    is_exercise: bool


@event("soc.message_sent")
class MessageSent(Event, frozen=True, kw_only=True):
    """The mail server took a message to a contact; neither its text nor the address is journalled."""

    message_id: UUID
    tenant_id: UUID
    case_id: UUID
    practitioner_id: UUID
    kind: str


@event("soc.message_given_up")
class MessageGivenUp(Event, frozen=True, kw_only=True):
    """A message to a contact could not be sent, and is not tried any more."""

    message_id: UUID
    tenant_id: UUID
    case_id: UUID
    practitioner_id: UUID
    kind: str

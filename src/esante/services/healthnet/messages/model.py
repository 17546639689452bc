"""Types and events of messages between sites."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from esante.core.journal import Event, event


class MessageState(StrEnum):
    """How far a message has come. Each state has a receipt."""

    ACCEPTED = "accepted"
    """The platform has it on disk."""
    DELIVERED = "delivered"
    """The recipient has it on disk."""
    READ = "read"
    """The recipient has taken it over."""
    REFUSED = "refused"
    """The recipient does not take it; `reason` says why."""
    EXPIRED = "expired"
    """The recipient did not fetch it in time."""


class RefusalReason(StrEnum):
    """Why a recipient refuses a message."""

    UNREADABLE = "unreadable"
    """It cannot be decrypted, or its signature is wrong."""
    WRONG_RECIPIENT = "wrong-recipient"
    UNKNOWN_PATIENT = "unknown-patient"
    DUPLICATE = "duplicate"
    OTHER = "other"


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteMessage:
    """A message without its content. `digest`: SHA-256 of the encrypted content (32 bytes), `size`: its bytes."""

    message_id: UUID
    receipt_id: UUID
    sender: str
    recipient: str
    state: MessageState
    reason: str
    digest: bytes
    size: int
    accepted_at: datetime
    changed_at: datetime
    expires_at: datetime


@event("healthnet.message_changed")
class MessageChanged(Event, frozen=True, kw_only=True):
    """A message reached a state; `receipt`: the SHA-256 (hexadecimal) of the receipt, so that the tree proves it."""

    message_id: UUID
    sender: str
    recipient: str
    state: str
    receipt: str


@event("healthnet.message_key_announced")
class MessageKeyAnnounced(Event, frozen=True, kw_only=True):
    """A site announced the key with which others encrypt for it; `key`: its thumbprint (RFC 7638)."""

    site: str
    key: str

"""Types of signing in, and its journal events."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from esante.core.journal import Event, event

HOLDER_KINDS = ("patient", "practitioner", "operator")
"""The kinds of people who sign in; software and vendors have keys."""


class CodePurpose(StrEnum):
    """What a code is for."""

    ACTIVATION = "activation"
    """The first passkey."""
    RECOVERY = "recovery"
    """A new passkey in place of all that were lost."""


class RecoveryState(StrEnum):
    """The state of a recovery."""

    OPEN = "open"
    CONFIRMED = "confirmed"
    WITHDRAWN = "withdrawn"


@dataclass(frozen=True, slots=True)
class Holder:
    """Somebody who signs in: their kind, their key in the directory (of an operator: of the account), their name."""

    kind: str
    id: UUID
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Passkey:
    """A passkey of a holder; `synced`: its provider copies it to further devices of the holder.

    `public_key` is a COSE key, `sign_count` the last counter of the authenticator (0: it has none).
    """

    credential_id: bytes
    holder_kind: str
    holder_id: UUID
    public_key: bytes
    sign_count: int
    name: str
    synced: bool
    added_at: datetime
    used_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SignInCode:
    """A code as it is kept; `failures`: how often the number beside it was wrong."""

    code_hash: bytes
    holder_kind: str
    holder_id: UUID
    purpose: CodePurpose
    issued_at: datetime
    expires_at: datetime
    failures: int = 0
    used_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Operator:
    """Somebody of the agency's staff who may sign in, until `ended_at`."""

    operator_id: UUID
    name: str
    invited_by: str
    invited_at: datetime
    ended_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovery:
    """A request that somebody who lost all their passkeys may sign in again."""

    recovery_id: UUID
    holder_kind: str
    holder_id: UUID
    holder: str
    reason: str
    state: RecoveryState
    asked_at: datetime
    asked_by: UUID
    asker: str
    decided_at: datetime | None = None
    decider: str = ""


@event("signin.passkey_added")
class PasskeyAdded(Event, frozen=True, kw_only=True):
    """A passkey was added; `purpose`: of the code by which it was, "" by somebody who was signed in."""

    holder_kind: str
    holder_id: UUID
    purpose: str = ""


@event("signin.passkey_removed")
class PasskeyRemoved(Event, frozen=True, kw_only=True):
    """Passkeys were removed; `cause`: holder or recovery."""

    holder_kind: str
    holder_id: UUID
    count: int
    cause: str


@event("signin.code_issued")
class SignInCodeIssued(Event, frozen=True, kw_only=True):
    """A code was issued; the code itself is not in the journal."""

    holder_kind: str
    holder_id: UUID
    purpose: str
    until: datetime


@event("signin.session_ended")
class SessionEnded(Event, frozen=True, kw_only=True):
    """Somebody ended another session of their own."""

    holder_kind: str
    holder_id: UUID


@event("signin.operator_changed")
class OperatorChanged(Event, frozen=True, kw_only=True):
    """Somebody was invited as an operator, or may no longer sign in (`change`: invited, ended)."""

    operator_id: UUID
    name: str
    change: str


@event("signin.recovery_changed")
class RecoveryChanged(Event, frozen=True, kw_only=True):
    """The recovery of an account was asked for, confirmed or withdrawn (`change`: open, confirmed, withdrawn)."""

    recovery_id: UUID
    holder_kind: str
    holder_id: UUID
    change: str
    reason: str = ""

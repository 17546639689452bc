"""Types and events of accelerated reimbursement (RA): how far a note is, consents."""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import ClassVar
from uuid import UUID

from esante.core.journal import Event, event
from esante.core.web import N_
from esante.identity.access import AccessEvent
from esante.services.billing.insurance.messages import Anomaly
from esante.services.billing.note.model import NoteEvent


class State(StrEnum):
    """How far a note is; the names are those of the service of the agency (epione 3.0.0)."""

    RECEIVED = "RECEIVED"
    """On the platform, not at the insurance yet."""
    SENT = "SENT"
    """At the insurance; the patient has not asked for the money."""
    REIMBURSEMENT_ASKED = "REIMBURSEMENT_ASKED"
    REIMBURSEMENT_SENT = "REIMBURSEMENT_SENT"
    CANCEL_ASKED = "CANCEL_ASKED"
    CANCELED = "CANCELED"
    CANCEL_REPLACED = "CANCEL_REPLACED"


class Message(StrEnum):
    """What is to be sent to the insurance next."""

    DEPOSIT = "deposit"
    CONSENT = "consent"
    CANCELLATION = "cancellation"
    QUESTION = "question"
    """Whether the note was reimbursed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reimbursement:
    """How far the reimbursement of a note is.

    `tried`: its deposit may have reached the insurance. `secu_id`: the UUID that the insurance gave it, None until it
    answered. `asked_by`: patient, or consent (by itself). `consented`: the insurance knows that the patient wants the
    money. `amount`, `reimbursed_on`: what the insurance paid, and when. `cancel_reason`, `replaced_by_id`: of a
    cancellation that was asked for. `settled`: whether the note says that the patient has paid.
    """

    person_id: UUID
    note_id: UUID
    state: State = State.RECEIVED
    settled: bool = False
    tried: bool = False
    secu_id: UUID | None = None
    asked_at: datetime | None = None
    asked_by: str = ""
    consented: bool = False
    amount: Decimal | None = None
    reimbursed_on: date | None = None
    cancel_reason: str = ""
    replaced_by_id: UUID | None = None
    anomalies: tuple[Anomaly, ...] = ()
    changed_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """A message that waits to be sent: after so many failures again at `turn_at`; `dead`: not by itself any more."""

    person_id: UUID
    note_id: UUID
    turn_at: datetime
    failures: int = 0
    last_error: str = ""
    dead: bool = False


class ConsentType(StrEnum):
    """What a person consents to."""

    MH = "MH"
    """Doctors deposit fee notes; refused once it was ended."""
    ESANTE = "ESANTE"
    """The person uses the platform for fee notes."""
    CNS = "CNS"
    """The person sends notes to the insurance; refused once it was ended."""
    CNS_AUTO = "CNS_AUTO"
    """Paid notes are sent by themselves."""


BY_PROFESSIONALS = frozenset({ConsentType.MH, ConsentType.ESANTE})
"""The consents that a professional may record or end at the person's request."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NoteConsent:
    """A consent of a person from `since` until `until`; `ended_at`: when it was revoked."""

    id: UUID
    person_id: UUID
    type: ConsentType
    since: datetime
    until: datetime
    author: str
    ended_at: datetime | None = None

    def is_in_force(self, at: datetime) -> bool:
        """Return whether the consent is in force at a moment."""
        return self.since <= at < self.until and self.ended_at is None


@event("billing.reimbursement_changed")
class ReimbursementChanged(NoteEvent, frozen=True, kw_only=True):
    """The reimbursement of a note got further; `amount` in euros once it was paid, `anomalies` of the insurance."""

    ACTION: ClassVar[str] = "U"
    FOLDS: ClassVar[bool] = False
    WORDS: ClassVar[str] = N_("The reimbursement of a fee note of yours got further.")
    OWN_WORDS: ClassVar[str] = N_("You sent a fee note to the health insurance.")

    state: str
    by: str = ""
    amount: str = ""
    anomalies: int = 0


@event("billing.anomaly_found")
class AnomalyFound(NoteEvent, frozen=True, kw_only=True):
    """The insurance found something wrong in a note; `codes` are those of the insurance."""

    ACTION: ClassVar[str] = "U"
    FOLDS: ClassVar[bool] = False
    WORDS: ClassVar[str] = N_("The health insurance found something wrong in a fee note of yours.")

    codes: tuple[str, ...]


@event("billing.note_refused")
class NoteRefused(Event, frozen=True, kw_only=True):
    """A deposit was refused; `cause` is the text of the first fault, `place` where it is. Filed under no person."""

    provider_code: str
    status: int
    cause: str
    place: str = ""


@event("billing.message_failed")
class MessageFailed(Event, frozen=True, kw_only=True):
    """A message to the insurance is not tried any more by itself; of `note_id`, filed under no person."""

    note_id: UUID
    message: str
    cause: str


@event("billing.consent_changed")
class NoteConsentChanged(AccessEvent, frozen=True, kw_only=True):
    """A consent about fee notes was given, or ended (`until` is then when)."""

    ACTION: ClassVar[str] = "U"
    RESOURCE: ClassVar[str] = "Consent"
    FOLDS: ClassVar[bool] = False
    CHOICE: ClassVar[bool] = True
    WORDS: ClassVar[str] = N_("%(actor)s recorded your choice about fee notes.")
    OWN_WORDS: ClassVar[str] = N_("You made a choice about your fee notes.")

    type: str
    until: datetime
    ended: bool = False


@event("billing.consents_read")
class NoteConsentsRead(AccessEvent, frozen=True, kw_only=True):
    """A professional asked for a consent of a person about fee notes."""

    RESOURCE: ClassVar[str] = "Consent"
    WORDS: ClassVar[str] = N_("%(actor)s looked up your choice about fee notes.")

    type: str

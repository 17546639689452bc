"""Types of immediate direct payment: requests, simulations, contestations and journal events. Amounts are euros."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import ClassVar
from uuid import UUID

from esante.core.journal import Event, event
from esante.core.web import N_, Problem
from esante.services.billing.adjudication.model import Adjudication, Cover
from esante.services.billing.note.model import FeeNote, NoteEvent
from esante.services.billing.payment.model import NOTHING, Payment

USE_RA = N_("Send the fee note for accelerated reimbursement, with the same UUID.")
"""The remedy where immediate payment cannot be had (a msgid)."""
RA_PATH = "/ra/v1"
"""Where a note is deposited for accelerated reimbursement, when immediate payment cannot be had."""


class PidUnavailable(Problem):
    """The immediate payment cannot be had now: 503, with the hint to deposit the note with the same id on the RA way.

    `hint` is the machine-readable part of answers: the way (`ra`) and the id of the note, which stays.
    """

    def __init__(self, title: str, remedy: str, note_id: UUID | None = None) -> None:
        super().__init__(503, "transient", title, remedy=remedy, headers={"Retry-After": "30"})
        self.hint: Mapping[str, str] = {"way": "ra", "path": RA_PATH} | ({"noteId": str(note_id)} if note_id else {})


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestedLine:
    """A line of a request (LigneUTA): `id` is the software's (identifiantExternePrestation).

    There are no amounts: the tariff is charged.
    """

    id: UUID | None
    on: date
    code: str
    quantity: int = 1
    place: str = ""
    hospital_class: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class NoteRequest:
    """A note as the national message has it (simulationMedecin/UTA): no names, no amounts."""

    provider_code: str
    matricule: str
    note_id: UUID
    issued_on: date
    lines: tuple[RequestedLine, ...]
    accident_number: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Eligibility:
    """Whether immediate payment can be had for a person on a day; `reason`: a key of `rules.REASONS`, "" if it can."""

    matricule: str
    on: date
    eligible: bool
    covers: tuple[Cover, ...] = ()
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Simulation:
    """A frozen adjudication of a note; until `expires_at` it can be validated.

    `payment_id`: the payment that it led to, None while it has not been validated.
    """

    id: UUID
    person_id: UUID
    note: FeeNote
    note_sha256: bytes
    adjudication: Adjudication
    biller_id: UUID
    biller: str
    organization_id: UUID | None
    created_at: datetime
    expires_at: datetime
    replaces_id: UUID | None = None
    payment_id: UUID | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Confirmations:
    """The three confirmations of a validation; all are needed.

    By the doctor (indicateurValidationMedecin), by the patient (indicateurValidationPersonneProtegee), and that the
    patient settled their share (indicateurAcquittementParticipationPersonnelle).
    """

    doctor: bool
    patient: bool
    personal_share: bool

    @property
    def missing(self) -> tuple[str, ...]:
        """The names of those that were not given."""
        given = {"doctor": self.doctor, "patient": self.patient, "personalShare": self.personal_share}
        return tuple(name for name, is_given in given.items() if not is_given)


@dataclass(frozen=True, slots=True, kw_only=True)
class Correction:
    """A correction after payment: the reversed payment, and that of the new note, which nets what is owed back."""

    reversed: Payment
    payment: Payment
    simulation: Simulation


class ContestationState(StrEnum):
    """The state of a contestation."""

    OPEN = "open"
    ACCEPTED = "accepted"
    """The insurance agrees: the note is corrected."""
    REFUSED = "refused"
    LAPSED = "lapsed"
    """Nobody answered within the time limit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Objection:
    """What a doctor contests: a finding of the simulation (identifiantAnomalie), and why (codeContestation, text)."""

    finding_id: UUID
    code: str
    text: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Contestation:
    """A contested finding of a simulation, to be answered by `due_at`."""

    id: UUID
    person_id: UUID
    simulation_id: UUID
    note_id: UUID
    provider_code: str
    biller_id: UUID
    finding_id: UUID
    rule: str
    line: int
    code: str
    text: str
    state: ContestationState
    opened_at: datetime
    due_at: datetime
    answered_at: datetime | None = None
    answer: str = ""
    answered_by: str = ""


@event("billing.eligibility_asked")
class EligibilityAsked(NoteEvent, frozen=True, kw_only=True):
    """A professional asked whether the person is insured (`eligible`)."""

    ACTION: ClassVar[str] = "R"
    RESOURCE: ClassVar[str] = "Coverage"
    FOLDS: ClassVar[bool] = False
    WORDS: ClassVar[str] = N_("%(actor)s asked your health insurance whether you are insured.")
    REFUSED_WORDS: ClassVar[str] = N_(
        "%(actor)s tried to ask your health insurance whether you are insured. Access was refused."
    )

    eligible: bool = False


@event("billing.simulated")
class Simulated(NoteEvent, frozen=True, kw_only=True):
    """A note was adjudicated; `refusals` are the rules that refused or reduced lines."""

    ACTION: ClassVar[str] = "C"
    FOLDS: ClassVar[bool] = False
    WORDS: ClassVar[str] = N_("%(actor)s had your share of a fee note calculated.")
    REFUSED_WORDS: ClassVar[str] = N_("%(actor)s tried to have a fee note of yours calculated. This was refused.")

    simulation_id: UUID | None = None
    statutory: Decimal = NOTHING
    personal: Decimal = NOTHING
    refusals: tuple[str, ...] = ()
    micros: int = 0
    """How long it took, in microseconds."""


@event("billing.validated")
class Validated(NoteEvent, frozen=True, kw_only=True):
    """A simulation was validated: the note is to be paid."""

    ACTION: ClassVar[str] = "C"
    FOLDS: ClassVar[bool] = False
    WORDS: ClassVar[str] = N_("%(actor)s billed your health insurance for its share of a fee note.")

    simulation_id: UUID
    payment_id: UUID
    statutory: Decimal
    recovered: Decimal
    personal: Decimal


@event("billing.contested")
class Contested(NoteEvent, frozen=True, kw_only=True):
    """Findings of a simulation were contested (`rules`)."""

    ACTION: ClassVar[str] = "U"
    FOLDS: ClassVar[bool] = False
    WORDS: ClassVar[str] = N_("%(actor)s disagreed with the calculation of a fee note of yours.")

    simulation_id: UUID
    rules: tuple[str, ...] = ()


@event("billing.contestation_answered")
class ContestationAnswered(NoteEvent, frozen=True, kw_only=True):
    """A contestation was answered, or its time limit passed (`state`)."""

    ACTION: ClassVar[str] = "U"
    FOLDS: ClassVar[bool] = False
    WORDS: ClassVar[str] = N_("A disagreement about the calculation of a fee note of yours was answered.")

    contestation_id: UUID
    state: str


@event("billing.payment_reversed")
class PaymentReversed(Event, frozen=True, kw_only=True):
    """The payment of a cancelled note was reversed: `owed` is what the professional owes back since.

    `replaced_by_id`: the note in its place.
    """

    payment_id: UUID
    note_id: UUID
    provider_code: str
    owed: Decimal
    motive: str = ""
    replaced_by_id: UUID | None = None

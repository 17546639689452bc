"""Types of the fee note (mémoire d'honoraires), as the national message MEMHON-DEPOT V1 has them.

Amounts are in euros with two decimals. Texts are "" where the message has none.
"""

from dataclasses import dataclass, field
from datetime import date, datetime, time
from decimal import Decimal
from enum import StrEnum
from typing import ClassVar
from uuid import UUID

from esante.core.journal import event
from esante.core.web import N_
from esante.identity.access import AccessEvent


class Channel(StrEnum):
    """The way on which a note reached the platform."""

    RA = "ra"
    """Accelerated reimbursement: the patient pays, and asks the insurance for the money."""
    PID = "pid"
    """Immediate direct payment: the insurance pays its share to the professional."""


class NoteStatus(StrEnum):
    """Whether a note counts."""

    ACTIVE = "active"
    CANCELLED = "cancelled"
    REPLACED = "replaced"


@dataclass(frozen=True, slots=True, kw_only=True)
class PostalAddress:
    """A postal address (T_Adresse)."""

    street: str
    number: str = ""
    postal_code: str = ""
    city: str = ""
    country: str = ""
    extensions: tuple[str, str] = ("", "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Biller:
    """Who bills (facturier): `provider_code` has 8 digits."""

    provider_code: str
    family: str
    given: str = ""
    title: str = ""
    address: PostalAddress
    phone: str = ""
    fax: str = ""
    email: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Accident:
    """An accident that the note is about: the number that the accident insurance gave, and its day."""

    number: str = ""
    on: date | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Patient:
    """The patient: `matricule` (13 digits), or the birth date when they have none.

    `fund`: CNS, CMFEP, CMFEC, EMCFL, Autre.
    """

    matricule: str = ""
    birth_date: date | None = None
    fund: str = ""
    family: str = ""
    given: str = ""
    accident: Accident | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Insured:
    """The insured person to whom the note is addressed, the patient or a relative."""

    family: str = ""
    given: str = ""
    address: PostalAddress


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """An act of the nomenclature: the code without prefixes and suffixes, which are one character each."""

    code: str
    prefixes: tuple[str, ...] = ()
    suffixes: tuple[str, ...] = ()
    label: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """When an act took place: days of the country's calendar and local times."""

    start: date
    start_time: time | None = None
    end: date | None = None
    end_time: time | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NoteLine:
    """A line of a note (prestation).

    `id` is the software's id of the line (PID: identifiantExternePrestation), None where it has none. `gross` is the
    amount of the line for `quantity` acts, `personal` what the patient pays of it. `hospital_class`: `1` or `2` class,
    `A` ambulatory, "" outside of hospitals. `place`: two characters.
    """

    number: int
    act: Act
    period: Period
    quantity: int = 1
    gross: Decimal
    personal: Decimal | None = None
    id: UUID | None = None
    hospital_class: str = ""
    place: str = ""
    performer_code: str = ""
    tooth: str = ""
    prescriber_code: str = ""
    order_number: str = ""
    session_type: str = ""
    session_number: str = ""
    operator_code: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement:
    """What is to be paid (paiement), and whether the patient has paid it."""

    subtotal: Decimal
    carried_over: Decimal | None = None
    deposit: Decimal | None = None
    due: Decimal
    currency: str = "EUR"
    settled: bool = False
    settled_on: date | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Indications:
    """Further indications; None where the message does not say."""

    polytrauma: bool | None = None
    temporary_prosthesis: bool | None = None
    new_pregnancy: bool | None = None
    operator_code: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class FeeNote:
    """A fee note; `id` is the UUID that the biller's software gave it, the same on every way.

    `signature` is the XML of a signature and `document` a PDF, both as they came.
    """

    id: UUID
    issued_on: date
    biller: Biller
    patient: Patient
    insured: Insured
    lines: tuple[NoteLine, ...]
    settlement: Settlement
    number: str = ""
    hospital_code: str = ""
    association_code: str = ""
    hospital_name: str = ""
    admission_number: str = ""
    complementary_fund: str = ""
    transfer_text: str = ""
    medical_text: str = ""
    indications: Indications = field(default_factory=Indications)
    pages: int | None = None
    signature: bytes = b""
    document: bytes = b""

    @property
    def total(self) -> Decimal:
        """The sum of the gross amounts of the lines."""
        return sum((line.gross for line in self.lines), Decimal(0))


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptNote:
    """A note as it is stored, for a person of the directory.

    `biller_id`, `biller`: the practitioner whose provider code it carries, and their name; `organization_id`: that for
    which they acted. `body` is the note in national XML, or `object_sha256` its key in the object store. `sent_at`:
    when it reached the health insurance.
    """

    person_id: UUID
    note_id: UUID
    provider_code: str
    biller_id: UUID
    biller: str
    organization_id: UUID | None = None
    channel: Channel
    status: NoteStatus = NoteStatus.ACTIVE
    issued_on: date
    received_at: datetime
    total: Decimal
    settled: bool
    replaces_id: UUID | None = None
    replaced_by_id: UUID | None = None
    body: bytes | None = None
    object_sha256: bytes | None = None
    sent_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NoteQuery:
    """What a list of notes is narrowed to: days of the notes (inclusive), their status, a part of the biller's name.

    `sent`: only those that the health insurance has.
    """

    since: date | None = None
    until: date | None = None
    status: NoteStatus | None = None
    text: str = ""
    sent: bool = False


class NoteEvent(AccessEvent, frozen=True, kw_only=True):
    """Base of the events of fee notes: `note_ids` are the notes, `provider_code` that of the biller ("": several)."""

    RESOURCE: ClassVar[str] = "Claim"
    REFUSED_WORDS: ClassVar[str] = N_("%(actor)s tried to view fee notes of yours. Access was refused.")

    purpose: str = "HPAYMT"
    note_ids: tuple[UUID, ...] = ()
    provider_code: str = ""


@event("billing.note_kept", version=2)
class NoteKept(NoteEvent, frozen=True, kw_only=True):
    """A fee note reached the platform (`channel`: ra, pid); `replaces_id`: the note that it replaces.

    `biller_id`: the practitioner who bills, `association_code`: that of the association for which they do, `amount`:
    the sum of the note in euros, `acts`: code, day, quantity and whether at a hospital's ward, of each line.
    """

    ACTION: ClassVar[str] = "C"
    FOLDS: ClassVar[bool] = False
    WORDS: ClassVar[str] = N_("%(actor)s sent a fee note for you.")

    channel: str
    replaces_id: UUID | None = None
    biller_id: UUID | None = None
    association_code: str = ""
    amount: str = ""
    acts: tuple[tuple[str, date, int, bool], ...] = ()


@event("billing.note_read")
class NoteRead(NoteEvent, frozen=True, kw_only=True):
    """A fee note was read, or the reading refused; `part`: what was read of it (data, pdf, export)."""

    WORDS: ClassVar[str] = N_("%(actor)s viewed a fee note of yours.")

    part: str = "data"


@event("billing.notes_listed")
class NotesListed(NoteEvent, frozen=True, kw_only=True):
    """Fee notes of a person were shown in a list."""

    ACTION: ClassVar[str] = "E"
    WORDS: ClassVar[str] = N_("%(actor)s saw fee notes of yours in a list.")


@event("billing.note_ended")
class NoteEnded(NoteEvent, frozen=True, kw_only=True):
    """A fee note does not count any more: it was cancelled, or replaced by another one."""

    ACTION: ClassVar[str] = "D"
    FOLDS: ClassVar[bool] = False
    WORDS: ClassVar[str] = N_("%(actor)s cancelled a fee note of yours.")

    status: str
    replaced_by_id: UUID | None = None

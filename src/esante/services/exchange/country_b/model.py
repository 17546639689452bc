"""What an encounter with a patient from abroad consists of: its steps, each kept once and never changed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from uuid import UUID

import msgspec

from esante.core.journal import Event, event

SUMMARY, PRESCRIPTION, DISPENSATION = "60591-5", "57833-6", "60593-1"
"""Classes of documents (LOINC)."""
ORIGINALS = ("11502-2", "34105-7", "18748-4")
"""Classes of original clinical documents: laboratory report, discharge letter, imaging report."""
CLASSES = (SUMMARY, PRESCRIPTION, *ORIGINALS)
"""Classes for which a professional may ask."""
FHIR_REPOSITORY = "FHIR"
"""The repository of documents that were listed over FHIR; their unique ids are ids of Bundles."""
DISCARD = "DISCARD-60593-1"


class Act(StrEnum):
    """What is asked of a contact point."""

    IDENTIFY = "identify"
    LIST = "list"
    RETRIEVE = "retrieve"
    SUBMIT = "submit"


class Outcome(StrEnum):
    """What became of what was asked."""

    IDENTIFIED = "identified"
    NO_MATCH = "no match"
    MULTIPLE = "multiple"
    MORE_DATA = "more data"
    REFUSED = "refused"
    LISTED = "listed"
    EMPTY = "empty"
    RETRIEVED = "retrieved"
    ACKNOWLEDGED = "acknowledged"
    UNKNOWN = "unknown"
    FAILED = "failed"


class Patient(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A patient as their country answers them; `cx`: the identifier to use from then on."""

    cx: str
    family: str = ""
    given: tuple[str, ...] = ()
    gender: str = ""
    birth: str = ""
    city: str = ""
    country: str = ""

    @property
    def name(self) -> str:
        """The given names and the family name."""
        return " ".join(filter(None, (*self.given, self.family)))


class Code(msgspec.Struct, frozen=True, omit_defaults=True):
    """A code with its system and what it is called."""

    code: str
    system: str
    display: str = ""


class Document(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A document of a list. `pair_id`: the unique id of its other form (PDF of a structured one, or the reverse)."""

    unique_id: str
    repository_id: str
    home: str
    class_code: str
    format_code: str
    title: str = ""
    description: str = ""
    created: str = ""
    language: str = ""
    size: int | None = None
    authors: tuple[str, ...] = ()
    pair_id: str = ""
    is_dispensable: bool | None = None
    """Of a prescription: whether its country lets it be dispensed; None: it does not say."""
    reason: str = ""
    """Why it cannot be dispensed, where the country says it."""
    events: tuple[Code, ...] = ()

    @property
    def is_pair(self) -> bool:
        """Whether it is the printable form of a structured document."""
        return self.is_pdf and bool(self.pair_id)

    @property
    def is_fhir(self) -> bool:
        """Whether it was listed over FHIR."""
        return self.repository_id == FHIR_REPOSITORY

    @property
    def is_pdf(self) -> bool:
        """Whether it is the printable form."""
        return "pdf" in self.format_code.lower() or "xds-sd" in self.format_code.lower()


class Step(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="step"):
    """A step of an encounter."""


class Began(Step, frozen=True, kw_only=True, omit_defaults=True, tag="began"):
    """Something is about to be asked; `about`: a class of documents, a unique id, or the id of a dispensation."""

    act: Act
    about: str = ""


class Searched(Step, frozen=True, kw_only=True, omit_defaults=True, tag="searched"):
    """What the patient said, by the place of the field in the mask of the country."""

    values: dict[str, str]


class Found(Step, frozen=True, kw_only=True, omit_defaults=True, tag="found"):
    """The answer to a discovery."""

    outcome: Outcome
    code: str = ""
    text: str = ""
    patient: Patient | None = None


class Confirmed(Step, frozen=True, kw_only=True, omit_defaults=True, tag="confirmed"):
    """The professional confirmed the identity of the patient, and the treatment."""

    purpose: str


class Listed(Step, frozen=True, kw_only=True, omit_defaults=True, tag="listed"):
    """The answer to a list."""

    class_code: str
    outcome: Outcome
    code: str = ""
    text: str = ""
    documents: tuple[Document, ...] = ()


class Retrieved(Step, frozen=True, kw_only=True, omit_defaults=True, tag="retrieved"):
    """The answer to a retrieval; the bytes of the document are beside the step."""

    unique_id: str
    outcome: Outcome
    code: str = ""
    text: str = ""


class Prepared(Step, frozen=True, kw_only=True, omit_defaults=True, tag="prepared"):
    """A dispensation, or the discard of one, was made and is about to be sent; its bytes are beside the step.

    `document_id`: of the document that is sent. `discards`: the document id of the dispensation that it discards.
    """

    document_id: str
    prescription_id: str
    unique_id: str
    title: str = ""
    quantity: str = ""
    discards: str = ""


class Settled(Step, frozen=True, kw_only=True, omit_defaults=True, tag="settled"):
    """The answer to a dispensation or a discard, or that there was none."""

    document_id: str
    outcome: Outcome
    code: str = ""
    text: str = ""


class Ended(Step, frozen=True, kw_only=True, omit_defaults=True, tag="ended"):
    """The encounter ended; what was received in it is deleted."""


AnyStep = Searched | Began | Found | Confirmed | Listed | Retrieved | Prepared | Settled | Ended


class Taken(msgspec.Struct, frozen=True, kw_only=True):
    """A step with its number in the encounter and its moment."""

    number: int
    at: datetime
    step: AnyStep


@dataclass(frozen=True, slots=True)
class Submission:
    """A dispensation or discard with what became of it; `attempts`: how often it was sent."""

    prepared: Prepared
    at: datetime
    outcome: Outcome = Outcome.UNKNOWN
    code: str = ""
    text: str = ""
    attempts: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Encounter:
    """An encounter as its steps made it. `search`: what the patient said, by the place of the field in the mask."""

    id: UUID
    country: str
    practitioner_id: UUID
    practitioner: str
    organization_id: UUID | None
    organization: str
    began_at: datetime
    search: Mapping[str, str] = field(default_factory=dict)
    count: int = 0
    """The number of steps."""
    waiting: Began | None = None
    waiting_since: datetime | None = None
    found: Found | None = None
    purpose: str = ""
    confirmed_at: datetime | None = None
    lists: Mapping[str, Listed] = field(default_factory=dict)
    listed_at: Mapping[str, datetime] = field(default_factory=dict)
    retrieved: Mapping[str, Retrieved] = field(default_factory=dict)
    submissions: Mapping[str, Submission] = field(default_factory=dict)
    ended_at: datetime | None = None

    @property
    def patient(self) -> Patient | None:
        """The patient who was found, None for none."""
        return self.found.patient if self.found else None

    @property
    def unknown(self) -> Submission | None:
        """The dispensation or discard of which it is not known whether it arrived."""
        return next((one for one in self.submissions.values() if one.outcome is Outcome.UNKNOWN), None)

    def document(self, unique_id: str) -> Document | None:
        """Return a document of the lists."""
        listed: Sequence[Listed] = [*self.lists.values()]
        return next((one for each in listed for one in each.documents if one.unique_id == unique_id), None)


@dataclass(frozen=True, slots=True)
class EncounterSummary:
    """A line of the list of encounters; `label`: the patient's name, "" once the encounter has ended."""

    id: UUID
    country: str
    began_at: datetime
    label: str
    state: str
    ended_at: datetime | None


@event("exchange.encounter_opened")
class EncounterOpened(Event, frozen=True, kw_only=True):
    """A professional began to ask a country for a patient."""

    encounter_id: UUID
    country: str


@event("exchange.treatment_confirmed")
class TreatmentConfirmed(Event, frozen=True, kw_only=True):
    """A professional confirmed the identity of a patient from abroad, and that they treat them."""

    encounter_id: UUID
    country: str
    purpose: str


@event("exchange.submission_prepared")
class SubmissionPrepared(Event, frozen=True, kw_only=True):
    """A dispensation or a discard was made, before it was sent."""

    encounter_id: UUID
    country: str
    document_id: str
    discards: str = ""


@event("exchange.encounter_ended")
class EncounterEnded(Event, frozen=True, kw_only=True):
    """An encounter ended, and what was received in it was deleted; `by_time`: nobody ended it."""

    encounter_id: UUID
    country: str
    by_time: bool = False

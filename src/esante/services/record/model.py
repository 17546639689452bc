"""The types of the shared care record: documents, their versions, and their journal events."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import ClassVar
from uuid import UUID

import msgspec

from esante.core.journal import event
from esante.core.time_zone import day_of
from esante.core.web import N_
from esante.identity.access import AccessEvent, Confidentiality, Grant
from esante.services.record.identification.model import Demographics, Trait

MAX_CONTENT = 20 * 1024 * 1024
"""The largest size of a document, in bytes."""

FORMAT_BY_MIME_TYPE = "urn:ihe:iti:xds:2017:mimeTypeSufficient"
"""The IHE format code of a document whose media type is sufficient (IHE XDS format codes)."""

KINDS: Mapping[str, str] = {
    "application/fhir+json": "fhir",
    "application/pdf": "pdf",
    "application/hl7-cda+xml": "cda",
    "image/png": "image",
    "image/jpeg": "image",
    "text/plain": "text",
}
"""The media types that the record accepts, and the kind of document that each is."""
INDEXED = tuple(media_type for media_type, kind in KINDS.items() if kind in ("fhir", "cda"))
"""The media types of documents whose resources are indexed."""


MISFILED = "misfiled"
"""The label (see `ReadFilter`) of documents filed under the wrong patient, which their author and operators read."""

DIFFERENCE_WORDS: Mapping[Trait, str] = {
    Trait.IDENTIFIER: N_("The document has another identification number than the patient."),
    Trait.NAME: N_("The document does not carry the patient's name."),
    Trait.BIRTH_DATE: N_("The document has another date of birth than the patient."),
    Trait.SEX: N_("The document gives another sex than the patient's."),
}
"""What is said of a document that differs from the person of its record, by trait."""


class Status(StrEnum):
    """The state of a document (FHIR document-reference-status)."""

    CURRENT = "current"
    SUPERSEDED = "superseded"
    WITHDRAWN = "entered-in-error"


class Order(StrEnum):
    """The sort order of a timeline."""

    NEWEST = "newest"
    """By the day of the event, the latest first."""
    OLDEST = "oldest"
    DEPOSITED = "deposited"
    """By the moment of deposit, the latest first."""


class Document(msgspec.Struct, frozen=True, kw_only=True):
    """A document in a person's record, without its bytes (a Struct: long timelines create very many of them).

    `category` is a key of the category list (data/categories.toml); `type` its LOINC code. `series_id` is
    the id of the first version; `replaces` the version before. `size` is in bytes. `sha256` and `sha1` are of the
    stored bytes, which are returned exactly as deposited. `findings` are keys of the findings of the validation at
    deposit (`validation_messages.FINDINGS`). `identifiers` are those that its author gave it, as (system, value).
    `submission_id` identifies the documents that were deposited together (IHE MHD SubmissionSet).
    """

    id: UUID
    person_id: UUID
    series_id: UUID
    replaces: UUID | None
    version: int
    status: Status
    category: str
    type: str
    title: str
    language: str
    event_date: date
    deposited_at: datetime
    changed_at: datetime
    author_kind: str
    author_id: UUID
    author: str
    organization_id: UUID | None
    organization: str
    media_type: str
    format: str
    size: int
    sha256: bytes
    sha1: bytes
    confidentiality: Confidentiality
    submission_id: UUID
    withdrawn_reason: str = ""
    misfiled: bool = False
    """Filed under the wrong patient: hidden from all but its author, its organisation and the operator."""
    findings: tuple[str, ...] = ()
    identifiers: tuple[tuple[str, str], ...] = ()
    expires_on: date | None = None
    """The last day on which it is kept, `date.max` for as long as the record is open; None: not computed yet."""
    notified_on: date | None = None
    """Since when the person knows that it ends."""
    confirmation: str = ""
    """Why its depositor confirmed that it is about the person of the record, where it differs (see `findings`)."""
    restricted_lines: Confidentiality | None = None
    """Who may see the lines of it that the person restricted; None: none are restricted."""
    is_whole: bool = False
    """Size and digests are of the document with its restricted lines, for who may see these."""

    @property
    def depositor_id(self) -> UUID:
        """The depositor: the organisation, else the author. From one depositor the same bytes are one document."""
        return self.organization_id or self.author_id

    @property
    def delay(self) -> int:
        """Days from the document's own date to its deposit."""
        return (day_of(self.deposited_at) - self.event_date).days

    @property
    def kind(self) -> str:
        """The kind of document, by which it is displayed: fhir, pdf, cda, image or text."""
        return KINDS[self.media_type]

    @property
    def key(self) -> str:
        """The FHIR logical id: the person's key and the document's, so that every look-up is bounded by the person."""
        return self.person_id.hex + self.id.hex


@dataclass(frozen=True, slots=True, kw_only=True)
class Deposit:
    """The metadata that a depositor gives with the bytes.

    `type` is a LOINC code of the category list; empty for a FHIR document or CDA, which hold it themselves.
    `event_date` None: the document's own date, else today. `media_type` empty: as detected from the bytes.
    `author_id`: the practitioner who wrote it, where an organisation's software deposits it. `patients`: what the
    request itself says of the patient, first that by which they were looked up. `confirmation`: the depositor confirms
    that the document is about the person of the record although it differs, and why ("": no reason given); None: they
    have not said so.
    """

    type: str = ""
    title: str = ""
    language: str = ""
    event_date: date | None = None
    media_type: str = ""
    format: str = FORMAT_BY_MIME_TYPE
    confidentiality: Confidentiality = Confidentiality.NORMAL
    author_id: UUID | None = None
    identifiers: tuple[tuple[str, str], ...] = ()
    submission_id: UUID | None = None
    patients: tuple[Demographics, ...] = ()
    confirmation: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DepositItem:
    """One document to deposit: its bytes, its metadata, and the document of which it is a new version."""

    content: bytes
    meta: Deposit
    replaces: UUID | None = None


@dataclass(frozen=True, slots=True)
class Finding:
    """A finding of the validation: a key of `validation_messages.FINDINGS`, the place in the document, and details."""

    key: str
    place: str = ""
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Deposited:
    """The result of a deposit; `created` is False when the record held the same bytes already."""

    document: Document
    created: bool
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """The filters of a timeline: all that are given must match; of a tuple, any value (empty: all).

    `since` and `until` (inclusive) are of the event date; `text` is searched for in title, author and
    organisation, without regard to case and accents; `author` is the key of a practitioner or organisation.
    """

    category: tuple[str, ...] = ()
    type: tuple[str, ...] = ()
    status: tuple[Status, ...] = (Status.CURRENT,)
    text: str = ""
    since: date | None = None
    until: date | None = None
    author: UUID | None = None
    confidentiality: tuple[Confidentiality, ...] = ()


@dataclass(frozen=True, slots=True)
class Timeline:
    """A page of a person's documents that the requester may see, and the cursor of the next page.

    `grant` is the access by which a professional sees it; None for the person themselves, and for a professional
    who sees only their own deposits.
    """

    documents: tuple[Document, ...]
    next: str | None = None
    grant: Grant | None = None


def difference_words(keys: Iterable[str]) -> tuple[str, ...]:
    """Return the words (msgids) for the traits among some keys of findings."""
    return tuple(DIFFERENCE_WORDS[Trait(key)] for key in keys if key in DIFFERENCE_WORDS)


class PersonConfirmedEvent(AccessEvent, frozen=True, kw_only=True):
    """Base of the events of what is added to a record and may differ from its person.

    `differs` are the keys of the traits (`identification.model.Trait`) in which it differs: whoever added it confirmed
    that it is the right person, with the `justification` that they gave.
    """

    differs: tuple[str, ...] = ()
    justification: str = ""

    @property
    def remarks(self) -> tuple[str, ...]:
        """The differences in words (msgids)."""
        return difference_words(self.differs)


@event("record.listed", version=2)
class Listed(AccessEvent, frozen=True, kw_only=True):
    """A page of the list of documents was viewed (`count`: how many), but not their content."""

    ACTION: ClassVar[str] = "E"
    WORDS: ClassVar[str] = N_("%(actor)s viewed the list of your documents: %(categories)s.")
    REFUSED_WORDS: ClassVar[str] = N_("%(actor)s tried to view the list of your documents. Access was refused.")

    count: int = 0


@event("record.read", version=2)
class Read(AccessEvent, frozen=True, kw_only=True):
    """A document was opened."""

    ACTION: ClassVar[str] = "R"
    WORDS: ClassVar[str] = N_("%(actor)s opened a document: %(categories)s.")


@event("record.refused", version=2)
class Refused(AccessEvent, frozen=True, kw_only=True):
    """An access to the record was refused; `action` is what was requested."""

    ACTION: ClassVar[str] = "R"
    REFUSED_WORDS: ClassVar[str] = N_("%(actor)s tried to open a document. Access was refused.")

    action: str = ""


@event("record.deposit_failed")
class DepositFailed(AccessEvent, frozen=True, kw_only=True):
    """A document could not be taken in because of its content or metadata; `problem` is the key of the reason."""

    ACTION: ClassVar[str] = "C"
    REFUSED_WORDS: ClassVar[str] = N_("%(actor)s tried to add a document to your record, but it could not be added.")

    allowed: bool = False
    problem: str = ""


@event("record.deposit_refused")
class DepositRefused(AccessEvent, frozen=True, kw_only=True):
    """A deposit of a document that differs from the person of the record was not accepted, or was asked about.

    `differs` are the keys of the traits (`identification.model.Trait`); what the document says is not kept. `severe`:
    it is most likely about somebody else.
    """

    ACTION: ClassVar[str] = "C"
    REFUSED_WORDS: ClassVar[str] = N_(
        "%(actor)s tried to add a document that may be about someone else. It was not added."
    )

    differs: tuple[str, ...] = ()
    severe: bool = False


@event("record.deposited", version=3)
class DepositedEvent(PersonConfirmedEvent, frozen=True, kw_only=True):
    """A document was deposited."""

    ACTION: ClassVar[str] = "C"
    WORDS: ClassVar[str] = N_("%(actor)s added a document to your record: %(categories)s.")

    type: str = ""
    media_type: str = ""
    size: int = 0
    delay: int | None = None
    """Days from the document's own date to its deposit; None in entries of version 1."""


@event("record.replaced", version=2)
class Replaced(PersonConfirmedEvent, frozen=True, kw_only=True):
    """A new version of a document was deposited; `replaces` is the version before."""

    ACTION: ClassVar[str] = "U"
    WORDS: ClassVar[str] = N_("%(actor)s added a new version of a document to your record: %(categories)s.")

    type: str = ""
    media_type: str = ""
    size: int = 0
    replaces: UUID


@event("record.compiled")
class Compiled(AccessEvent, frozen=True, kw_only=True):
    """A document was compiled from what the record holds; `replaces` is the version before, None for the first."""

    ACTION: ClassVar[str] = "C"
    WORDS: ClassVar[str] = N_("An overview in your record was brought up to date: %(categories)s.")

    type: str = ""
    media_type: str = ""
    size: int = 0
    replaces: UUID | None = None


@event("record.withdrawn", version=2)
class Withdrawn(AccessEvent, frozen=True, kw_only=True):
    """A document was withdrawn by its author."""

    ACTION: ClassVar[str] = "U"
    WORDS: ClassVar[str] = N_("%(actor)s withdrew a document: %(categories)s.")
    OWN_WORDS: ClassVar[str] = N_("You withdrew a document: %(categories)s.")

    why: str = ""


@event("record.corrected", version=2)
class Corrected(PersonConfirmedEvent, frozen=True, kw_only=True):
    """A document filed under the wrong patient was moved.

    `moved` is "out" in the record where it was filed in error, "in" in the right one. Neither entry names the
    other person.
    """

    ACTION: ClassVar[str] = "U"
    WORDS: ClassVar[str] = N_(
        "%(actor)s moved a document that had been added to the wrong patient's record: %(categories)s."
    )

    moved: str
    why: str = ""


@event("record.lines_restricted")
class LinesRestricted(AccessEvent, frozen=True, kw_only=True):
    """The patient changed which lines of a document others may see.

    `count`: how many lines and sections are restricted now, 0 for none any more. `level`: who may still see them.
    `risk`: as in `ConfidentialitySet`.
    """

    CHOICE: ClassVar[bool] = True
    ACTION: ClassVar[str] = "U"
    WORDS: ClassVar[str] = N_("%(actor)s changed which lines of a document others can see: %(categories)s.")
    OWN_WORDS: ClassVar[str] = N_("You changed which lines of a document others can see: %(categories)s.")

    count: int
    level: str
    risk: str = ""


@event("record.confidentiality_set", version=3)
class ConfidentialitySet(AccessEvent, frozen=True, kw_only=True):
    """The patient changed who may see a document.

    `risk`: that of which they were told before (a key of the choice terms), "" where they were not told here.
    """

    CHOICE: ClassVar[bool] = True
    ACTION: ClassVar[str] = "U"
    WORDS: ClassVar[str] = N_("%(actor)s changed who can see a document: %(categories)s.")
    OWN_WORDS: ClassVar[str] = N_("You changed who can see a document: %(categories)s.")

    level: str
    risk: str = ""

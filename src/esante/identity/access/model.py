"""The types of the access decision: who asks, what for, what the person allowed, and the verdict."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import ClassVar
from uuid import UUID

from esante.core.journal import Actor, Event
from esante.core.web import N_


class RecordState(StrEnum):
    """The life of a record (opening by opt-out)."""

    NONE = "none"
    """No letter was sent yet."""
    ANNOUNCED = "announced"
    """The letter was sent; the time to object runs."""
    OPEN = "open"
    OBJECTED = "objected"
    CLOSED = "closed"


class Action(StrEnum):
    """What a requester wants to do."""

    READ = "read"
    WRITE = "write"


class Confidentiality(StrEnum):
    """How far a document goes (FHIR securityLabel N, R, V)."""

    NORMAL = "normal"
    RESTRICTED = "restricted"
    """Its author and the person's circle."""
    HIDDEN = "hidden"
    """The person herself, and its author."""


class GrantKind(StrEnum):
    """How a requester came to his access; the set is open."""

    PRESENCE = "presence_code"
    CIRCLE = "circle"
    STAY = "institution_stay"
    EMERGENCY = "emergency"


class StayStatus(StrEnum):
    """The life of a hospital stay as its hospital tells it (FHIR encounter-status)."""

    IN_PROGRESS = "in-progress"
    FINISHED = "finished"
    MISTAKEN = "entered-in-error"


class Purpose(StrEnum):
    """Why (HL7 v3 PurposeOfUse codes)."""

    TREATMENT = "TREAT"
    EMERGENCY = "ETREAT"
    PATIENT_REQUEST = "PATRQT"
    OPERATIONS = "HOPERAT"


@dataclass(frozen=True, slots=True, kw_only=True)
class Requester:
    """Who asks, as signed in: a patient, a practitioner, an organisation (its software) or an operator.

    `id` is the key in the directory (for an operator: of the account). `profession` is a row key of the
    access matrix: a practitioner's profession, or for an organisation its kind. `organization_id` is the
    organisation acted for. `client` names the software that acts, `client_id` is what it is registered as ("" for
    none). `scopes` limits a token (SMART v2 scopes); None for a person at the portal.
    """

    kind: str
    id: UUID
    name: str
    profession: str = ""
    organization_id: UUID | None = None
    organization: str = ""
    client: str = ""
    client_id: str = ""
    scopes: frozenset[str] | None = None
    patient: UUID | None = None
    """The patient for whom the software of a token was launched; None: for nobody in particular."""
    origin: str = ""
    """Where the request came from (address), for the journal."""

    @property
    def only(self) -> UUID | None:
        """The one person of whom there is anything to see: herself for a patient; None: no such limit."""
        return self.id if self.kind == "patient" else self.patient

    @property
    def actor(self) -> Actor:
        """The requester as the journal names it."""
        return Actor(
            kind=self.kind,
            id=self.id,
            name=self.name,
            role=self.profession,
            organization_id=self.organization_id,
            organization=self.organization,
            client=self.client,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """What the decision must know of a document (or of what was taken out of one)."""

    category: str
    confidentiality: Confidentiality = Confidentiality.NORMAL
    author_id: UUID | None = None
    organization_id: UUID | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """An access that a person gave, or that an emergency or a stay gives, to a practitioner or organisation."""

    id: UUID
    person_id: UUID
    kind: GrantKind
    holder_kind: str
    holder_id: UUID
    since: datetime
    until: datetime | None = None
    revoked_at: datetime | None = None
    reason: str = ""
    holder: str = ""
    """The holder's name when the grant was given."""

    def active(self, at: datetime) -> bool:
        """Whether the grant is in force at a moment."""
        return self.since <= at and not (self.until and self.until <= at) and not self.revoked_at


@dataclass(frozen=True, slots=True, kw_only=True)
class Stay:
    """A stay that a hospital told of. `id` is also that of the grant which it gave (kind `STAY`)."""

    id: UUID
    person_id: UUID
    organization_id: UUID
    status: StayStatus
    began_at: datetime
    ended_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Consent:
    """Everything a person (and the law) laid down that a decision about her record needs, at one moment."""

    person_id: UUID
    state: RecordState
    sharing: bool = True
    """False: opted out of sharing; only she and the authors see anything."""
    grants: tuple[Grant, ...] = ()
    blocked: frozenset[UUID] = field(default_factory=frozenset)
    """Practitioners and organisations that she blocked."""
    deceased_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """The answer of the decision: `rule` is the id of the rule that decided, `reason` a key of plain words."""

    allowed: bool
    rule: str
    reason: str
    grant: Grant | None = None


class AccessEvent(Event, frozen=True, kw_only=True):
    """Base of every entry that tells of an access to a record (EHDS Annex II 3.2).

    Who and from where stand in the entry's actor and origin, whose in its person. `categories` are the
    categories of data touched, `documents` the documents. A subclass says what was done: `ACTION` in the
    letters of FHIR's audit-event-action (C create, R read, U update, D delete, E search or other), of which type
    of FHIR resources, `WORDS` and `REFUSED_WORDS` to the person (msgids; they may name %(actor)s and
    %(categories)s).
    """

    ACTION: ClassVar[str] = "R"
    RESOURCE: ClassVar[str] = "DocumentReference"
    WORDS: ClassVar[str] = N_("%(actor)s looked into your record: %(categories)s.")
    REFUSED_WORDS: ClassVar[str] = N_("%(actor)s asked for data of your record and was refused.")

    purpose: str = "TREAT"
    allowed: bool = True
    rule: str = ""
    reason: str = ""
    grant_id: UUID | None = None
    grant_kind: str = ""
    categories: tuple[str, ...] = ()
    documents: tuple[UUID, ...] = ()

    @property
    def entities(self) -> list[tuple[str, UUID]]:
        """What was touched: each thing's type of FHIR resource and its key."""
        return [("DocumentReference", document) for document in self.documents]

    @property
    def searched_type(self) -> str:
        """Of a search: the type of FHIR resources that was looked for."""
        return self.RESOURCE

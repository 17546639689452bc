"""The types of the access decision: requester, purpose, item, consent, grant and verdict."""

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, ClassVar
from uuid import UUID

from esante.core.journal import EVENTS, Actor, Event
from esante.core.web import N_
from esante.identity.access.representation.model import Capacity, Representation
from esante.identity.directory import ReferringDoctor

if TYPE_CHECKING:
    from esante.identity.access.regulation.policy_set import PolicySet


class RecordState(StrEnum):
    """The state of a record in its lifecycle; it opens unless the person objects."""

    NONE = "none"
    """No letter was sent yet."""
    ANNOUNCED = "announced"
    """The letter was sent, and the period of objection has not ended."""
    OPEN = "open"
    OBJECTED = "objected"
    """The person refused the record; what it holds is inaccessible and waits for its deletion."""
    CLOSED = "closed"
    """Archived: what it holds is inaccessible to everybody, and kept for the years in which it may be opened again."""
    DELETED = "deleted"
    """What the record held was deleted, after an objection or at the end of the archive."""


class Action(StrEnum):
    """What a requester wants to do."""

    READ = "read"
    LIST = "list"
    """See that a document exists, with its title and author, without its content."""
    WRITE = "write"


class Confidentiality(StrEnum):
    """The confidentiality of a document (FHIR securityLabel N, R, V)."""

    NORMAL = "normal"
    RESTRICTED = "restricted"
    """For its author and the person's circle."""
    HIDDEN = "hidden"
    """For its author and the person."""


class GrantKind(StrEnum):
    """How a grant was given; the set is open."""

    PRESENCE = "presence_code"
    CIRCLE = "circle"
    STAY = "institution_stay"
    EMERGENCY = "emergency"
    COUNTRY = "country"
    """To the health professionals of another country, through its national contact point."""


class StayStatus(StrEnum):
    """The status of a hospital stay as its hospital reports it (FHIR encounter-status)."""

    IN_PROGRESS = "in-progress"
    FINISHED = "finished"
    ENTERED_IN_ERROR = "entered-in-error"


class Purpose(StrEnum):
    """The purpose of a request (HL7 v3 PurposeOfUse codes)."""

    TREATMENT = "TREAT"
    EMERGENCY = "ETREAT"
    PATIENT_REQUEST = "PATRQT"
    OPERATIONS = "HOPERAT"


@dataclass(frozen=True, slots=True)
class Delegate:
    """Somebody of the administrative staff who acts for a professional: their key in the directory, their name."""

    id: UUID
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Authentication:
    """How and when somebody at the portal was authenticated; it stays in their session and in tokens of their apps.

    `method`: passkey, oidc, demo or key. `assurance`: the level (eIDAS: low, substantial, high), "" where none is
    stated. `provider`: the key of the sign-in service. `device`: browser and system, in words.
    """

    method: str
    at: datetime
    assurance: str = ""
    provider: str = ""
    device: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Requester:
    """An authenticated patient, practitioner, organisation (its software), operator, vendor or researcher.

    `id` is the key in the directory (of an operator, vendor or researcher: of the account). `profession` is a key of
    the access matrix: the profession in which a practitioner acts (of their role), or the kind of an organisation.
    `organization_id` is the organisation acted for. `client` is the name of the software that acts, `client_id` its
    registration ("" for none).
    `scopes` are the SMART v2 scopes of a token; None for a person at the portal.
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
    """The patient for whom the software of a token was launched (SMART launch context), or for whom a requester who is
    a patient acts as their representative; None: for no patient."""
    delegate: Delegate | None = None
    """Who acts in the name of the requester, a professional; None: the requester."""
    origin: str = ""
    """The address from which the request came, for the journal."""
    authentication: Authentication | None = field(default=None, compare=False)
    """How the person behind the request was authenticated; None: software, or a session of before this was kept."""

    @property
    def only_person_id(self) -> UUID | None:
        """The one person whose data the requester may see (a patient: themselves, or for whom they act); None: any."""
        return self.patient or self.id if self.kind == "patient" else self.patient

    @property
    def actor(self) -> Actor:
        """The requester as the actor of journal entries."""
        return Actor(
            kind=self.kind,
            id=self.id,
            name=self.name,
            role=self.profession,
            organization_id=self.organization_id,
            organization=self.organization,
            client=self.client,
            delegate_id=self.delegate.id if self.delegate else None,
            delegate=self.delegate.name if self.delegate else "",
            client_id=self.client_id,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """The attributes of a document (or of data extracted from one) on which the decision depends.

    `category` is its document class, the stored key; the policy set assigns a legal category to it. `care_on`: the day
    of care that it is about (None: not known). `series_id`: of a document, that of all its versions. `subjects`: what
    it is about in the words of exceptions from the matrix; the exceptions let somebody write it if they name them all.
    """

    category: str
    confidentiality: Confidentiality = Confidentiality.NORMAL
    author_id: UUID | None = None
    organization_id: UUID | None = None
    care_on: date | None = None
    series_id: UUID | None = None
    subjects: frozenset[str] = frozenset()


class Against(StrEnum):
    """What an opposition is against."""

    DEPOSIT = "deposit"
    """That documents of given care are added to the record (RGD of 6 December 2019, article 6)."""
    REPRESENTATIVES = "representatives"
    """That parents or guardians are told of given care or documents (law of 24 July 2014, article 13)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Opposition:
    """A person's opposition: against care by a professional or organisation on some days, or against one document.

    `document_class` "": of every class. `care_from` and `care_until`: the days of care, inclusive.
    """

    id: UUID
    against: Against
    depositor_id: UUID | None = None
    depositor: str = ""
    document_class: str = ""
    care_from: date | None = None
    care_until: date | None = None
    series_id: UUID | None = None

    def covers(self, item: Item, depositors: Collection[UUID | None], care_on: date | None) -> bool:
        """Return whether it is about an item of care by `depositors` on a day (None: not known, so any day)."""
        if self.series_id is not None:
            return item.series_id == self.series_id
        if self.depositor_id not in depositors or self.document_class not in ("", item.category):
            return False
        return care_on is None or (self.care_from or care_on) <= care_on <= (self.care_until or care_on)


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """A grant of access to a practitioner or an organisation: by the person, by an emergency or by a hospital stay."""

    id: UUID
    person_id: UUID
    kind: GrantKind
    holder_kind: str
    holder_id: UUID
    since: datetime
    until: datetime | None = None
    revoked_at: datetime | None = None
    reason: str = ""
    context: str = ""
    """The context of care (a key of the policy set); "": the first one of its kind."""
    renewals: int = 0
    """How often it was renewed."""
    holder: str = ""
    """The holder's name when the grant was given."""
    proved: bool = True
    """Of a grant of a stay: whether the person's presence was proved (by a code, by the person, by a review)."""

    def is_active(self, at: datetime) -> bool:
        """Return whether the grant is in force at a moment by its own end; the ceiling of its context may cut it."""
        return self.since <= at and not (self.until and self.until <= at) and not self.revoked_at


@dataclass(frozen=True, slots=True, kw_only=True)
class Stay:
    """A stay that a hospital reported; its `id` is also the id of the grant that it gives (kind `STAY`)."""

    id: UUID
    person_id: UUID
    organization_id: UUID
    status: StayStatus
    began_at: datetime
    ended_at: datetime | None = None
    encounter: str = "IMP"
    """The class of the encounter (v3-ActCode): IMP, an inpatient, or EMER, an emergency."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Consent:
    """Everything that the person (and the law) decided about their record, as the access decision needs it."""

    person_id: UUID
    state: RecordState
    sharing: bool = True
    """False: opted out of sharing; only the person and the authors see anything."""
    grants: tuple[Grant, ...] = ()
    blocked: frozenset[UUID] = field(default_factory=frozenset)
    """Practitioners and organisations that the person blocked."""
    refused: frozenset[UUID] = field(default_factory=frozenset)
    """Organisations whose hospital stays give no access: the person ended the access of one and has not lifted it."""
    referring: tuple[ReferringDoctor, ...] = ()
    """The person's referring doctors, past and future ones included."""
    oppositions: tuple[Opposition, ...] = ()
    """Those that were not lifted."""
    representations: tuple[Representation, ...] = ()
    """Who acts for the person, past and future ones included; without those that were ended."""
    capacities: tuple[Capacity, ...] = ()
    """What professionals stated about the person's capacity, without what was revoked."""
    deceased_at: datetime | None = None
    surviving_id: UUID | None = None
    """The entry of the directory to which `person_id` leads since a merge; None: to itself."""
    rules: "PolicySet | None" = field(default=None, compare=False, repr=False)
    """The rules of the country, with what operators changed; None: those that are packaged."""

    @property
    def holder_id(self) -> UUID:
        """The key under which the person signs in and is known."""
        return self.surviving_id or self.person_id


@dataclass(frozen=True, slots=True)
class Verdict:
    """The result of the access decision: `rule` is the id of the rule that applied, `reason` a key of plain words.

    `context`: the context of intervention, for the journal: a context of care of the policy set, or a key of
    `reasons.CONTEXTS`; "" for a refusal.
    """

    allowed: bool
    rule: str
    reason: str
    grant: Grant | None = None
    context: str = ""


class AccessEvent(Event, frozen=True, kw_only=True):
    """Base of all events of accesses to a record (EHDS Annex II 3.2).

    The entry of the event has the actor, the origin and the person. `categories` are the accessed categories of data,
    `documents` the accessed documents. A subclass declares the `ACTION` (a letter of FHIR audit-event-action:
    C create, R read, U update, D delete, E search or other), the type of the FHIR `RESOURCE`, and the words of the
    access log, `WORDS` and `REFUSED_WORDS` (msgids, with %(actor)s and %(categories)s).
    `OWN_WORDS` are those of an act of the person themselves, "" for those of the action; `FOLDS`: readings that belong
    together are one entry of the access log; `CHOICE`: it is one of the person's choices about their record.
    """

    ACTION: ClassVar[str] = "R"
    RESOURCE: ClassVar[str] = "DocumentReference"
    WORDS: ClassVar[str] = N_("%(actor)s viewed your record: %(categories)s.")
    REFUSED_WORDS: ClassVar[str] = N_("%(actor)s tried to view data in your record. Access was refused.")
    OWN_WORDS: ClassVar[str] = ""
    FOLDS: ClassVar[bool] = True
    CHOICE: ClassVar[bool] = False

    purpose: str = "TREAT"
    allowed: bool = True
    rule: str = ""
    reason: str = ""
    grant_id: UUID | None = None
    grant_kind: str = ""
    context: str = ""
    """The context of intervention (see `Verdict`); "" in entries of before, and of refusals."""
    categories: tuple[str, ...] = ()
    documents: tuple[UUID, ...] = ()

    @property
    def entities(self) -> list[tuple[str, UUID]]:
        """The accessed resources: the FHIR type and the key of each."""
        return [("DocumentReference", document) for document in self.documents]

    @property
    def searched_type(self) -> str:
        """The type of the FHIR resources of a search."""
        return self.RESOURCE

    @property
    def remarks(self) -> tuple[str, ...]:
        """What the access log says beside the words of the event (msgids)."""
        return ()


def access_types() -> list[type[AccessEvent]]:
    """Return every declared event type of an access, of any package."""
    return [type_ for type_ in EVENTS.values() if issubclass(type_, AccessEvent)]

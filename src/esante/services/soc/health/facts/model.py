"""Facts of the health detections: what the journal says of accesses and of care.

A user is who sat at the screen: the delegate where somebody acted for a professional. The professional is then the
`principal`. Days are those of the country's time zone.
"""

from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from enum import StrEnum
from uuid import UUID

MAX_EVIDENCE = 10
"""Entries of the journal that a fact names at most."""


class CareKind(StrEnum):
    """How somebody had to do with the care of a person."""

    DEPOSIT = "deposit"
    """A document, images or clinical data of theirs were added to the record."""
    NOTE = "note"
    """A fee note of theirs."""
    CODE = "code"
    """The person gave them a presence code."""
    CIRCLE = "circle"
    """The person added them to their circle of care."""
    REFERRING = "referring"
    """They are the referring doctor."""


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """Who acted, and for whom: `profession` is a key of the access matrix, `organization_id` None for none."""

    id: UUID
    principal_id: UUID
    kind: str
    profession: str
    organization_id: UUID | None

    @property
    def holders(self) -> tuple[UUID, ...]:
        """The keys under which somebody may have given or had care: of the user and the principal."""
        return (self.id,) if self.id == self.principal_id else (self.id, self.principal_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """What a user opened of a person's record on one day, folded: all openings of the day are one visit.

    `opened`: how many times something was opened, `listed` how many times only lists were seen, `refused` how often
    access was refused. `by_code`, `in_emergency`: by which grants. `evidence`: entries of the journal, the first ones.
    """

    person_id: UUID
    user: User
    day: date
    first_at: datetime
    last_at: datetime
    opened: int = 0
    listed: int = 0
    refused: int = 0
    by_code: bool = False
    in_emergency: bool = False
    evidence: tuple[UUID, ...] = ()

    @property
    def key(self) -> tuple[UUID, UUID, date]:
        """Visits of the same key are one."""
        return self.person_id, self.user.id, self.day

    @property
    def saw(self) -> int:
        """How often something of the record was shown."""
        return self.opened + self.listed

    def merge(self, other: "Visit") -> "Visit":
        """Return this visit with what another one of the same key adds."""
        return replace(
            self,
            first_at=min(self.first_at, other.first_at),
            last_at=max(self.last_at, other.last_at),
            opened=self.opened + other.opened,
            listed=self.listed + other.listed,
            refused=self.refused + other.refused,
            by_code=self.by_code or other.by_code,
            in_emergency=self.in_emergency or other.in_emergency,
            evidence=tuple(dict.fromkeys(self.evidence + other.evidence))[:MAX_EVIDENCE],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class CareContact:
    """That a professional or an organisation (`holder_id`) had to do with a person's care, folded by kind.

    From `first_at` to `last_at`; what lies between counts as continuous. `ended_at`: when what was given was ended.
    """

    person_id: UUID
    holder_id: UUID
    kind: CareKind
    first_at: datetime
    last_at: datetime
    ended_at: datetime | None = None

    @property
    def key(self) -> tuple[UUID, UUID, CareKind]:
        """Contacts of the same key are one."""
        return self.person_id, self.holder_id, self.kind

    def merge(self, later: "CareContact") -> "CareContact":
        """Return this contact with what a later one adds."""
        return replace(
            self,
            first_at=min(self.first_at, later.first_at),
            last_at=max(self.last_at, later.last_at),
            ended_at=later.ended_at if later.last_at >= self.last_at else self.ended_at,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class StayFact:
    """A stay that an organisation reported; `ended_at` None: it goes on. `proved`: the presence was proved."""

    person_id: UUID
    stay_id: UUID
    organization_id: UUID
    began_at: datetime
    ended_at: datetime | None = None
    proved: bool = False

    def merge(self, later: "StayFact") -> "StayFact":
        """Return this stay with what a later entry says of it."""
        return replace(
            self,
            began_at=min(self.began_at, later.began_at),
            ended_at=later.ended_at or self.ended_at,
            proved=self.proved or later.proved,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Emergency:
    """An emergency access: who opened which record, in which entry of the journal."""

    person_id: UUID
    entry_id: UUID
    user: User
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Hour:
    """What a user did in one hour, folded. `persons`: distinct persons whose records were shown, as far as new then.

    `lookups`: searches and reads of the directory, `unknown` those that found nobody; `refusals`: refused accesses,
    turned away requests included; `sweeps`: searches of clinical data of any type, or over all types.
    """

    user: User
    hour: datetime
    persons: int = 0
    shown: int = 0
    refusals: int = 0
    lookups: int = 0
    unknown: int = 0
    sweeps: int = 0
    evidence: tuple[UUID, ...] = ()

    @property
    def key(self) -> tuple[UUID, datetime]:
        """Hours of the same key are one."""
        return self.user.id, self.hour

    def merge(self, other: "Hour") -> "Hour":
        """Return this hour with what another one of the same key adds."""
        return replace(
            self,
            persons=self.persons + other.persons,
            shown=self.shown + other.shown,
            refusals=self.refusals + other.refusals,
            lookups=self.lookups + other.lookups,
            unknown=self.unknown + other.unknown,
            sweeps=self.sweeps + other.sweeps,
            evidence=tuple(dict.fromkeys(self.evidence + other.evidence))[:MAX_EVIDENCE],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Presence:
    """Where and how a user worked for a time without a long pause: from which network, with which software.

    `network` is an address without its last part (/24 of IPv4, /48 of IPv6), `site` what is known of the place.
    """

    user: User
    network: str
    software: str
    site: str
    first_at: datetime
    last_at: datetime
    acts: int = 1
    evidence: tuple[UUID, ...] = ()

    @property
    def key(self) -> tuple[UUID, str, str, str]:
        """What must be equal for two presences to be one, when they lie close together."""
        return self.user.id, self.network, self.software, self.site

    def merge(self, other: "Presence") -> "Presence":
        """Return this presence with what another one of the same key adds."""
        return replace(
            self,
            first_at=min(self.first_at, other.first_at),
            last_at=max(self.last_at, other.last_at),
            acts=self.acts + other.acts,
            evidence=tuple(dict.fromkeys(self.evidence + other.evidence))[:MAX_EVIDENCE],
        )

    def is_near(self, other: "Presence", pause: timedelta) -> bool:
        """Return whether two presences of one key are one: no more than a pause lies between them."""
        return other.first_at - self.last_at <= pause and self.first_at - other.last_at <= pause


@dataclass(frozen=True, slots=True, kw_only=True)
class BilledAct:
    """An act of a fee note: the code of the nomenclature, on which day, by whom; `inpatient`: at a hospital's ward.

    `profession`: of the biller. `entry_id`: the entry of the journal about the note.
    """

    person_id: UUID
    note_id: UUID
    number: int
    biller_id: UUID
    provider_code: str
    organization_id: UUID | None
    profession: str
    code: str
    day: date
    quantity: int
    inpatient: bool
    entry_id: UUID
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Touch:
    """An act that concerns a person directly: a search that found them, a refusal, an opening, a stay.

    For persons of whom every act counts (invented ones, the dead).
    """

    person_id: UUID
    user: User
    at: datetime
    entry_id: UUID
    what: str


@dataclass(slots=True)
class Facts:
    """The facts of some entries of the journal, folded; `upto` is the time of the last one."""

    upto: datetime
    visits: dict[tuple[UUID, UUID, date], Visit] = field(default_factory=dict)
    moments: list[tuple[UUID, UUID, User, datetime, UUID]] = field(default_factory=list)
    """Person, user's key, user, time, entry: each time a record was shown, in order, for the counts of an hour."""
    contacts: dict[tuple[UUID, UUID, CareKind], CareContact] = field(default_factory=dict)
    stays: dict[UUID, StayFact] = field(default_factory=dict)
    emergencies: list[Emergency] = field(default_factory=list)
    hours: dict[tuple[UUID, datetime], Hour] = field(default_factory=dict)
    presences: list[Presence] = field(default_factory=list)
    acts: list[BilledAct] = field(default_factory=list)
    ended_notes: list[UUID] = field(default_factory=list)
    touches: list[Touch] = field(default_factory=list)
    deaths: dict[UUID, datetime] = field(default_factory=dict)


def hour_of(at: datetime) -> datetime:
    """Return the full hour in which a moment lies."""
    return at.replace(minute=0, second=0, microsecond=0)

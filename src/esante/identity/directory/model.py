"""Types and events of the directory: persons, professionals and organisations, with identifiers, roles and dates."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import ClassVar
from uuid import UUID

from esante.core.journal import Event, event
from esante.core.web import N_


@dataclass(frozen=True, slots=True)
class Identifier:
    """An identifier (FHIR Identifier): the URI of its system, and its value without blanks."""

    system: str
    value: str


@dataclass(frozen=True, slots=True)
class Address:
    """A postal address."""

    line: str = ""
    postal_code: str = ""
    city: str = ""
    country: str = "LU"


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """A person who may have a record (FHIR Patient); `sex` is a FHIR administrative-gender code."""

    id: UUID
    identifiers: tuple[Identifier, ...]
    family: str
    given: tuple[str, ...]
    birth_date: date
    sex: str
    address: Address = Address()
    languages: tuple[str, ...] = ()
    deceased_at: datetime | None = None

    @property
    def name(self) -> str:
        """The given names and the family name."""
        return " ".join((*self.given, self.family))


@dataclass(frozen=True, slots=True, kw_only=True)
class Organization:
    """An organisation; `kind` is a key of the profession list (hospital, laboratory, practice, pharmacy…)."""

    id: UUID
    identifiers: tuple[Identifier, ...]
    name: str
    kind: str
    address: Address = Address()


@dataclass(frozen=True, slots=True, kw_only=True)
class Role:
    """A professional's role at an organisation (FHIR PractitionerRole).

    It is in force from `since` to `until` (exclusive; None: it has no end yet).
    """

    id: UUID
    organization_id: UUID
    profession: str
    specialities: tuple[str, ...] = ()
    since: date
    until: date | None = None

    def is_in_force(self, on: date) -> bool:
        """Return whether the role is in force on a day."""
        return self.since <= on and (self.until is None or on < self.until)


@dataclass(frozen=True, slots=True, kw_only=True)
class Practitioner:
    """A health professional (FHIR Practitioner) with their present and past roles."""

    id: UUID
    identifiers: tuple[Identifier, ...]
    family: str
    given: tuple[str, ...]
    title: str = ""
    profession: str
    specialities: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()
    roles: tuple[Role, ...] = ()

    @property
    def name(self) -> str:
        """The title, the given names and the family name."""
        return " ".join(part for part in (self.title, *self.given, self.family) if part)


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault of a value: its code, its message (a msgid), and whether it is refused even by a lenient check."""

    code: str
    message: str
    hard: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class System:
    """A system of identifiers (a row of data/identifiers.toml); `format` is a regular expression."""

    key: str
    uri: str
    label: str
    holders: tuple[str, ...]
    format: str
    separators: str
    check: str
    legal_source: str
    source: str
    verified: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Term:
    """A profession, a kind of organisation or a speciality (a row of data/professions.toml)."""

    kind: str
    key: str
    label: str
    legal_source: str
    verified: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalogue:
    """The dated reference lists of the directory; terms by their keys."""

    dated: date
    systems: tuple[System, ...]
    profession_system: str
    speciality_system: str
    professions: dict[str, Term]
    organization_kinds: dict[str, Term]
    specialities: dict[str, Term]

    def system(self, key: str) -> System:
        """Return the system with a key (matricule, ehealth_id, provider_code).

        Raises: KeyError when there is none.
        """
        for system in self.systems:
            if system.key == key:
                return system
        raise KeyError(key)


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonQuery:
    """The criteria of a search for a person; all of them must match exactly (names: by `rules.normalize_name`).

    A search needs at least the id, or the `value` of an identifier (`system` None: of any system), or `family` and
    `birth_date`.
    """

    id: UUID | None = None
    system: str | None = None
    value: str | None = None
    family: str | None = None
    given: str | None = None
    birth_date: date | None = None
    sex: str | None = None


@event("directory.person_registered")
class PersonRegistered(Event, frozen=True, kw_only=True):
    """A person was registered; `findings` are the codes of faults that the lenient check accepted."""

    WORDS: ClassVar[str] = N_("%(actor)s added you to the patient directory.")

    findings: tuple[str, ...] = ()


@event("directory.person_updated")
class PersonUpdated(Event, frozen=True, kw_only=True):
    """The entry of a person was changed; `fields` are the names of the changed fields."""

    WORDS: ClassVar[str] = N_("%(actor)s changed your personal details.")

    fields: tuple[str, ...]
    findings: tuple[str, ...] = ()


@event("directory.person_deceased")
class PersonDeceased(Event, frozen=True, kw_only=True):
    """The death of a person was reported."""

    WORDS: ClassVar[str] = N_("%(actor)s recorded the death in the patient directory.")

    at: datetime


@event("directory.person_searched", version=2)
class PersonSearched(Event, frozen=True, kw_only=True):
    """Persons were searched: by which criteria, and how many were found (0: the entry is filed under no person).

    `motive`, `file_reference`: see `Motive`; "" in entries of before, too.
    """

    WORDS: ClassVar[str] = N_("%(actor)s searched for you in the patient directory.")

    by: tuple[str, ...]
    found: int
    motive: str = ""
    file_reference: str = ""


@event("directory.person_read", version=2)
class PersonRead(Event, frozen=True, kw_only=True):
    """A person's entry in the directory was read, or the reading refused (unknown: filed under no person).

    `motive`, `file_reference`: as of `PersonSearched`.
    """

    WORDS: ClassVar[str] = N_("%(actor)s viewed your personal details.")
    REFUSED_WORDS: ClassVar[str] = N_("%(actor)s tried to view your personal details. Access was refused.")

    allowed: bool
    motive: str = ""
    file_reference: str = ""


@event("directory.professionals_read", version=2)
class ProfessionalsRead(Event, frozen=True, kw_only=True):
    """Entries of professionals, their roles or organisations were read or searched.

    `type`: the FHIR type. `by`: the parameters of a search, none for a read. `found`: the keys of what was shown.
    `motive`, `file_reference`: as of `PersonSearched`.
    """

    type: str
    by: tuple[str, ...] = ()
    found: tuple[UUID, ...] = ()
    motive: str = ""
    file_reference: str = ""


@event("directory.practitioner_registered")
class PractitionerRegistered(Event, frozen=True, kw_only=True):
    """A practitioner was registered; `findings` as in `PersonRegistered`."""

    practitioner_id: UUID
    profession: str
    findings: tuple[str, ...] = ()


@event("directory.suspended")
class HolderSuspended(Event, frozen=True, kw_only=True):
    """A practitioner, an organisation or a person may not use the platform from now; of a person filed under them."""

    WORDS: ClassVar[str] = N_("%(actor)s suspended your use of the platform.")

    holder_id: UUID
    holder_kind: str
    reason: str


@event("directory.restored")
class HolderRestored(Event, frozen=True, kw_only=True):
    """A suspension was lifted; of a person filed under them."""

    WORDS: ClassVar[str] = N_("%(actor)s lifted the suspension of your use of the platform.")

    holder_id: UUID
    holder_kind: str


@event("directory.organization_registered")
class OrganizationRegistered(Event, frozen=True, kw_only=True):
    """An organisation was registered; `findings` as in `PersonRegistered`."""

    organization_id: UUID
    kind: str
    findings: tuple[str, ...] = ()

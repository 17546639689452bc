"""The types of the synthetic country: its people, and papers as their authors have them in mind.

A `Paper` says what a document tells without saying how: the same one can become a FHIR document, a PDF, a
CDA or plain text.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from uuid import UUID

from esante.identity.directory import Organization, Person, Practitioner


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """A condition: ICD-10 code, name, first known on a day."""

    icd10: str
    name: str
    since: date


@dataclass(frozen=True, slots=True, kw_only=True)
class Medicine:
    """A medicine: ATC code, name with strength, how to take it; `ordered` when this paper prescribes it."""

    atc: str
    name: str
    dose: str
    ordered: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Allergy:
    """An allergy; `atc` is empty when the allergen is no medicine."""

    atc: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Dose:
    """A vaccine dose that was given."""

    atc: str
    name: str
    day: date
    lot: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """A laboratory value: LOINC code and name, UCUM unit, normal range, and H, L or N."""

    loinc: str
    long: str
    name: str
    value: float
    unit: str
    low: float
    high: float
    flag: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Procedure:
    """Something done: its name, and when."""

    name: str
    at: datetime


Fact = Problem | Medicine | Allergy | Dose | Result | Procedure


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A section: its LOINC code, its text in paragraphs, and the facts it tells, all of one type."""

    code: str
    text: tuple[str, ...] = ()
    facts: tuple[Fact, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Citizen:
    """A person of the country, with what her care and her record need beyond the directory.

    `language`: lb, fr, de, pt or en. `gp`: place of the general practitioner among the practitioners.
    `state` is a record state; `announced_at` the day of the letter (of
    nobody yet whose state is "none"); `ended_at` when she objected or closed
    the record. `conditions`: lasting conditions with the day they began; `stays`: stays in hospital
    that are sure to have been; `rich`: a person to show.
    """

    number: int
    person: Person
    language: str
    gp: int
    state: str
    announced_at: datetime
    ended_at: datetime | None = None
    conditions: Mapping[str, date] = field(default_factory=dict)
    stays: Mapping[str, date] = field(default_factory=dict)
    rich: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Paper:
    """What a document tells. `author` None: the person herself. `at`: when it was written; `kind` names its
    title, `type` is its LOINC document type, `format` fhir, pdf, cda, text or image."""

    kind: str
    type: str
    title: str
    language: str
    at: datetime
    subject: Citizen
    author: Practitioner | None
    organization: Organization | None
    sections: tuple[Section, ...]
    format: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoDocument:
    """A document to be loaded: its paper, its bytes, when it came in, and how far it goes."""

    id: UUID
    paper: Paper
    media_type: str
    content: bytes
    deposited_at: datetime
    confidentiality: str = "normal"


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """The whole country as it is on `day`: the same for the same seed, number of persons and day."""

    seed: int
    day: date
    organizations: Mapping[str, Organization]
    """By their short names."""
    practitioners: tuple[Practitioner, ...]
    citizens: tuple[Citizen, ...]

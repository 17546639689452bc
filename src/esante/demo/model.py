"""Types of the synthetic country: its people, and their documents before and after rendering.

A `DocumentDraft` is the content of a document without its format: it can be rendered as a FHIR document, a PDF, a CDA
document or plain text.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from uuid import UUID

from esante.identity.directory import Organization, Person, Practitioner


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """A diagnosis: ICD-10 code, name, and the day on which it was first known."""

    icd10: str
    name: str
    since: date


@dataclass(frozen=True, slots=True, kw_only=True)
class Medication:
    """A medication: ATC code, name with strength, dosage in words; `ordered` when the document prescribes it."""

    atc: str
    name: str
    dose: str
    ordered: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Allergy:
    """An allergy; `atc` is empty when the allergen is not a medication."""

    atc: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class VaccineDose:
    """An administered dose of a vaccine."""

    atc: str
    name: str
    day: date
    lot: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LaboratoryResult:
    """A laboratory result: LOINC code, long and short name, UCUM unit, reference range, and the flag H, L or N."""

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
    """A procedure: its name, and when it was performed."""

    name: str
    at: datetime


Fact = Diagnosis | Medication | Allergy | VaccineDose | LaboratoryResult | Procedure


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A section of a document: LOINC code, text in paragraphs, and facts, all of one type."""

    code: str
    text: tuple[str, ...] = ()
    facts: tuple[Fact, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Citizen:
    """A person of the country, with what their care and their record need beyond the directory.

    `number`: index among the citizens. `language`: lb, fr, de, pt or en. `gp_index`: index of the general practitioner
    among the practitioners. `state` is a record state; `announced_at` is the day of the letter (not sent yet where the
    state is "none"); `ended_at` is when the person objected or closed the record. `conditions`: lasting conditions
    with the day they began. `stays`: hospital stays that happen in any case, with their first day. `showcase`: one of
    the personas, with a richer record.
    """

    number: int
    person: Person
    language: str
    gp_index: int
    state: str
    announced_at: datetime
    ended_at: datetime | None = None
    conditions: Mapping[str, date] = field(default_factory=dict)
    stays: Mapping[str, date] = field(default_factory=dict)
    showcase: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentDraft:
    """The content of a document, to be rendered in `format` (fhir, pdf, cda, text or image).

    `author` None: the person themselves. `at`: when it was written. `kind` is the key of its title, `type` the LOINC
    code of its document type.
    """

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
    """A rendered document to load: its draft, its bytes, when it was deposited, and its confidentiality."""

    id: UUID
    draft: DocumentDraft
    media_type: str
    content: bytes
    deposited_at: datetime
    confidentiality: str = "normal"


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """The country as it is on `day`: the same for the same seed, number of persons and day."""

    seed: int
    day: date
    organizations: Mapping[str, Organization]
    """By their short names."""
    practitioners: tuple[Practitioner, ...]
    citizens: tuple[Citizen, ...]

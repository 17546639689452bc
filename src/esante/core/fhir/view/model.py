"""What a FHIR document shows to a reader: plain text, dates as FHIR writes them, and sanitised narrative.

Texts come from the document in its language; codes (`status`, `flag`) are FHIR's own, for the page to
translate.
"""

from dataclasses import dataclass, field
from typing import Literal

from markupsafe import Markup

TableKind = Literal["observations", "medications", "allergies", "conditions", "immunisations", "procedures", "others"]


@dataclass(frozen=True, slots=True)
class When:
    """A moment or a time span: FHIR dates of any precision, "" where unknown; `text` for what is no date
    ("childhood", "34 years")."""

    start: str = ""
    end: str = ""
    text: str = ""

    def __bool__(self) -> bool:
        return bool(self.start or self.end or self.text)


@dataclass(frozen=True, slots=True)
class Detail:
    """One more element of an entry: its R4 name (`bodySite`) and its content as text."""

    name: str
    text: str


@dataclass(frozen=True, slots=True)
class Entry:
    """What every row has. `name` is what the entry is about; `status` is FHIR's code; `details` is all the
    rest."""

    name: str
    status: str = ""
    when: When = When()
    details: tuple[Detail, ...] = ()


@dataclass(frozen=True, slots=True)
class Observation(Entry):
    """A finding or laboratory result. `flag` is the interpretation's code (H, L, HH, A, N, POS...),
    `flag_text` its wording; `low` and `high` are the limits of the reference range with unit, `range_text`
    its own wording; `members` are components and the results of a panel."""

    value: str = ""
    unit: str = ""
    low: str = ""
    high: str = ""
    range_text: str = ""
    flag: str = ""
    flag_text: str = ""
    absent_reason: str = ""
    members: tuple["Observation", ...] = ()


@dataclass(frozen=True, slots=True)
class Medication(Entry):
    """A medication taken, ordered, dispensed or given."""

    dosage: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Allergy(Entry):
    """An allergy or intolerance; `status` is the clinical one, `when` its onset."""

    verification: str = ""
    criticality: str = ""
    reactions: str = ""


@dataclass(frozen=True, slots=True)
class Condition(Entry):
    """A problem or diagnosis; `status` is the clinical one, `when` from onset to abatement."""

    verification: str = ""
    severity: str = ""


@dataclass(frozen=True, slots=True)
class Immunisation(Entry):
    """A vaccine given or not given (`status`)."""

    dose: str = ""
    lot: str = ""
    diseases: str = ""


@dataclass(frozen=True, slots=True)
class Procedure(Entry):
    """An act done to or with the patient."""

    reason: str = ""
    outcome: str = ""


@dataclass(frozen=True, slots=True)
class Other(Entry):
    """A resource of any other type, named by `type`."""

    type: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """Entries of one kind, in the order of the document."""

    kind: TableKind
    rows: tuple[Entry, ...]


@dataclass(frozen=True, slots=True)
class Section:
    """A section of the document. `code` is its first coding's code; `empty_reason` says why there is
    nothing."""

    title: str
    code: str = ""
    narrative: Markup | None = None
    tables: tuple[Table, ...] = ()
    sections: tuple["Section", ...] = ()
    empty_reason: str = ""


@dataclass(frozen=True, slots=True)
class Identifier:
    """A number with the address of its issuer's system."""

    system: str
    value: str


@dataclass(frozen=True, slots=True)
class Subject:
    """Whom the document is about. `sex` is the code of Patient.gender; `birth_date` a FHIR date."""

    name: str = ""
    birth_date: str = ""
    sex: str = ""
    identifiers: tuple[Identifier, ...] = ()


@dataclass(frozen=True, slots=True)
class Party:
    """A person, organisation or device that made or keeps the document."""

    name: str
    organisation: str = ""


@dataclass(frozen=True, slots=True)
class Omission:
    """Something that the view could not show: what (an R4 or HTML name with the reason) and how often."""

    what: str
    count: int


@dataclass(frozen=True, slots=True)
class DocumentView:
    """A document for reading. `further` holds resources that no section refers to, `omissions` what is not
    shown."""

    title: str = ""
    type: str = ""
    type_code: str = ""
    date: str = ""
    status: str = ""
    language: str = ""
    subject: Subject = Subject()
    authors: tuple[Party, ...] = ()
    custodian: Party | None = None
    narrative: Markup | None = None
    sections: tuple[Section, ...] = ()
    further: tuple[Table, ...] = ()
    omissions: tuple[Omission, ...] = field(default=())

    @property
    def not_shown(self) -> int:
        """How many things of the document the view leaves out."""
        return sum(omission.count for omission in self.omissions)

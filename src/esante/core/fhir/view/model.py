"""The view of a FHIR document: plain text, dates in the format of FHIR, and sanitised narrative.

Texts come from the document in its language; codes (`status`, `flag`) are FHIR's own, for the page to translate.
"""

from dataclasses import dataclass, field
from typing import Literal

from markupsafe import Markup

TableKind = Literal["observations", "medications", "allergies", "conditions", "immunisations", "procedures", "others"]


@dataclass(frozen=True, slots=True)
class When:
    """A time or a time span: FHIR dates of any precision, "" where unknown.

    `text` where there is no date ("childhood", "34 years").
    """

    start: str = ""
    end: str = ""
    text: str = ""

    def __bool__(self) -> bool:
        return bool(self.start or self.end or self.text)


@dataclass(frozen=True, slots=True)
class Detail:
    """A further element of an entry: its R4 name (`bodySite`) and its content as text.

    For a page in another language than English the content is also given by its form: a time (`when`), a quantity
    (`number`, `unit`), a primitive whose text may be a code (`is_primitive`), or further elements (`parts`).
    """

    name: str
    text: str
    when: When = When()
    number: str = ""
    unit: str = ""
    is_primitive: bool = False
    parts: tuple["Detail", ...] = ()


@dataclass(frozen=True, slots=True)
class Reaction:
    """A reaction to a substance: its words, and the code of its severity (mild, moderate, severe) or ""."""

    text: str
    severity: str = ""


@dataclass(frozen=True, slots=True)
class TableRow:
    """The columns of every row. `name` is the subject matter of the entry; `status` is FHIR's code; `details` are all
    other elements."""

    name: str
    status: str = ""
    when: When = When()
    details: tuple[Detail, ...] = ()


@dataclass(frozen=True, slots=True)
class Observation(TableRow):
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
class Medication(TableRow):
    """A medication taken, ordered, dispensed or given."""

    dosage: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Allergy(TableRow):
    """An allergy or intolerance; `status` is the clinical one, `when` its onset."""

    verification: str = ""
    criticality: str = ""
    reactions: str = ""
    reaction_list: tuple[Reaction, ...] = ()


@dataclass(frozen=True, slots=True)
class Condition(TableRow):
    """A problem or diagnosis; `status` is the clinical one, `when` from onset to abatement."""

    verification: str = ""
    severity: str = ""


@dataclass(frozen=True, slots=True)
class Immunisation(TableRow):
    """A vaccine given or not given (`status`)."""

    dose: str = ""
    lot: str = ""
    diseases: str = ""


@dataclass(frozen=True, slots=True)
class Procedure(TableRow):
    """An act done to or with the patient."""

    reason: str = ""
    outcome: str = ""


@dataclass(frozen=True, slots=True)
class Other(TableRow):
    """A resource of any other type, named by `type`."""

    type: str = ""


@dataclass(frozen=True, slots=True)
class ResourceTable:
    """Entries of one kind, in the order of the document."""

    kind: TableKind
    rows: tuple[TableRow, ...]


@dataclass(frozen=True, slots=True)
class Section:
    """A section of the document. `code` is its first coding's code; `empty_reason` says why it has no entries."""

    title: str
    code: str = ""
    narrative: Markup | None = None
    tables: tuple[ResourceTable, ...] = ()
    sections: tuple["Section", ...] = ()
    empty_reason: str = ""


@dataclass(frozen=True, slots=True)
class PatientIdentifier:
    """An identifier with the URI of its system."""

    system: str
    value: str


@dataclass(frozen=True, slots=True)
class Subject:
    """The person whom the document is about. `sex` is the code of Patient.gender; `birth_date` a FHIR date."""

    name: str = ""
    birth_date: str = ""
    sex: str = ""
    identifiers: tuple[PatientIdentifier, ...] = ()


@dataclass(frozen=True, slots=True)
class Party:
    """A person, organisation or device that wrote or keeps the document."""

    name: str
    organisation: str = ""


@dataclass(frozen=True, slots=True)
class Omission:
    """Content that the view cannot show: an R4 or HTML name with the reason, and how often it occurs."""

    what: str
    count: int


@dataclass(frozen=True, slots=True)
class DocumentView:
    """The view of a document. `further` has the resources that no section refers to, `omissions` what is not shown."""

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
    further: tuple[ResourceTable, ...] = ()
    omissions: tuple[Omission, ...] = field(default=())

    @property
    def not_shown(self) -> int:
        """The number of omitted parts of the document."""
        return sum(omission.count for omission in self.omissions)

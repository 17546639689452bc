"""Documents as a registry lists them."""

from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Coded:
    """A code, its system (an OID, or the name of a scheme) and what it is called."""

    code: str
    system: str
    display: str = ""


@dataclass(frozen=True, slots=True)
class DocumentEntry:
    """The metadata of a document (IHE ITI TF-3, 4.2.3.2), "" for what is not said.

    `patient_id`, `source_patient_id`: CX, such as `1234^^^&1.2.3&ISO`. `home`: `urn:oid:` and the home community.
    `created`: DTM, such as `20260131120000`. `sha1`: in hex. `size`: bytes.
    """

    entry_uuid: str
    unique_id: str
    patient_id: str
    mime_type: str
    class_code: Coded
    type_code: Coded
    format_code: Coded
    repository_id: str = ""
    home: str = ""
    source_patient_id: str = ""
    source_patient_info: Sequence[str] = ()
    created: str = ""
    language: str = ""
    size: int | None = None
    sha1: str = ""
    started: str = ""
    """When the care began that it is about (serviceStartTime), as DTM."""
    title: str = ""
    description: str = ""
    status: str = ""
    facility_type: Coded | None = None
    practice_setting: Coded | None = None
    confidentiality: Sequence[Coded] = ()
    events: Sequence[Coded] = ()
    authors: Sequence[str] = ()
    """Persons, as XCN."""
    institutions: Sequence[str] = ()
    """Institutions of the authors, as XON."""


@dataclass(frozen=True, slots=True)
class Association:
    """How one object relates to another, both by their UUIDs; `entry_uuid`: its own ("": one is made)."""

    type: str
    source: str
    target: str
    entry_uuid: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class SubmissionSet:
    """What was submitted together (IHE ITI TF-3, 4.2.3.3); `patient_id` as CX, `submitted` as DTM."""

    entry_uuid: str
    unique_id: str
    patient_id: str
    source_id: str
    submitted: str = ""
    title: str = ""
    content_type: Coded | None = None
    status: str = ""
    home: str = ""
    authors: Sequence[str] = ()
    institutions: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Submission:
    """What a source submits: one submission set, documents, and how they relate."""

    submission_set: SubmissionSet
    documents: Sequence["DocumentEntry"]
    associations: Sequence[Association]


@dataclass(frozen=True, slots=True)
class Listing:
    """What a registry answers to a query."""

    documents: Sequence[DocumentEntry] = ()
    associations: Sequence[Association] = ()
    errors: Sequence["RegistryError"] = ()
    is_failure: bool = False
    submission_sets: Sequence[SubmissionSet] = ()
    only_references: bool = False
    """Whether the objects are named by their UUIDs only."""


@dataclass(frozen=True, slots=True)
class RegistryError:
    """An error or a warning in an answer: its code, what it is about, and its place (such as a UID)."""

    code: str
    context: str
    location: str = ""
    is_warning: bool = False


@dataclass(frozen=True, slots=True)
class StoredQuery:
    """A stored query: its identifier, and its parameters by name, each with all its values."""

    id: str
    parameters: dict[str, list[str]]
    only_references: bool = False

    def one(self, name: str) -> str:
        """Return the one value of a parameter, "" where there is none or several."""
        values = self.parameters.get(name, [])
        return values[0] if len(values) == 1 else ""


@dataclass(frozen=True, slots=True)
class DocumentRequest:
    """A document that is asked for: its home community, its repository, its unique id."""

    home: str
    repository_id: str
    unique_id: str


@dataclass(frozen=True, slots=True)
class RetrievedDocument:
    """A document of an answer."""

    home: str
    repository_id: str
    unique_id: str
    mime_type: str
    content: bytes = field(repr=False)

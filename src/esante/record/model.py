"""The types of the shared care record: documents, their kinds and their versions."""

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from uuid import UUID

from esante.access import Confidentiality


class Status(StrEnum):
    """The state of a document (FHIR document-reference-status)."""

    CURRENT = "current"
    SUPERSEDED = "superseded"
    WITHDRAWN = "entered-in-error"


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A document in a person's record, without its bytes.

    `category` is a key of the category list (data/categories.toml); `type` its LOINC code. `series_id` is
    the id of the first version; `replaces` the version before. `sha256` is of the stored bytes, which come
    back as they came in. `findings` are notes of the check at deposit (for example "encrypted").
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
    author_kind: str
    author_id: UUID
    author: str
    organization_id: UUID | None
    organization: str
    media_type: str
    format: str
    size: int
    sha256: bytes
    confidentiality: Confidentiality
    withdrawn_reason: str = ""
    findings: tuple[str, ...] = ()

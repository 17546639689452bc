"""Types of the export service: the stored request, the job, its files, and the journal events."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import ClassVar
from uuid import UUID

import msgspec

from esante.core.journal import Event, event
from esante.core.storage import NIL, JobState
from esante.core.types import Json
from esante.core.web import N_
from esante.identity.access import AccessEvent

AUDIT_TYPE = "AuditEvent"
"""The resource type that is exported only to the patient whom it concerns."""
Query = tuple[tuple[str, str], ...]
"""Search parameters with their values, all of which must match."""


class ExportLevel(StrEnum):
    """Whose data is exported (Bulk Data: system, all patients, group; and a single patient)."""

    SYSTEM = "system"
    PATIENTS = "patients"
    GROUP = "group"
    PERSON = "person"


class ExportRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A kick-off request as it is stored, with the requester (in access's stored form) and their origin.

    `subject` is the person or group to export. `types` maps each resource type to the queries of which a resource must
    match at least one (an empty query matches all). The export holds what changed after `since` and not after `at`
    (UTC). `request` is the URL of the kick-off. `ignored` are the parameters that were not understood.
    """

    principal: Json
    origin: str
    level: ExportLevel
    subject: UUID | None = None
    types: dict[str, list[Query]]
    since: datetime | None = None
    at: datetime
    request: str
    ignored: tuple[str, ...] = ()

    @property
    def person_id(self) -> UUID:
        """The one person whom the export is about, or `NIL`."""
        if self.principal["kind"] == "patient":
            return UUID(self.principal["id"])
        return self.subject if self.level is ExportLevel.PERSON and self.subject else NIL


class Cursor(msgspec.Struct, frozen=True):
    """The progress of a job: a person, and the place in one of their sections (section -1: the person is finished)."""

    person_id: UUID = NIL
    section: int = -1
    place: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """An export. `total` is the number of persons, counted when the work began; `done` how many are finished."""

    id: UUID
    owner: str
    request: ExportRequest
    state: JobState
    asked_at: datetime
    cursor: Cursor
    total: int | None
    done: int
    segments: int
    failures: int
    last_error: str
    ended_at: datetime | None
    expires_at: datetime | None

    @property
    def folder(self) -> str:
        """The folder of its segments in the object store."""
        return f"export/{self.id.hex}"


@dataclass(frozen=True, slots=True)
class Line:
    """A resource as JSON in one line, with its type and its category of data. `kind` as in `Segment`."""

    type: str
    body: bytes
    category: str = ""
    kind: str = "output"


@dataclass(frozen=True, slots=True)
class Segment:
    """Lines of one type that were written together.

    `kind` is the list of the manifest that names it: output, deleted or error. `size` and `crc` are the bytes and the
    CRC-32 of the lines, `stored` the bytes in the object store.
    """

    number: int
    kind: str
    type: str
    lines: int
    size: int
    crc: int
    stored: int


@dataclass(frozen=True, slots=True)
class ExportFile:
    """A file of the manifest: segments of one type, one after the other."""

    name: str
    kind: str
    type: str
    segments: Sequence[Segment]

    @property
    def lines(self) -> int:
        """The number of resources."""
        return sum(segment.lines for segment in self.segments)

    @property
    def size(self) -> int:
        """The size in bytes as uncompressed NDJSON."""
        return sum(segment.size for segment in self.segments)


@event("export.asked")
class ExportRequested(Event, frozen=True, kw_only=True):
    """An export was requested, and the work on it begins."""

    job_id: UUID
    level: str
    types: tuple[str, ...]


@event("export.copied", version=2)
class DataExported(AccessEvent, frozen=True, kw_only=True):
    """Data of the person went into an export: `count` resources."""

    FOLDS: ClassVar[bool] = False
    WORDS: ClassVar[str] = N_("%(actor)s exported data from your record: %(categories)s.")

    job_id: UUID
    count: int


@event("export.refused", version=2)
class ExportRefused(AccessEvent, frozen=True, kw_only=True):
    """An export was requested and refused."""

    REFUSED_WORDS: ClassVar[str] = N_("%(actor)s tried to export your record. Access was refused.")


@event("export.taken", version=2)
class PersonalExportDownloaded(AccessEvent, frozen=True, kw_only=True):
    """The person downloaded their data with their documents."""

    FOLDS: ClassVar[bool] = False
    WORDS: ClassVar[str] = N_("%(actor)s downloaded your whole record: %(categories)s.")
    OWN_WORDS: ClassVar[str] = N_("You downloaded your whole record.")

    job_id: UUID


@event("export.fetched")
class ExportFileFetched(Event, frozen=True, kw_only=True):
    """A file of an export was fetched."""

    job_id: UUID
    file: str


@event("export.ended")
class ExportEnded(Event, frozen=True, kw_only=True):
    """An export was finished, failed, was cancelled or has expired (`how`); `persons` is how many were processed."""

    job_id: UUID
    how: str
    persons: int

"""The types of the room: what was asked for, how far it is, what was written, and what the journal tells."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, ClassVar
from uuid import UUID

import msgspec

from esante.core.journal import Event, event
from esante.core.storage import NIL
from esante.core.web import N_
from esante.identity.access import AccessEvent

OWN = "AuditEvent"
"""The type that a patient is given of herself, and nobody else of her."""
Query = tuple[tuple[str, str], ...]
"""Search parameters with their values, all of which must match."""


class Level(StrEnum):
    """Whose data is asked for."""

    SYSTEM = "system"
    PATIENTS = "patients"
    GROUP = "group"
    PERSON = "person"


class State(StrEnum):
    """The life of a job."""

    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What was asked for, by whom (as access keeps a requester) and from where.

    `subject` is the person or group asked for. Each of `types` has the queries of which its resources must match one
    (an empty one: all do). What changed after `since` and not after `at` is given. `ignored` are parameters that were
    not understood.
    """

    principal: dict[str, Any]
    origin: str
    level: Level
    subject: UUID | None = None
    types: dict[str, list[Query]]
    since: datetime | None = None
    at: datetime
    request: str
    ignored: tuple[str, ...] = ()

    @property
    def person_id(self) -> UUID:
        """The one person whom it is about, or nobody in particular."""
        if self.principal["kind"] == "patient":
            return UUID(self.principal["id"])
        return self.subject if self.level is Level.PERSON and self.subject else NIL


class Cursor(msgspec.Struct, frozen=True):
    """How far the work is: in a person, at a place in one of the sections; section -1: she is through."""

    person_id: UUID = NIL
    section: int = -1
    place: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """An export that was asked for. `total` are the persons counted when the work began, `done` those through."""

    id: UUID
    owner: str
    asked: Asked
    state: State
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
        """Where its segments lie in the object store."""
        return f"export/{self.id.hex}"


@dataclass(frozen=True, slots=True)
class Line:
    """A resource of a type as JSON in one line, and the category of data it counts as. `kind` as in `Segment`."""

    type: str
    body: bytes
    category: str = ""
    kind: str = "output"


@dataclass(frozen=True, slots=True)
class Segment:
    """Lines of one type that were written together; `size` are their bytes, `crc` their CRC-32, `stored` the bytes in
    the object store.

    `kind` is where the manifest names it: output, deleted or error.
    """

    number: int
    kind: str
    type: str
    lines: int
    size: int
    crc: int
    stored: int


@dataclass(frozen=True, slots=True)
class File:
    """A file as the manifest names it: segments of one type, one after the other."""

    name: str
    kind: str
    type: str
    segments: Sequence[Segment]

    @property
    def lines(self) -> int:
        """How many resources it holds."""
        return sum(segment.lines for segment in self.segments)

    @property
    def size(self) -> int:
        """Its bytes as NDJSON."""
        return sum(segment.size for segment in self.segments)


@event("export.asked")
class ExportAsked(Event, frozen=True, kw_only=True):
    """An export was asked for, and the work on it begins."""

    job_id: UUID
    level: str
    types: tuple[str, ...]


@event("export.copied")
class Copied(AccessEvent, frozen=True, kw_only=True):
    """Data of the person went into an export: `count` resources."""

    WORDS: ClassVar[str] = N_("%(actor)s took a copy of data of your record: %(categories)s.")

    job_id: UUID
    count: int


@event("export.refused")
class ExportRefused(AccessEvent, frozen=True, kw_only=True):
    """A person's data was asked for, and refused."""

    REFUSED_WORDS: ClassVar[str] = N_("%(actor)s wanted to take a copy of your record and was refused.")


@event("export.taken")
class Taken(AccessEvent, frozen=True, kw_only=True):
    """The person downloaded her data with her documents."""

    WORDS: ClassVar[str] = N_("%(actor)s downloaded the whole record: %(categories)s.")

    job_id: UUID


@event("export.fetched")
class ExportFetched(Event, frozen=True, kw_only=True):
    """A file of an export was fetched."""

    job_id: UUID
    file: str


@event("export.ended")
class ExportEnded(Event, frozen=True, kw_only=True):
    """An export was finished, failed, was cancelled or has expired (`how`); `persons` are those looked at."""

    job_id: UUID
    how: str
    persons: int

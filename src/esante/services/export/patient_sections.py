"""What is exported of a person, in sections and these in pages, each bounded in size."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

import orjson

from esante.core.journal import Journal
from esante.core.storage import uuid7_floor
from esante.identity.access import Requester, audit_event, log_types
from esante.identity.directory import Directory, patient_resource
from esante.services.export.model import OWN, Cursor, Job, Line
from esante.services.record import BulkReader, CopyPage, Span, View, bulk_read_verdict

PAGE = 200
"""Entries of a page of a person's log."""
_MOMENT = timedelta(milliseconds=1)


@dataclass(frozen=True, slots=True)
class Piece:
    """Lines about a person that were taken at once, what was seen of her, and how far that is."""

    view: View
    lines: Sequence[Line]
    cursor: Cursor


class Pieces:
    """Takes the pieces of persons' data; `base_url` is the platform's address."""

    def __init__(self, directory: Directory, extracts: BulkReader, journal: Journal, base_url: str) -> None:
        self._directory, self._extracts, self._journal = directory, extracts, journal
        self._base_url = base_url
        self._sections: Sequence[Callable[[Job, View, str], Awaitable[tuple[list[Line], str | None]]]] = (
            self._person,
            self._references,
            self._resources,
            self._gone,
            self._log,
        )

    @property
    def sections(self) -> int:
        """How many sections there are."""
        return len(self._sections)

    async def of_person(self, job: Job, requester: Requester, person_id: UUID) -> AsyncIterator[Piece]:
        """The pieces of a person, from the job's cursor on if it stands in her; the last says that she is through.

        What may be given of her is decided now. Of one who is not there for the requester there are no lines.
        """
        view = await self._extracts.load_view(requester, person_id)
        section, place = 0, ""
        if job.cursor.person_id == person_id:
            section, place = job.cursor.section, job.cursor.place
        while section < self.sections and bulk_read_verdict(view).allowed:
            lines, following = await self._sections[section](job, view, place)
            section, place = (section + 1, "") if following is None else (section, following)
            yield Piece(view, lines, Cursor(person_id, section, place))
        yield Piece(view, [], Cursor(person_id))

    async def _person(self, job: Job, view: View, place: str) -> tuple[list[Line], str | None]:
        person = await self._directory.person(view.person_id)
        if person is None or "Patient" not in job.asked.types:
            return [], None
        return [Line("Patient", orjson.dumps(patient_resource(person, self._directory.catalogue)))], None

    async def _references(self, job: Job, view: View, place: str) -> tuple[list[Line], str | None]:
        if "DocumentReference" not in job.asked.types:
            return [], None
        return _lines(await self._extracts.read_document_references(view, _span(job), place, f"{self._base_url}/fhir"))

    async def _resources(self, job: Job, view: View, place: str) -> tuple[list[Line], str | None]:
        return _lines(await self._extracts.read_resources(view, job.asked.types, _span(job), place))

    async def _gone(self, job: Job, view: View, place: str) -> tuple[list[Line], str | None]:
        return _lines(await self._extracts.read_deletions(view, job.asked.types, _span(job), place), "deleted")

    async def _log(self, job: Job, view: View, place: str) -> tuple[list[Line], str | None]:
        if OWN not in job.asked.types or view.person_id != job.asked.person_id:
            return [], None
        span = _span(job)
        before = UUID(hex=place) if place else uuid7_floor(span.at + _MOMENT)
        entries = await self._journal.entries_of(view.person_id, log_types(), before=before, limit=PAGE)
        lines = [
            Line(OWN, orjson.dumps(audit_event(entry, self._base_url)))
            for entry in entries
            if entry.event is not None and span.includes(entry.at)
        ]
        older = len(entries) == PAGE and (span.since is None or entries[-1].at > span.since)
        return lines, entries[-1].id.hex if older else None


def _span(job: Job) -> Span:
    return Span(job.asked.since, job.asked.at)


def _lines(extract: CopyPage, kind: str = "output") -> tuple[list[Line], str | None]:
    return [Line(copy.type, copy.body, copy.category, kind) for copy in extract.copies], extract.place

"""The exported data of a person, in sections, and each section in pages of bounded size."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

import orjson

from esante.core.journal import Journal
from esante.core.storage import uuid7_floor
from esante.identity.access import Requester, audit_event, log_types
from esante.identity.directory import Directory, patient_resource
from esante.services.export.model import AUDIT_TYPE, Cursor, Job, Line
from esante.services.record import BulkReader, CopyPage, Span, View, bulk_read_verdict

LOG_PAGE = 200
"""Entries on a page of a person's access log."""
_MILLISECOND = timedelta(milliseconds=1)


@dataclass(frozen=True, slots=True)
class SectionPage:
    """Lines about a person that were read together, the view used, and the progress after them."""

    view: View
    lines: Sequence[Line]
    cursor: Cursor


class PatientSections:
    """Reads the sections of persons' data; `base_url` is the platform's address."""

    def __init__(self, directory: Directory, extracts: BulkReader, journal: Journal, base_url: str) -> None:
        self._directory, self._extracts, self._journal = directory, extracts, journal
        self._base_url = base_url
        self._sections: Sequence[Callable[[Job, View, str], Awaitable[tuple[list[Line], str | None]]]] = (
            self._patient,
            self._document_references,
            self._resources,
            self._deletions,
            self._access_log,
        )

    @property
    def count(self) -> int:
        """The number of sections."""
        return len(self._sections)

    async def pages(self, job: Job, requester: Requester, person_id: UUID) -> AsyncIterator[SectionPage]:
        """Yield the pages of a person, from the job's cursor on if it is at this person; the last one ends the person.

        What the requester may see is decided now. A person whom the requester may not see has no lines.
        """
        view = await self._extracts.load_view(requester, person_id)
        section, place = 0, ""
        if job.cursor.person_id == person_id:
            section, place = job.cursor.section, job.cursor.place
        while section < self.count and bulk_read_verdict(view).allowed:
            lines, following = await self._sections[section](job, view, place)
            section, place = (section + 1, "") if following is None else (section, following)
            yield SectionPage(view, lines, Cursor(person_id, section, place))
        yield SectionPage(view, [], Cursor(person_id))

    async def _patient(self, job: Job, view: View, place: str) -> tuple[list[Line], str | None]:
        person = await self._directory.person(view.person_id)
        if person is None or "Patient" not in job.request.types:
            return [], None
        return [Line("Patient", orjson.dumps(patient_resource(person, self._directory.catalogue)))], None

    async def _document_references(self, job: Job, view: View, place: str) -> tuple[list[Line], str | None]:
        if "DocumentReference" not in job.request.types:
            return [], None
        return _lines(await self._extracts.read_document_references(view, _span(job), place, f"{self._base_url}/fhir"))

    async def _resources(self, job: Job, view: View, place: str) -> tuple[list[Line], str | None]:
        return _lines(await self._extracts.read_resources(view, job.request.types, _span(job), place))

    async def _deletions(self, job: Job, view: View, place: str) -> tuple[list[Line], str | None]:
        return _lines(await self._extracts.read_deletions(view, job.request.types, _span(job), place), "deleted")

    async def _access_log(self, job: Job, view: View, place: str) -> tuple[list[Line], str | None]:
        if AUDIT_TYPE not in job.request.types or view.person_id != job.request.person_id:
            return [], None
        span = _span(job)
        before = UUID(hex=place) if place else uuid7_floor(span.at + _MILLISECOND)
        entries = await self._journal.entries_of(view.person_id, log_types(), before=before, limit=LOG_PAGE)
        lines = [
            Line(AUDIT_TYPE, orjson.dumps(audit_event(entry, self._base_url)))
            for entry in entries
            if entry.event is not None and span.includes(entry.at)
        ]
        has_older = len(entries) == LOG_PAGE and (span.since is None or entries[-1].at > span.since)
        return lines, entries[-1].id.hex if has_older else None


def _span(job: Job) -> Span:
    return Span(job.request.since, job.request.at)


def _lines(extract: CopyPage, kind: str = "output") -> tuple[list[Line], str | None]:
    return [Line(copy.type, copy.body, copy.category, kind) for copy in extract.copies], extract.place

"""The pages of studies, for the person and for a professional with access: the list, one with a viewer, its check."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from esante.core.journal import Entry, Journal
from esante.core.storage import Database
from esante.core.web import decode_offset_cursor, encode_cursor, gettext_of, render
from esante.identity.access import Access
from esante.identity.directory import Directory
from esante.services.imaging.archive import store
from esante.services.imaging.archive.completeness import Completeness, find_completeness
from esante.services.imaging.archive.service import Archive, Studies, not_found
from esante.services.imaging.archive.stack import stacks_of
from esante.services.imaging.archive.visible_study import VisibleStudy
from esante.services.imaging.dicomweb.routes import PATH
from esante.services.imaging.download.service import Downloads
from esante.services.imaging.ingest.limits import is_uid
from esante.services.imaging.modality_words import modality_words
from esante.services.imaging.model import SeriesOpened, Study
from esante.services.imaging.pages.light_viewer import light_viewer
from esante.services.imaging.sharing.model import ShareOpened
from esante.services.record import (
    Document,
    Listed,
    PageContext,
    PageContexts,
    Record,
    banner_loader,
    display_of_type,
    no_access,
    page_endpoint,
)

PAGE_SIZE = 20
OWN, OF_PATIENT = "/images", "/patients/{person_id:uuid}/images"
_OID = "urn:oid:"
_REPORT = "imaging_report"
_MAX_WORDS = 100
_MAX_OPENINGS, _MAX_SCANNED = 20, 500


@dataclass(frozen=True, slots=True)
class _Row:
    """A study in the list."""

    study: Study
    document: Document
    counts: store.Counts
    completeness: Completeness | None

    @property
    def words(self) -> tuple[str, ...]:
        return modality_words(self.counts.modalities)


class StudyPages:
    """The pages of studies. Those of the person and of professionals differ in addresses and acts only."""

    def __init__(
        self,
        db: Database,
        archive: Archive,
        record: Record,
        journal: Journal,
        access: Access,
        directory: Directory,
        downloads: Downloads,
    ) -> None:
        self._db, self._archive, self._record, self._journal = db, archive, record, journal
        self._downloads = downloads
        self._contexts = PageContexts(access)
        self._banner = banner_loader(access, directory)

    def routes(self) -> list[Route]:
        """Return the pages."""
        own, patient = self._contexts.resolve_own, self._contexts.resolve_patient
        shown = (("", self.studies), ("/{study}", self.study), ("/{study}/check", self.check))
        places = ((OWN, own), (OF_PATIENT, patient))
        return [
            Route(f"{place}{path}", page_endpoint(resolve, respond))
            for place, resolve in places
            for path, respond in shown
        ]

    async def studies(self, request: Request, page: PageContext) -> Response:
        """List the studies, the latest first."""
        query = request.query_params
        text, offset = query.get("q", "").strip()[:_MAX_WORDS], decode_offset_cursor(query.get("cursor"))
        studies = await self._archive.studies(page.requester, page.person_id)
        if not page.is_own and not studies.studies and not studies.verdict.allowed:
            await self._archive.searched(page.requester, studies, [], 0)
            raise no_access()
        counts = await store.count_by_study(self._db, page.person_id, [one.study_uid for one, _ in studies.studies])
        words = text.casefold().split()
        found = [
            (one, visible)
            for one, visible in studies.studies
            if all(word in _searched(one, visible, counts, gettext_of(request)) for word in words)
        ]
        shown = found[offset : offset + PAGE_SIZE]
        await self._archive.searched(page.requester, studies, [visible for _, visible in shown], len(shown))
        complete = await find_completeness(self._db, page.person_id, [one.study_uid for one, _ in shown])
        return await render(
            request,
            "imaging/studies.html",
            page=page,
            url=images_url(page),
            display_of_type=display_of_type,
            shown=[
                _Row(one, visible.document, _counts(counts, one), complete.get(one.study_uid))
                for one, visible in shown
            ],
            total=len(studies.studies),
            withheld=[(visible.document, until) for visible, until in studies.withheld],
            next=encode_cursor(offset + PAGE_SIZE) if len(found) > offset + PAGE_SIZE else None,
            text=text,
            **await self._banner(page),
        )

    async def study(self, request: Request, page: PageContext) -> Response:
        """Show one study: a picture of a series, what belongs to it, and to the person who opened it."""
        studies = await self._archive.studies(page.requester, page.person_id)
        for visible, until in studies.withheld:
            if visible.study_uid == request.path_params["study"]:
                return await render(
                    request,
                    "imaging/withheld.html",
                    page=page,
                    document=visible.document,
                    display_of_type=display_of_type,
                    until=until,
                    list_url=images_url(page),
                )
        study, visible = await self._find(request, page, studies)
        await self._archive.searched(page.requester, studies, [visible], 1)
        series = await store.fetch_series(self._db, page.person_id, [study.study_uid])
        instances = await store.fetch_instances(self._db, page.person_id, [study.study_uid])
        stacks = stacks_of(series, instances)
        complete = await find_completeness(self._db, page.person_id, [study.study_uid])
        return await render(
            request,
            "imaging/study.html",
            page=page,
            url=f"{images_url(page)}/{study.study_uid}",
            list_url=images_url(page),
            study=study,
            display_of_type=display_of_type,
            document=visible.document,
            stacks=stacks,
            completeness=complete.get(study.study_uid),
            reports=await self._reports(page, study),
            openings=await self._openings(page, study) if page.is_own else [],
            titles={one.series.series_uid: one for one in stacks},
            **light_viewer(request, stacks, f"{PATH}/studies/{study.study_uid}"),
            **await self._banner(page),
        )

    async def check(self, request: Request, page: PageContext) -> Response:
        """Show the page on which the browser compares a copy of a study with the fingerprints of its instances."""
        studies = await self._archive.studies(page.requester, page.person_id)
        study, visible = await self._find(request, page, studies)
        await self._archive.searched(page.requester, studies, [visible], 1)
        return await render(
            request,
            "imaging/check.html",
            page=page,
            url=f"{images_url(page)}/{study.study_uid}",
            document=visible.document,
            display_of_type=display_of_type,
            check=await self._downloads.fingerprints(visible),
            **await self._banner(page),
        )

    async def _find(self, request: Request, page: PageContext, studies: Studies) -> tuple[Study, VisibleStudy]:
        """Return the study of a request among those that its requester may see. Raises: Problem 404, journalled."""
        study_uid = request.path_params["study"]
        if not is_uid(study_uid):
            raise not_found()
        for study, visible in studies.studies:
            if study.study_uid == study_uid:
                return study, visible
        await self._archive.study(page.requester, study_uid, "page")
        raise not_found()

    async def _reports(self, page: PageContext, study: Study) -> list[Document]:
        """Return the reports that have the study or its accession number among their identifiers; journalled."""
        names = {study.study_uid, f"urn:oid:{study.study_uid}", study.accession_number} - {""}
        documents, verdict = await self._record.current.list(page.requester, page.person_id, _REPORT)
        found = [one for one, _ in documents if any(value in names for _, value in one.identifiers)]
        if found:
            rows = self._record.audit_rows(Listed, page.requester, page.person_id, verdict, found, count=len(found))
            await self._db.write(rows)
        return found

    async def _openings(self, page: PageContext, study: Study) -> list[Entry]:
        """Return the latest entries about opened series of a study, also by a link."""
        entries = await self._journal.entries_of(page.person_id, [SeriesOpened, ShareOpened], limit=_MAX_SCANNED)
        found = (
            one
            for one in entries
            if isinstance(one.event, SeriesOpened | ShareOpened)
            and one.event.study_uid == study.study_uid
            and one.event.series_uid
        )
        return list(islice(found, _MAX_OPENINGS))


def study_address(document: Document) -> str:
    """Return the address of the page of the study that a document stands for, "" for none."""
    found = (value.removeprefix(_OID) for _, value in document.identifiers if value.startswith(_OID))
    return next((f"{OWN}/{uid}" for uid in found), "")


def images_url(page: PageContext) -> str:
    """Return the address of the list of studies of a page."""
    return OWN if page.is_own else f"{page.timeline_url}/images"


def _counts(counts: dict[str, store.Counts], study: Study) -> store.Counts:
    return counts.get(study.study_uid) or store.Counts((), 0, 0)


def _searched(
    study: Study, visible: VisibleStudy, counts: dict[str, store.Counts], gettext: Callable[[str], str]
) -> str:
    """Return the text of a study in which words are searched for."""
    document, modalities = visible.document, _counts(counts, study).modalities
    words = " ".join((*modalities, *map(gettext, modality_words(modalities))))
    return f"{document.title} {document.author} {document.organization} {study.accession_number} {words}".casefold()

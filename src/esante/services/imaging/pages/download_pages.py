"""The addresses from which a study is downloaded, by its person and by a professional with access."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from esante.identity.access import Access
from esante.services.imaging.archive.service import Archive, not_found
from esante.services.imaging.download.service import Downloads
from esante.services.imaging.ingest.limits import is_uid
from esante.services.imaging.pages.study_pages import OF_PATIENT, OWN
from esante.services.record import PageContext, PageContexts, page_endpoint


class DownloadPages:
    """Downloads of studies."""

    def __init__(self, downloads: Downloads, archive: Archive, access: Access) -> None:
        self._downloads, self._archive = downloads, archive
        self._contexts = PageContexts(access)

    def routes(self) -> list[Route]:
        """Return the addresses."""
        places = ((OWN, self._contexts.resolve_own), (OF_PATIENT, self._contexts.resolve_patient))
        return [Route(f"{path}/{{study}}/download", page_endpoint(one, self.download)) for path, one in places]

    async def download(self, request: Request, page: PageContext) -> Response:
        """Return the ZIP file of a study, journalled for each series. Raises: Problem 404."""
        study_uid = request.path_params["study"]
        if not is_uid(study_uid):
            raise not_found()
        study = await self._archive.study(page.requester, study_uid, "download")
        if study.person_id != page.person_id:
            raise not_found()
        series = await self._downloads.series_of(study)
        await self._archive.opened(page.requester, study, [one.series_uid for one in series], "download")
        return await self._downloads.respond(request, study, series)

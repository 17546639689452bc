"""The pages of a shared study, for whoever has the link and the PIN.

The page of a link is the same whether there is such a link or not; every picture has the name of who sees it in it.
"""

from dataclasses import replace

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from esante.core.storage import Database
from esante.core.time_zone import today
from esante.core.web import Problem, is_https, origin_of, read_form, redirect, render
from esante.identity.directory import Directory
from esante.services.imaging.archive import store
from esante.services.imaging.archive.service import Archive, not_found
from esante.services.imaging.archive.stack import stacks_of
from esante.services.imaging.dicomweb.paths import frame_numbers, uids_of_instance
from esante.services.imaging.dicomweb.pictures import parse_picture, render_frame
from esante.services.imaging.download.service import Downloads
from esante.services.imaging.ingest.limits import is_uid
from esante.services.imaging.pages.light_viewer import light_viewer
from esante.services.imaging.rendering.frame_renderer import FrameRenderer
from esante.services.imaging.sharing.model import MAX_RECIPIENT, VISIT, Visit
from esante.services.imaging.sharing.service import PATH, Shares
from esante.services.record import display_of_type

_COOKIE = "esante_shared_images"
_LINK = f"{PATH}/{{address}}"
_PICTURE = f"{_LINK}/series/{{series}}/instances/{{instance}}/frames/{{frames}}/rendered"
_HEADERS = {"Referrer-Policy": "no-referrer", "X-Robots-Tag": "noindex", "Cache-Control": "no-store"}


class SharedPages:
    """The pages of shared studies."""

    def __init__(
        self,
        db: Database,
        shares: Shares,
        archive: Archive,
        renderer: FrameRenderer,
        directory: Directory,
        downloads: Downloads,
    ) -> None:
        self._db, self._shares, self._archive = db, shares, archive
        self._renderer, self._directory, self._downloads = renderer, directory, downloads

    def routes(self) -> list[Route]:
        """Return the pages."""
        return [
            Route(_LINK, self.show),
            Route(_LINK, self.open, methods=["POST"]),
            Route(_PICTURE, self.picture),
            Route(f"{_LINK}/download", self.download),
        ]

    async def show(self, request: Request) -> Response:
        """Show the study to whoever has entered the PIN, to others the form for it."""
        try:
            visit = await self._visit(request)
        except Problem:
            return await _pin_form(request)
        study, url = visit.study, f"{PATH}/{request.path_params['address']}"
        series = await store.fetch_series(self._db, study.person_id, [study.study_uid])
        stacks = stacks_of(series, await store.fetch_instances(self._db, study.person_id, [study.study_uid]))
        return await render(
            request,
            "imaging/shared_study.html",
            headers=_HEADERS,
            visit=visit,
            document=study.document,
            display_of_type=display_of_type,
            person=await self._directory.person(study.person_id),
            stacks=stacks,
            url=url,
            **light_viewer(request, stacks, url),
        )

    async def open(self, request: Request) -> Response:
        """Take the name and the PIN; lead to the study, or show the form again."""
        form, address = await read_form(request), request.path_params["address"]
        recipient, pin = str(form.get("recipient", "")), "".join(str(form.get("pin", ""))[:20].split())
        try:
            token = await self._shares.open(address, recipient, pin, origin_of(request))
        except Problem as problem:
            if problem.status not in (400, 404):
                raise
            return await _pin_form(request, problem, recipient)
        response = redirect(f"{PATH}/{address}")
        response.set_cookie(
            _COOKIE,
            token,
            max_age=int(VISIT.total_seconds()),
            path=f"{PATH}/{address}",
            httponly=True,
            samesite="strict",
            secure=is_https(request),
        )
        return response

    async def picture(self, request: Request) -> Response:
        """Return a picture of the study, with the name of who sees it. Raises: Problem 404."""
        visit = await self._visit(request)
        series_uid, instance_uid = uids_of_instance(request)
        if not (is_uid(series_uid) and is_uid(instance_uid)):
            raise not_found()
        media_type, picture = parse_picture(request)
        found = await self._archive.instance(visit.study, series_uid, instance_uid)
        series = await store.fetch_series(self._db, visit.study.person_id, [visit.study.study_uid])
        modality = next((one.modality for one in series if one.series_uid == series_uid), "")
        await self._shares.opened(visit, series_uid, modality, "rendered")
        marked = replace(picture, watermark=f"{visit.caller.recipient} · {today().isoformat()}")
        number = frame_numbers(request)[0]
        client = visit.share.share_id
        data = await render_frame(self._archive, self._renderer, visit.study, found, number, marked, client)
        return Response(data, media_type=media_type, headers=_HEADERS)

    async def download(self, request: Request) -> Response:
        """Return the ZIP file of the study. Raises: Problem 404, also where the link is not for that."""
        visit = await self._visit(request)
        if not visit.share.downloads:
            raise not_found()
        series = await self._downloads.series_of(visit.study)
        for one in series:
            await self._shares.opened(visit, one.series_uid, one.modality, "download")
        return await self._downloads.respond(request, visit.study, series)

    async def _visit(self, request: Request) -> Visit:
        token = request.cookies.get(_COOKIE, "")
        return await self._shares.visit(request.path_params["address"], token, origin_of(request))


async def _pin_form(request: Request, problem: Problem | None = None, recipient: str = "") -> Response:
    return await render(
        request,
        "imaging/shared_pin.html",
        problem.status if problem else 200,
        headers=_HEADERS,
        problem=problem,
        recipient=recipient,
        url=f"{PATH}/{request.path_params['address']}",
        max_recipient=MAX_RECIPIENT,
    )

"""The page by which who made a study withholds it from the patient for some days, or releases it."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from esante.core.time_zone import day_of
from esante.core.web import Problem, read_form, redirect, render
from esante.identity.access import Access
from esante.identity.directory import Directory
from esante.services.imaging.archive.service import not_found
from esante.services.imaging.release.service import Releases
from esante.services.imaging.release.terms import release_terms
from esante.services.record import PageContext, PageContexts, banner_loader, page_endpoint

PAGE = "/patients/{person_id:uuid}/images/{study}/release"
_SHOWN_IN_FORM = (400, 409)


class ReleasePages:
    """The page of the release of a study."""

    def __init__(self, releases: Releases, access: Access, directory: Directory) -> None:
        self._releases, self._contexts = releases, PageContexts(access)
        self._banner = banner_loader(access, directory)

    def routes(self) -> list[Route]:
        """Return the page."""
        resolve = self._contexts.resolve_patient
        return [
            Route(PAGE, page_endpoint(resolve, self.show)),
            Route(PAGE, page_endpoint(resolve, self.save), methods=["POST"]),
        ]

    async def show(self, request: Request, page: PageContext, problem: Problem | None = None) -> Response:
        """Show whether the patient sees a study, and what can be set."""
        visible, state = await self._releases.state(page.requester, request.path_params["study"])
        if visible.person_id != page.person_id:
            raise not_found()
        return await render(
            request,
            "imaging/release.html",
            problem.status if problem else 200,
            problem=problem,
            page=page,
            study_url=f"{page.timeline_url}/images/{visible.study_uid}",
            document=visible.document,
            state=state,
            terms=release_terms(day_of(state.latest)),
            **await self._banner(page),
        )

    async def save(self, request: Request, page: PageContext) -> Response:
        """Withhold a study or release it."""
        form, study_uid = await read_form(request), request.path_params["study"]
        days = str(form.get("days", ""))
        try:
            if form.get("act") == "release":
                await self._releases.release(page.requester, study_uid)
            else:
                await self._releases.withhold(page.requester, study_uid, int(days) if days.isdecimal() else 0)
        except Problem as problem:
            if problem.status not in _SHOWN_IN_FORM:
                raise
            return await self.show(request, page, problem)
        return redirect(request.url.path)

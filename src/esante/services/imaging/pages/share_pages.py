"""The pages on which a person shares a study by a link, and ends the link."""

from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from esante.core.link_secrets import link_qr
from esante.core.web import N_, Problem, gettext_of, read_form, redirect, render
from esante.identity.access import Access, Requester
from esante.services.imaging.archive.service import Archive, not_found
from esante.services.imaging.archive.visible_study import VisibleStudy
from esante.services.imaging.ingest.limits import is_uid
from esante.services.imaging.pages.study_pages import OWN
from esante.services.imaging.sharing.model import MAX_LABEL
from esante.services.imaging.sharing.service import Shares
from esante.services.record import display_of_type

_SHARE = f"{OWN}/{{study}}/share"
_SHOWN_IN_FORM = (400, 409)


class SharePages:
    """The pages of links to a study, for its person."""

    def __init__(self, shares: Shares, archive: Archive, access: Access) -> None:
        self._shares, self._archive, self._access = shares, archive, access

    def routes(self) -> list[Route]:
        """Return the pages."""
        return [
            Route(_SHARE, self.form),
            Route(_SHARE, self.create, methods=["POST"]),
            Route(f"{_SHARE}/{{share_id:uuid}}/end", self.end, methods=["POST"]),
        ]

    async def form(self, request: Request) -> Response:
        """Show the form for a link, and the links that there are."""
        requester, study = await self._study(request)
        return await self._form(request, requester, study)

    async def create(self, request: Request) -> Response:
        """Make a link and show it: it is shown in this response only."""
        requester, study = await self._study(request)
        form = await read_form(request)
        days = str(form.get("days", ""))
        try:
            made = await self._shares.create(
                requester,
                study.study_uid,
                str(form.get("label", "")),
                int(days) if days.isascii() and days.isdigit() and len(days) < 6 else 0,
                downloads=form.get("downloads") == "yes",
            )
        except Problem as problem:
            if problem.status not in _SHOWN_IN_FORM:
                raise
            return await self._form(request, requester, study, form, problem)
        title = gettext_of(request)(N_("QR code of the link to your images"))
        return await render(
            request, "imaging/share_made.html", made=made, qr=link_qr(made.url, title), back=_address(study)
        )

    async def end(self, request: Request) -> Response:
        """End a link."""
        requester, study = await self._study(request)
        await read_form(request)
        await self._shares.end(requester, request.path_params["share_id"])
        return redirect(f"{_address(study)}?saved=ended")

    async def _form(
        self,
        request: Request,
        requester: Requester,
        study: VisibleStudy,
        form: FormData | None = None,
        problem: Problem | None = None,
    ) -> Response:
        values = {"label": "", "days": str(self._shares.days), "downloads": ""}
        values |= {name: str(form.get(name, "")) for name in values} if form is not None else {}
        return await render(
            request,
            "imaging/share.html",
            problem.status if problem else 200,
            problem=problem,
            values=values,
            durations=self._shares.durations,
            shares=await self._shares.shares_of(requester, study.study_uid),
            document=study.document,
            display_of_type=display_of_type,
            url=_address(study),
            back=f"{OWN}/{study.study_uid}",
            max_label=MAX_LABEL,
            saved=request.query_params.get("saved", ""),
        )

    async def _study(self, request: Request) -> tuple[Requester, VisibleStudy]:
        """Return the person and their study. Raises: Problem 404."""
        requester = await self._access.page_requester(request, kinds=("patient",))
        study_uid = request.path_params["study"]
        if not is_uid(study_uid):
            raise not_found()
        return requester, await self._archive.study(requester, study_uid, "share")


def _address(study: VisibleStudy) -> str:
    return f"{OWN}/{study.study_uid}/share"

"""The pages of transfers: for the person who prepares a copy of their record, and for its recipient."""

from starlette.background import BackgroundTask
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from esante.core.link_secrets import link_qr
from esante.core.web import (
    N_,
    Problem,
    decode_offset_cursor,
    encode_cursor,
    gettext_of,
    language_of,
    origin_of,
    read_form,
    redirect,
    render,
)
from esante.identity.access import Access, Requester
from esante.services.ehds.portability.model import DURATIONS, MAX_LABEL, MAX_RECIPIENT, Choice
from esante.services.ehds.portability.service import PATH, Transfers
from esante.services.record import CATEGORIES

PLACE = "/portability"
_LINK = f"{PATH}/{{address}}"
_PAGE = 20
_HEADERS = {"Referrer-Policy": "no-referrer", "X-Robots-Tag": "noindex", "Cache-Control": "no-store"}


class PortabilityPages:
    """The pages of transfers."""

    def __init__(self, transfers: Transfers, access: Access) -> None:
        self._transfers, self._access = transfers, access

    def routes(self) -> list[Route]:
        """Return the pages."""
        return [
            Route(PLACE, self.show),
            Route(PLACE, self.prepare, methods=["POST"]),
            Route(f"{PLACE}/{{transfer_id:uuid}}/end", self.end, methods=["POST"]),
            Route(_LINK, self.ask),
            Route(_LINK, self.send, methods=["POST"]),
        ]

    # The person

    async def show(self, request: Request) -> Response:
        """Show the form for a copy, and the copies that there were."""
        return await self._form(request, await self._person(request))

    async def prepare(self, request: Request) -> Response:
        """Prepare a copy and show its link: it is shown in this response only."""
        requester = await self._person(request)
        form = await read_form(request)
        days, categories = str(form.get("days", "")), [str(one) for one in form.getlist("category")]
        part = form.get("part") == "part"
        choice = Choice(
            categories=tuple(sorted(set(categories))) if part else (),
            hidden=form.get("hidden") == "yes",
            language=language_of(request),
        )
        try:
            if part and not categories:
                raise Problem(400, "required", N_("Choose what is sent."), place="categories")
            number = int(days) if days.isascii() and days.isdigit() and len(days) < 4 else 0
            made = await self._transfers.prepare(requester, str(form.get("label", "")), number, choice)
        except Problem as problem:
            if problem.status not in (400, 403, 409):
                raise
            return await self._form(request, requester, form, problem)
        title = gettext_of(request)(N_("QR code of the link to the copy"))
        return await render(
            request, "ehds/portability_made.html", made=made, qr=link_qr(made.url, title), back=PLACE, headers=_HEADERS
        )

    async def end(self, request: Request) -> Response:
        """End the link to a copy."""
        requester = await self._person(request)
        await read_form(request)
        await self._transfers.end(requester, request.path_params["transfer_id"])
        return redirect(f"{PLACE}?saved=ended")

    async def _form(
        self, request: Request, requester: Requester, form: FormData | None = None, problem: Problem | None = None
    ) -> Response:
        start = decode_offset_cursor(request.query_params.get("cursor"))
        found = await self._transfers.transfers_of(requester, start, _PAGE + 1)
        values = {"label": "", "days": str(DURATIONS[1]), "part": "all", "hidden": ""}
        values |= {name: str(form.get(name, "")) for name in values} if form is not None else {}
        return await render(
            request,
            "ehds/portability.html",
            problem.status if problem else 200,
            problem=problem,
            values=values,
            chosen=[str(one) for one in form.getlist("category")] if form is not None else [],
            durations=DURATIONS,
            transfers=found[:_PAGE],
            next=encode_cursor(start + _PAGE) if len(found) > _PAGE else None,
            categories=CATEGORIES,
            max_label=MAX_LABEL,
            url=PLACE,
            saved=request.query_params.get("saved", ""),
        )

    async def _person(self, request: Request) -> Requester:
        return await self._access.page_requester(request, kinds=("patient",))

    # The recipient

    async def ask(self, request: Request) -> Response:
        """Show the form for the PIN: the same whether there is such a link or not."""
        return await _pin_form(request)

    async def send(self, request: Request) -> Response:
        """Take the name and the PIN, and send the copy; or show the form again."""
        form, address = await read_form(request), request.path_params["address"]
        recipient, pin = str(form.get("recipient", "")), "".join(str(form.get("pin", ""))[:20].split())
        try:
            opened = await self._transfers.open(address, recipient, pin, origin_of(request))
        except Problem as problem:
            if problem.status not in (400, 404, 503):
                raise
            return await _pin_form(request, problem, recipient)
        parts = self._transfers.stream(opened)
        headers = {**_HEADERS, "Content-Disposition": 'attachment; filename="health-record.zip"'}
        headers["X-Content-Type-Options"] = "nosniff"
        return StreamingResponse(
            parts, media_type="application/zip", headers=headers, background=BackgroundTask(parts.aclose)
        )


async def _pin_form(request: Request, problem: Problem | None = None, recipient: str = "") -> Response:
    return await render(
        request,
        "ehds/portability_open.html",
        problem.status if problem else 200,
        headers=_HEADERS,
        problem=problem,
        recipient=recipient,
        url=f"{PATH}/{request.path_params['address']}",
        max_recipient=MAX_RECIPIENT,
    )

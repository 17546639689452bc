"""The pages of operators about lots: everybody who got one, recalls."""

from urllib.parse import urlencode

from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from esante.core.time_zone import today
from esante.core.web import Problem, read_form, redirect, render
from esante.identity.access import Access
from esante.services.vaccination.pages.form_fields import read_day
from esante.services.vaccination.products.catalogue import catalogue
from esante.services.vaccination.recalls.service import Recalls

PLACE = "/operator/vaccine-lots"
_SHOWN_IN_FORM = (400, 409)
_FIELDS = ("product", "lot", "recalled_on", "reason", "source")


class LotPages:
    """What operators do with lots."""

    def __init__(self, recalls: Recalls, access: Access) -> None:
        self._recalls, self._access = recalls, access

    def routes(self) -> list[Route]:
        """Return the pages."""
        return [
            Route(PLACE, self.recalls),
            Route(PLACE, self.recall, methods=["POST"]),
            Route(f"{PLACE}/persons", self.persons),
            Route(f"{PLACE}/{{recall_id:uuid}}/lift", self.lift, methods=["POST"]),
        ]

    async def recalls(
        self, request: Request, form: FormData | None = None, problem: Problem | None = None
    ) -> Response:
        """Show the recalls, how far each is, and the form of a new one."""
        requester = await self._access.page_requester(request, ("operator",))
        query = request.query_params
        text = query.get("q", "").strip()[:40]
        values = {name: str((form or query).get(name, "")) for name in _FIELDS}
        return await render(
            request,
            "vaccination/recalls.html",
            problem.status if problem else 200,
            problem=problem,
            page=await self._recalls.page(requester, text, query.get("cursor") or None),
            text=text,
            values=values,
            products=_products(),
            catalogue=catalogue().products,
            today=today(),
            saved=query.get("saved", ""),
        )

    async def recall(self, request: Request) -> Response:
        """Save a recall."""
        requester = await self._access.page_requester(request, ("operator",))
        form = await read_form(request)
        product, lot, day, reason, source = (str(form.get(name, "")) for name in _FIELDS)
        try:
            await self._recalls.recall(requester, product, lot, read_day(day, "recalled_on"), reason, source)
        except Problem as problem:
            if problem.status not in _SHOWN_IN_FORM:
                raise
            return await self.recalls(request, form, problem)
        return redirect(f"{PLACE}?saved=recalled")

    async def lift(self, request: Request) -> Response:
        """Lift a recall."""
        requester = await self._access.page_requester(request, ("operator",))
        await read_form(request)
        await self._recalls.lift(requester, request.path_params["recall_id"])
        return redirect(f"{PLACE}?saved=lifted")

    async def persons(self, request: Request) -> Response:
        """Show everybody who got a lot."""
        requester = await self._access.page_requester(request, ("operator",))
        query = request.query_params
        lot, product = query.get("lot", "").strip()[:60], query.get("product", "")[:60]
        count, page, problem = 0, None, None
        try:
            if lot:
                count, page = await self._recalls.find_persons(requester, lot, product, query.get("cursor") or None)
        except Problem as found:
            if found.status not in _SHOWN_IN_FORM or found.place != "lot":
                raise
            problem = found
        return await render(
            request,
            "vaccination/lot.html",
            problem.status if problem else 200,
            problem=problem,
            lot=lot,
            product=product,
            count=count,
            found=page,
            products=_products(),
            catalogue=catalogue().products,
            recall_url=f"{PLACE}?{urlencode({'lot': lot, 'product': product})}#recall",
        )


def _products() -> list[tuple[str, str]]:
    """Return the products by name for a form."""
    return sorted(((key, one.name) for key, one in catalogue().products.items()), key=lambda one: one[1])

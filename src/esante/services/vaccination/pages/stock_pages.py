"""The pages of stock: of a site, to its professionals; of all sites, to operators."""

from collections.abc import Awaitable, Callable
from datetime import date
from typing import Any
from uuid import UUID

from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from esante.core.storage import uuid7
from esante.core.time_zone import today
from esante.core.web import N_, NOT_FOUND, Problem, bad_request, read_form, redirect, render
from esante.identity.access import Access, Requester
from esante.services.vaccination.pages.form_fields import read_day
from esante.services.vaccination.products.catalogue import catalogue
from esante.services.vaccination.stock.model import KIND_NAMES, LotAt
from esante.services.vaccination.stock.service import Stocks

OWN, ALL = "/vaccine-stock", "/operator/vaccine-stock"
_SHOWN_IN_FORM = (400, 409)
_MAX_WORDS = 60
ACTS = {
    "delivery": N_("Delivery"),
    "waste": N_("Throw away"),
    "transfer": N_("Send to another site"),
    "count": N_("Count"),
    "break": N_("Report a break of the cold chain"),
    "reorder": N_("Set when to order"),
}
"""What is entered (msgids)."""
_FIELDS = ("product", "lot", "quantity", "expires_on", "first_day", "last_day", "to", "note", "key")


class StockPages:
    """Stock in the portal."""

    def __init__(self, stocks: Stocks, access: Access) -> None:
        self._stocks, self._access = stocks, access
        self._acts: dict[str, Callable[[Requester, UUID, FormData], Awaitable[object]]] = {
            "delivery": self._receive,
            "waste": self._waste,
            "transfer": self._transfer,
            "count": self._count,
            "break": self._break,
            "reorder": self._reorder,
        }

    def routes(self) -> list[Route]:
        """Return the pages."""
        return [
            Route(OWN, self.own),
            Route(f"{OWN}/{{act}}", self.form),
            Route(f"{OWN}/{{act}}", self.save, methods=["POST"]),
            Route(ALL, self.everywhere),
            Route(f"{ALL}/breaks/{{break_id:uuid}}/clear", self.clear, methods=["POST"]),
        ]

    async def own(self, request: Request) -> Response:
        """Show a professional the stock of the site where they work."""
        requester = await self._access.page_requester(request, ("practitioner",))
        if requester.organization_id is None:
            return await render(request, "vaccination/stock.html", site=None, url=OWN)
        return await self._show(request, requester, requester.organization_id, OWN)

    async def everywhere(self, request: Request) -> Response:
        """Show operators the stock of all sites."""
        requester = await self._access.page_requester(request, ("operator",))
        return await self._show(request, requester, None, ALL)

    async def _show(self, request: Request, requester: Requester, site: UUID | None, url: str) -> Response:
        query = request.query_params
        shown, text, cursor = query.get("show", "lots"), query.get("q", "").strip()[:_MAX_WORDS], query.get("cursor")
        lists: dict[str, Callable[[], Awaitable[Any]]] = {
            "lots": lambda: self._stocks.levels(requester, site, text, cursor or None),
            "entries": lambda: self._stocks.entries(requester, site, cursor or None),
            "breaks": lambda: self._stocks.breaks(requester, site, cursor or None),
        }
        if shown not in lists:
            raise Problem(404, "not-found", NOT_FOUND)
        page = await lists[shown]()
        products = await self._stocks.products(requester, site)
        low = [one for one in products if one.is_low]
        ids = {one.place.organization_id for one in page.items} | {one.organization_id for one in low}
        return await render(
            request,
            "vaccination/stock.html",
            site=site or "all",
            url=url,
            page=page,
            shown=shown,
            text=text,
            low=low,
            sites=await self._stocks.sites(ids | ({site} if site else set())),
            marks=[(month, number, str(number)) for month, number in await self._stocks.used(requester, site)],
            today=today(),
            **_words(request),
        )

    async def form(self, request: Request, values: FormData | None = None, problem: Problem | None = None) -> Response:
        """Show the form of an act."""
        requester, act = await self._requester(request), request.path_params["act"]
        kept = values or request.query_params
        sites = await self._stocks.sites({requester.organization_id} if requester.organization_id else set())
        return await render(
            request,
            "vaccination/stock_form.html",
            problem.status if problem else 200,
            problem=problem,
            act=act,
            site=next(iter(sites.values()), None),
            values={name: str(kept.get(name, ""))[:300] for name in _FIELDS} | {"key": str(kept.get("key", uuid7()))},
            products=sorted(((key, one.name) for key, one in catalogue().products.items()), key=lambda one: one[1]),
            today=today(),
            **_words(request),
        )

    async def save(self, request: Request) -> Response:
        """Save an act."""
        requester, act = await self._requester(request), request.path_params["act"]
        form = await read_form(request)
        try:
            await self._acts[act](requester, requester.organization_id or uuid7(), form)
        except Problem as problem:
            if problem.status not in _SHOWN_IN_FORM:
                raise
            return await self.form(request, form, problem)
        return redirect(f"{OWN}?saved={act}")

    async def clear(self, request: Request) -> Response:
        """Clear a break of the cold chain."""
        requester = await self._access.page_requester(request, ("operator",))
        await read_form(request)
        await self._stocks.clear_break(requester, request.path_params["break_id"])
        return redirect(f"{ALL}?show=breaks&saved=clear")

    async def _requester(self, request: Request) -> Requester:
        requester = await self._access.page_requester(request, ("practitioner",))
        if requester.organization_id is None or request.path_params["act"] not in ACTS:
            raise Problem(404, "not-found", NOT_FOUND)
        return requester

    async def _receive(self, requester: Requester, site: UUID, form: FormData) -> None:
        expires_on = _day(form, "expires_on")
        await self._stocks.receive(
            requester, _place(site, form), _number(form), expires_on, _key(form), _text(form, "note")
        )

    async def _waste(self, requester: Requester, site: UUID, form: FormData) -> None:
        await self._stocks.waste(requester, _place(site, form), _number(form), _key(form), _text(form, "note"))

    async def _transfer(self, requester: Requester, site: UUID, form: FormData) -> None:
        to = await self._stocks.find_site(_text(form, "to"))
        place, note = _place(site, form), _text(form, "note")
        await self._stocks.transfer(requester, place, to, _number(form), _key(form), note)

    async def _count(self, requester: Requester, site: UUID, form: FormData) -> None:
        await self._stocks.count(requester, _place(site, form), _number(form), _key(form), _text(form, "note"))

    async def _break(self, requester: Requester, site: UUID, form: FormData) -> None:
        days = _day(form, "first_day"), _day(form, "last_day")
        await self._stocks.report_break(requester, _place(site, form), *days, _text(form, "note"))

    async def _reorder(self, requester: Requester, site: UUID, form: FormData) -> None:
        await self._stocks.set_reorder(requester, site, _text(form, "product"), _number(form))


def _words(request: Request) -> dict[str, Any]:
    saved = request.query_params.get("saved", "")
    return {"catalogue": catalogue().products, "kinds": KIND_NAMES, "acts": ACTS, "saved": saved}


def _text(form: FormData, name: str) -> str:
    return str(form.get(name, ""))


def _day(form: FormData, name: str) -> date | None:
    return read_day(_text(form, name), name)


def _place(site: UUID, form: FormData) -> LotAt:
    return LotAt(site, _text(form, "product"), _text(form, "lot"))


def _number(form: FormData) -> int:
    """Return the number of doses in a form. Raises: `Problem` 400 for another text."""
    text = _text(form, "quantity").strip()
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise bad_request("quantity", N_("This is not a number of doses."), code="value")
    return int(text)


def _key(form: FormData) -> UUID:
    """Return the key of a form. Raises: `Problem` 400 for another text."""
    try:
        return UUID(_text(form, "key"))
    except ValueError as error:
        raise bad_request("key", N_("Open the form again."), code="value") from error

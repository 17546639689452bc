"""The pages of owners: their places, and the request for a connection."""

from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from esante.core.web import Problem, read_form, redirect, render
from esante.identity.access import Access
from esante.identity.directory import Address
from esante.services.healthnet.pages.page_words import OWN, shown, text_of, values_of, words
from esante.services.healthnet.sites.model import Contact, SiteRequest
from esante.services.healthnet.sites.service import Sites
from esante.services.healthnet.sites.service_classes import service_classes


class OwnPages:
    """What an owner sees first, and the form that asks for a connection."""

    def __init__(self, sites: Sites, access: Access) -> None:
        self._sites, self._access = sites, access

    def routes(self) -> list[Route]:
        """Return the pages."""
        return [
            Route(OWN, self.places),
            Route(f"{OWN}/request", self.form),
            Route(f"{OWN}/request", self.request, methods=["POST"]),
        ]

    async def places(self, request: Request) -> Response:
        """List the places of the provider."""
        requester = await self._access.page_requester(request, ("practitioner",))
        codes, page = await self._sites.own(requester, request.query_params.get("cursor") or None)
        return await render(request, "healthnet/places.html", codes=codes, page=page, **words(request, requester))

    async def form(self, request: Request, problem: Problem | None = None, form: FormData | None = None) -> Response:
        """Show the form of a request."""
        requester = await self._access.page_requester(request, ("practitioner",))
        codes, _ = await self._sites.own(requester, None)
        return await render(
            request,
            "healthnet/request.html",
            problem.status if problem else 200,
            problem=problem,
            values=values_of(form),
            codes=codes,
            classes=service_classes(),
            **words(request, requester),
        )

    async def request(self, request: Request) -> Response:
        """Ask for a connection."""
        requester = await self._access.page_requester(request, ("practitioner",))
        form = await read_form(request)
        asked = SiteRequest(
            provider_code=text_of(form, "provider_code"),
            label=text_of(form, "label"),
            address=Address(text_of(form, "line"), text_of(form, "postal_code"), text_of(form, "city")),
            service_class=text_of(form, "service_class"),
            contact=Contact(name=text_of(form, "contact"), phone=text_of(form, "phone"), email=text_of(form, "email")),
        )
        try:
            site = await self._sites.request(requester, asked)
        except Problem as problem:
            return await self.form(request, problem if problem.status == 404 else shown(problem), form)
        return redirect(f"{OWN}/sites/{site.site_id}?saved=request")

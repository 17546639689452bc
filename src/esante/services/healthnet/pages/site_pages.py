"""The page of a site, for its owner and for operators: state, measures, what it reaches, contract; acts on it."""

from typing import Any
from uuid import UUID

from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from esante.core import clock
from esante.core.web import N_, NOT_FOUND, Problem, language_of, read_form, redirect, render
from esante.identity.access import Access, Requester
from esante.services.healthnet.certificates.service import Certificates
from esante.services.healthnet.contracts.report import lines, percent, show_outage, to_csv, to_json, to_pdf
from esante.services.healthnet.contracts.service import Contracts, parse_month
from esante.services.healthnet.controller.connections import TOKEN_VALIDITY, Connections
from esante.services.healthnet.controller.model import ControlRefused
from esante.services.healthnet.pages.page_words import OPERATOR, OWN, marks_of, shown, text_of, values_of, words
from esante.services.healthnet.sites.model import Contact, NetworkSite, SiteState
from esante.services.healthnet.sites.rules import ALLOWED
from esante.services.healthnet.sites.service import Sites
from esante.services.healthnet.sites.service_classes import service_classes
from esante.services.healthnet.supervision.history import SPANS, History
from esante.services.healthnet.supervision.policy_view import PolicyView, services_in_quarantine
from esante.services.healthnet.supervision.works import PlannedWorks

_PARTS = ("state", "figures", "reach", "contract")
_FILES = {"csv": "text/csv; charset=utf-8", "json": "application/json", "pdf": "application/pdf"}


class SitePages:
    """The pages of one site."""

    def __init__(
        self,
        sites: Sites,
        connections: Connections,
        certificates: Certificates,
        history: History,
        policies: PolicyView,
        contracts: Contracts,
        works: PlannedWorks,
        access: Access,
        base_url: str,
    ) -> None:
        self._sites, self._connections, self._certificates = sites, connections, certificates
        self._history, self._policies, self._contracts = history, policies, contracts
        self._works, self._access, self._base_url = works, access, base_url

    def routes(self) -> list[Route]:
        """Return the pages."""
        found = []
        for place in (OPERATOR, OWN):
            site = f"{place}/sites/{{site_id:uuid}}"
            found += [
                Route(site, self.site),
                Route(f"{site}/token", self.token, methods=["POST"]),
                Route(f"{site}/change", self.change, methods=["POST"]),
                Route(f"{site}/end", self.end, methods=["POST"]),
                Route(f"{site}/sla/{{month}}.{{form}}", self.report),
            ]
        return [*found, Route(f"{OPERATOR}/sites/{{site_id:uuid}}/suspend", self.suspend, methods=["POST"])]

    async def site(
        self,
        request: Request,
        problem: Problem | None = None,
        form: FormData | None = None,
        token: str = "",
    ) -> Response:
        """Show a part of a site."""
        requester, site = await self._of(request)
        part = request.query_params.get("show", "state")
        if part not in _PARTS:
            raise Problem(404, "not-found", NOT_FOUND)
        gather = {"state": self._state, "figures": self._figures, "reach": self._reach, "contract": self._contract}
        context = await gather[part](request, site)
        return await render(
            request,
            "healthnet/site.html",
            problem.status if problem else 200,
            headers={"Cache-Control": "no-store"} if token else None,
            problem=problem,
            values=values_of(form),
            token=token,
            token_days=TOKEN_VALIDITY.days,
            controller=self._base_url,
            site=site,
            part=part,
            classes=service_classes(),
            allowed={act for act, states in ALLOWED.items() if site.state in states},
            **context,
            **words(request, requester),
        )

    async def _state(self, request: Request, site: NetworkSite) -> dict[str, Any]:
        """Return the progress of a site, its last heartbeat, anomalies, and what quarantine leaves."""
        last = await self._history.last(site.key)
        _, decider = await self._policies.decider()
        now = clock.now()
        return {
            "last": last,
            "is_heard": last is not None and (now - last.at).total_seconds() < 180,
            "anomalies": (await self._history.anomalies(site.key)).items,
            "newest_release": await self._history.newest_release(),
            "kept_services": services_in_quarantine(decider.policy),
            "works": await self._works.between(now, now.replace(year=now.year + 1), site.key),
            "stage": _stage(site, last is not None),
        }

    async def _figures(self, request: Request, site: NetworkSite) -> dict[str, Any]:
        """Return the measures of a site or of one of its paths, and the paths."""
        query = request.query_params
        span, other = query.get("span", "day"), query.get("path", "")[:20]
        if span not in SPANS:
            raise Problem(404, "not-found", NOT_FOUND)
        measures = await self._history.measures(site.key, span, other)
        return {
            "span": span,
            "other": other,
            "measured": bool(measures),
            "marks": marks_of(measures, span, language_of(request)),
            "paths": await self._history.paths(site.key, query.get("cursor") or None),
        }

    async def _reach(self, request: Request, site: NetworkSite) -> dict[str, Any]:
        """Return what a site reaches and who reaches it, with the reasons."""
        version, decider = await self._policies.decider()
        return {
            "policy": decider.policy,
            "policy_version": version,
            "outward": await self._policies.reaches(site),
            "inward": await self._policies.reaches(site, inward=True),
        }

    async def _contract(self, request: Request, site: NetworkSite) -> dict[str, Any]:
        """Return the contracts of a site, and what was delivered in a month."""
        months, language = await self._contracts.months(site.key), language_of(request)
        wanted = request.query_params.get("month", "")
        month = parse_month(wanted) if wanted else (months[0] if months else None)
        delivered = await self._contracts.delivered(site.key, month) if month else []
        availability = []
        for one in reversed(months[:12]):
            shares = [found.availability for found in await self._contracts.delivered(site.key, one)]
            share = min((value for value in shares if value is not None), default=None)
            availability.append((one, float(share or 0), "–" if share is None else percent(share, language)))
        return {
            "contracts": await self._contracts.of_site(site.key),
            "offered": service_classes()[site.service_class],
            "months": months,
            "month": month,
            "delivered": [(one, lines(one, language)) for one in delivered],
            "outages": [
                show_outage(span.begins_at, span.ends_at, language) for one in delivered for span in one.outages
            ],
            "availability": availability,
        }

    async def token(self, request: Request) -> Response:
        """Make a token of enrolment, and show it this once."""
        requester, site = await self._of(request)
        form = await read_form(request)
        try:
            if site.state not in ALLOWED["connect"]:
                raise Problem(409, "conflict", N_("This is not possible in the present state of the site."))
            token = await self._connections.issue_token(site.key, requester.actor)
        except ControlRefused as error:
            remedy = N_("The network takes over approved sites within seconds. Try again in a moment.")
            waits = Problem(409, "conflict", N_("The network does not know the site yet."), remedy=remedy)
            return await self.site(request, waits if error.status in (404, 409) else None, form)
        except Problem as problem:
            return await self.site(request, shown(problem), form)
        return await self.site(request, token=token)

    async def change(self, request: Request) -> Response:
        """Change the contact or the class of service of a site."""
        requester, site = await self._of(request)
        form = await read_form(request)
        part = "contract" if "service_class" in form else "state"
        try:
            if part == "contract":
                await self._sites.change(requester, site.site_id, service_class=text_of(form, "service_class"))
            else:
                contact = Contact(**{name: text_of(form, name) for name in ("name", "phone", "email")})
                await self._sites.change(requester, site.site_id, contact=contact)
        except Problem as problem:
            return await self.site(request, shown(problem), form)
        return redirect(f"{_place(request)}/sites/{site.site_id}?show={part}&saved=change")

    async def suspend(self, request: Request) -> Response:
        """Take a site off the network, or bring it back."""
        requester, site = await self._of(request)
        form = await read_form(request)
        act = self._sites.resume if site.state is SiteState.SUSPENDED else self._sites.suspend
        try:
            await act(requester, site.site_id, text_of(form, "reason"))
        except Problem as problem:
            return await self.site(request, shown(problem), form)
        return redirect(f"{_place(request)}/sites/{site.site_id}?saved=suspend")

    async def end(self, request: Request) -> Response:
        """End the connection of a site for good."""
        requester, site = await self._of(request)
        form = await read_form(request)
        try:
            await self._sites.end(requester, site.site_id, text_of(form, "reason"))
        except Problem as problem:
            return await self.site(request, shown(problem), form)
        return redirect(f"{_place(request)}/sites/{site.site_id}?saved=end")

    async def report(self, request: Request) -> Response:
        """Return the report of a month as a file."""
        _, site = await self._of(request)
        month, form = parse_month(request.path_params["month"]), request.path_params["form"]
        found = await self._contracts.delivered(site.key, month)
        if form not in _FILES or not found:
            raise Problem(404, "not-found", NOT_FOUND)
        if form == "pdf":
            title = f"{site.key} · {site.name}, {site.label}"
            content: str | bytes = to_pdf(found, title, month, language_of(request), clock.now())
        else:
            content = to_csv(found) if form == "csv" else to_json(found)
        name = f"sla-{site.key}-{month:%Y-%m}.{form}"
        headers = {"Content-Disposition": f'attachment; filename="{name}"'}
        return Response(content, media_type=_FILES[form], headers=headers)

    async def _of(self, request: Request) -> tuple[Requester, NetworkSite]:
        """Return who looks and the site. Raises: Problem 303, 404 for a site of others."""
        kind = "operator" if _place(request) == OPERATOR else "practitioner"
        requester = await self._access.page_requester(request, (kind,))
        site_id: UUID = request.path_params["site_id"]
        return requester, await self._sites.find(requester, site_id)


def _place(request: Request) -> str:
    return OPERATOR if request.url.path.startswith(OPERATOR) else OWN


def _stage(site: NetworkSite, is_heard: bool) -> int:
    """Return how many of the four steps are done: asked, approved, enrolled, heard."""
    if site.state in (SiteState.REQUESTED, SiteState.REFUSED):
        return 1
    if not site.wireguard_key:
        return 2
    return 4 if is_heard else 3

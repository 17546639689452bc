"""The pages of operators: overview with map, requests, sites, anomalies, quarantine."""

from typing import Any
from uuid import UUID

from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from esante.core.storage import parse_uuid
from esante.core.time_zone import today
from esante.core.web import N_, NOT_FOUND, Problem, bad_request, language_of, read_form, redirect, render
from esante.identity.access import Access
from esante.services.healthnet.pages.network_map import tiles_of
from esante.services.healthnet.pages.page_words import MAX_WORDS, OPERATOR, marks_of, shown, text_of, values_of, words
from esante.services.healthnet.sites.model import SiteState
from esante.services.healthnet.sites.service import Sites
from esante.services.healthnet.supervision.history import SPANS, History
from esante.services.healthnet.supervision.policy_view import PolicyView, services_in_quarantine
from esante.services.healthnet.supervision.soc.quarantine_requests import QuarantineRequests
from esante.services.healthnet.supervision.terms import terms_on

_OPERATOR = ("operator",)
_ANOMALIES = {"open": True, "ended": False}


class OperatorPages:
    """What operators of the network see and do, single sites and policies aside."""

    def __init__(
        self, sites: Sites, history: History, policies: PolicyView, requests: QuarantineRequests, access: Access
    ) -> None:
        self._sites, self._history, self._policies = sites, history, policies
        self._requests, self._access = requests, access

    def routes(self) -> list[Route]:
        """Return the pages."""
        quarantine = f"{OPERATOR}/sites/{{site_id:uuid}}/quarantine"
        return [
            Route(OPERATOR, self.overview),
            Route(f"{OPERATOR}/requests", self.requests),
            Route(f"{OPERATOR}/requests/{{site_id:uuid}}", self.decide, methods=["POST"]),
            Route(f"{OPERATOR}/sites", self.sites),
            Route(f"{OPERATOR}/anomalies", self.anomalies),
            Route(quarantine, self.quarantine),
            Route(quarantine, self.put_into_quarantine, methods=["POST"]),
            Route(f"{OPERATOR}/quarantine/refuse", self.refuse_quarantine, methods=["POST"]),
        ]

    async def overview(self, request: Request) -> Response:
        """Show the network at a glance."""
        requester = await self._access.page_requester(request, _OPERATOR)
        span = request.query_params.get("span", "day")
        if span not in SPANS:
            raise Problem(404, "not-found", NOT_FOUND)
        live, anomalies = await self._sites.live(), await self._history.open_anomalies()
        quarantined = {one.key for one in live if one.is_quarantined}
        silent = {one.site for one in anomalies if one.rule == "silent"}
        troubled = quarantined | {one.site for one in anomalies if one.level >= 2}
        measures = await self._history.measures("", span)
        return await render(
            request,
            "healthnet/overview.html",
            counts=await self._sites.counts(),
            heard=await self._history.seen(),
            silent=silent,
            anomalies=anomalies[::-1],
            asked_for=await self._requests.waiting(requester),
            names={one.key: one for one in live},
            tiles=tiles_of(live, troubled),
            span=span,
            marks=marks_of(measures, span, language_of(request)),
            **words(request, requester),
        )

    async def requests(
        self, request: Request, problem: Problem | None = None, form: FormData | None = None
    ) -> Response:
        """List the requests for connections that wait."""
        requester, query = await self._access.page_requester(request, _OPERATOR), request.query_params
        text = query.get("q", "").strip()[:MAX_WORDS]
        page = await self._sites.page(requester, text, SiteState.REQUESTED.value, query.get("cursor") or None)
        return await render(
            request,
            "healthnet/requests.html",
            problem.status if problem else 200,
            problem=problem,
            failed=request.path_params.get("site_id"),
            values=values_of(form),
            page=page,
            text=text,
            **words(request, requester),
        )

    async def decide(self, request: Request) -> Response:
        """Approve or refuse a request."""
        requester, form = await self._access.page_requester(request, _OPERATOR), await read_form(request)
        site_id: UUID = request.path_params["site_id"]
        approved = text_of(form, "decision") == "approve"
        try:
            await self._sites.decide(requester, site_id, approved=approved, reason=text_of(form, "reason"))
        except Problem as problem:
            return await self.requests(request, shown(problem), form)
        return redirect(f"{OPERATOR}/requests?saved={'approve' if approved else 'refuse'}")

    async def sites(self, request: Request) -> Response:
        """List sites."""
        requester, query = await self._access.page_requester(request, _OPERATOR), request.query_params
        text, state = query.get("q", "").strip()[:MAX_WORDS], query.get("state", "")
        if state not in ("", *SiteState):
            raise Problem(404, "not-found", NOT_FOUND)
        page = await self._sites.page(requester, text, state, query.get("cursor") or None)
        troubles: dict[str, list[Any]] = {}
        for one in await self._history.open_anomalies():
            troubles.setdefault(one.site, []).append(one)
        return await render(
            request,
            "healthnet/sites.html",
            page=page,
            text=text,
            state=state,
            states=[*SiteState],
            heard=await self._history.seen(),
            troubles=troubles,
            **words(request, requester),
        )

    async def anomalies(self, request: Request) -> Response:
        """List anomalies, those that last or those that ended, and the rules by which they are raised."""
        requester, query = await self._access.page_requester(request, _OPERATOR), request.query_params
        show, rule, text = query.get("show", "open"), query.get("rule", ""), query.get("q", "").strip()[:MAX_WORDS]
        terms = terms_on(today())
        if show not in _ANOMALIES or rule not in ("", *(one.key for one in terms.rules)):
            raise Problem(404, "not-found", NOT_FOUND)
        page = await self._history.anomalies(
            text=text, rule=rule, cursor=query.get("cursor") or None, is_open=_ANOMALIES[show]
        )
        return await render(
            request,
            "healthnet/anomalies.html",
            page=page,
            show=show,
            rule=rule,
            text=text,
            terms=terms,
            sites={one.key: one for one in await self._sites.live()},
            **words(request, requester),
        )

    async def quarantine(
        self, request: Request, problem: Problem | None = None, reason: str = "", *, is_second: bool = False
    ) -> Response:
        """Say what the quarantine of a site means, or that of its end, and ask for the reason."""
        requester = await self._access.page_requester(request, _OPERATOR)
        site = await self._sites.find(requester, request.path_params["site_id"])
        _, decider = await self._policies.decider()
        outward = await self._policies.reaches(site)
        return await render(
            request,
            "healthnet/quarantine.html",
            problem.status if problem else 200,
            problem=problem,
            site=site,
            is_second=is_second,
            reason=reason,
            asked_for=await self._requests.waiting(requester, site.key),
            ending=[one for one in outward if not one.in_quarantine],
            kept=[one for one in outward if one.in_quarantine],
            kept_services=services_in_quarantine(decider.policy),
            **words(request, requester),
        )

    async def put_into_quarantine(self, request: Request) -> Response:
        """Ask once more, and then put a site into quarantine, or out of it."""
        requester, form = await self._access.page_requester(request, _OPERATOR), await read_form(request)
        site = await self._sites.find(requester, request.path_params["site_id"])
        reason = text_of(form, "reason").strip()
        try:
            if len(reason) < 10:
                raise bad_request("reason", N_("Give a reason of ten characters or more."), code="value")
            if text_of(form, "confirmed") != "yes":
                return await self.quarantine(request, reason=reason, is_second=True)
            if site.is_quarantined:
                await self._sites.quarantine(requester, site.site_id, reason, quarantined=False)
            else:
                await self._requests.follow(requester, site.site_id, reason)
        except Problem as problem:
            return await self.quarantine(request, shown(problem), reason)
        return redirect(f"{OPERATOR}/sites/{site.site_id}?saved=quarantine")

    async def refuse_quarantine(self, request: Request) -> Response:
        """Refuse a quarantine that somebody else asks for."""
        requester, form = await self._access.page_requester(request, _OPERATOR), await read_form(request)
        try:
            request_id = parse_uuid(text_of(form, "request"))
        except ValueError as error:
            raise Problem(404, "not-found", NOT_FOUND) from error
        await self._requests.refuse(requester, request_id, text_of(form, "site"))
        return redirect(f"{OPERATOR}?saved=refuse")

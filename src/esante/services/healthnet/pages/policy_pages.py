"""The pages of operators about the whole network: policy, roll-outs, planned works, what was delivered."""

from datetime import datetime

from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from esante.core import clock
from esante.core.storage import parse_uuid
from esante.core.time_zone import time_zone, today
from esante.core.web import (
    N_,
    NOT_FOUND,
    Page,
    Problem,
    bad_request,
    decode_cursor,
    encode_cursor,
    read_form,
    redirect,
    render,
)
from esante.identity.access import Access, require_operator
from esante.services.healthnet.contracts.model import Delivered
from esante.services.healthnet.contracts.report import to_csv, to_json
from esante.services.healthnet.contracts.service import Contracts, month_before, parse_month
from esante.services.healthnet.contracts.terms import sla_terms_on
from esante.services.healthnet.controller.model import ControlRefused
from esante.services.healthnet.controller.rollout.rollouts import Rollouts
from esante.services.healthnet.pages.page_words import MAX_WORDS, OPERATOR, shown, text_of, values_of, words
from esante.services.healthnet.policy.faults import Fault, PolicyError
from esante.services.healthnet.policy.model import Decision
from esante.services.healthnet.supervision.policy_view import PolicyView
from esante.services.healthnet.supervision.works import PlannedWorks

_OPERATOR = ("operator",)
_SITES_A_PAGE = 20
_LONGEST_POLICY = 200_000


class PolicyPages:
    """Policy, roll-outs, works, and the delivered availability of all sites."""

    def __init__(
        self,
        policies: PolicyView,
        rollouts: Rollouts,
        works: PlannedWorks,
        contracts: Contracts,
        access: Access,
    ) -> None:
        self._policies, self._rollouts, self._works = policies, rollouts, works
        self._contracts, self._access = contracts, access

    def routes(self) -> list[Route]:
        """Return the pages."""
        return [
            Route(f"{OPERATOR}/policy", self.policy),
            Route(f"{OPERATOR}/policy", self.release, methods=["POST"]),
            Route(f"{OPERATOR}/rollouts", self.rollouts),
            Route(f"{OPERATOR}/rollouts/stop", self.stop, methods=["POST"]),
            Route(f"{OPERATOR}/rollouts/back", self.roll_back, methods=["POST"]),
            Route(f"{OPERATOR}/works", self.works),
            Route(f"{OPERATOR}/works", self.announce, methods=["POST"]),
            Route(f"{OPERATOR}/works/withdraw", self.withdraw, methods=["POST"]),
            Route(f"{OPERATOR}/sla", self.delivered),
            Route(f"{OPERATOR}/sla/{{month}}.{{form}}", self.report),
        ]

    async def policy(
        self,
        request: Request,
        problem: Problem | None = None,
        form: FormData | None = None,
        faults: tuple[Fault, ...] = (),
    ) -> Response:
        """Show the policy in force, and answer whether a site reaches another one."""
        requester, query = await self._access.page_requester(request, _OPERATOR), request.query_params
        source, target, service = (query.get(name, "").strip()[:MAX_WORDS] for name in ("from", "to", "service"))
        version, decider = await self._policies.decider()
        answer: Decision | None = None
        asked: Problem | None = None
        if source and target:
            try:
                answer = await self._policies.reach(source, target, service)
            except Problem as error:
                asked = shown(error)
        return await render(
            request,
            "healthnet/policy.html",
            problem.status if problem else asked.status if asked else 200,
            problem=problem,
            asked=asked,
            answer=answer,
            source=source,
            target=target,
            service=service,
            version=version,
            policy=decider.policy,
            text=await self._policies.text(),
            values=values_of(form),
            faults=faults,
            **words(request, requester),
        )

    async def release(self, request: Request) -> Response:
        """Check a policy, and roll it out in stages."""
        requester, form = await self._access.page_requester(request, _OPERATOR), await read_form(request)
        require_operator(requester)
        text = text_of(form, "policy").replace("\r\n", "\n")
        try:
            if not text.strip() or len(text) > _LONGEST_POLICY:
                raise bad_request("policy", N_("Write a policy, or paste its file."), code="value")
            canary = text_of(form, "canary").upper().replace(",", " ").split()
            await self._rollouts.begin(text, canary, actor=requester.actor)
        except PolicyError as error:
            wrong = Problem(400, "value", N_("This policy is refused. Nothing was changed."))
            return await self.policy(request, wrong, form, tuple(error.faults))
        except ControlRefused as error:
            return await self.policy(request, _refused(error), form)
        except Problem as problem:
            return await self.policy(request, shown(problem), form)
        return redirect(f"{OPERATOR}/rollouts?saved=release")

    async def rollouts(self, request: Request, problem: Problem | None = None) -> Response:
        """List roll-outs with their stages."""
        requester = await self._access.page_requester(request, _OPERATOR)
        return await render(
            request,
            "healthnet/rollouts.html",
            problem.status if problem else 200,
            problem=problem,
            page=await self._policies.rollouts(request.query_params.get("cursor") or None),
            version=(await self._policies.decider())[0],
            **words(request, requester),
        )

    async def stop(self, request: Request) -> Response:
        """Undo the roll-out that runs."""
        requester, form = await self._access.page_requester(request, _OPERATOR), await read_form(request)
        try:
            reason = text_of(form, "reason").strip()[:300]
            if len(reason) < 10:
                raise bad_request("reason", N_("Give a reason of ten characters or more."), code="value")
            await self._rollouts.stop(reason, requester.actor)
        except ControlRefused as error:
            return await self.rollouts(request, _refused(error))
        except Problem as problem:
            return await self.rollouts(request, shown(problem))
        return redirect(f"{OPERATOR}/rollouts?saved=stop")

    async def roll_back(self, request: Request) -> Response:
        """Roll out the policy of before a roll-out that has ended."""
        requester, form = await self._access.page_requester(request, _OPERATOR), await read_form(request)
        version = text_of(form, "version")
        try:
            if not (version.isascii() and version.isdigit() and len(version) < 9):
                raise Problem(404, "not-found", NOT_FOUND)
            await self._rollouts.begin(await self._policies.text_of(int(version)), actor=requester.actor)
        except PolicyError:
            wrong = Problem(409, "conflict", N_("The policy of before does not suit the sites of today."))
            return await self.rollouts(request, wrong)
        except ControlRefused as error:
            return await self.rollouts(request, _refused(error))
        return redirect(f"{OPERATOR}/rollouts?saved=release")

    async def works(self, request: Request, problem: Problem | None = None, form: FormData | None = None) -> Response:
        """List planned works, and show the form that announces them."""
        requester = await self._access.page_requester(request, _OPERATOR)
        now = clock.now()
        found = await self._works.between(now.replace(year=now.year - 1), now.replace(year=now.year + 2))
        return await render(
            request,
            "healthnet/works.html",
            problem.status if problem else 200,
            problem=problem,
            values=values_of(form),
            works=found[::-1][:100],
            notice=sla_terms_on(today()).notice,
            **words(request, requester),
        )

    async def announce(self, request: Request) -> Response:
        """Announce works."""
        requester, form = await self._access.page_requester(request, _OPERATOR), await read_form(request)
        try:
            begins_at, ends_at = _moment(form, "begins_at"), _moment(form, "ends_at")
            site = text_of(form, "site").strip().upper()[:20]
            await self._works.announce(requester, site, begins_at, ends_at, text_of(form, "reason"))
        except Problem as problem:
            return await self.works(request, shown(problem), form)
        return redirect(f"{OPERATOR}/works?saved=announce")

    async def withdraw(self, request: Request) -> Response:
        """Withdraw works."""
        requester, form = await self._access.page_requester(request, _OPERATOR), await read_form(request)
        try:
            work_id = parse_uuid(text_of(form, "work"))
        except ValueError as error:
            raise Problem(404, "not-found", NOT_FOUND) from error
        await self._works.withdraw(requester, work_id)
        return redirect(f"{OPERATOR}/works?saved=withdraw")

    async def delivered(self, request: Request) -> Response:
        """Show what was delivered to all sites in a month."""
        requester, query = await self._access.page_requester(request, _OPERATOR), request.query_params
        wanted = query.get("month", "")
        month = parse_month(wanted) if wanted else today().replace(day=1)
        text, cursor = query.get("q", "").strip()[:MAX_WORDS], query.get("cursor")
        after = decode_cursor(cursor, str)[0] if cursor else ""
        found = await self._contracts.of_month(month, text, after, _SITES_A_PAGE + 1)
        months = [today().replace(day=1)]
        while len(months) < 12:
            months.append(month_before(months[-1]))
        return await render(
            request,
            "healthnet/sla.html",
            page=_page(found),
            month=month,
            months=months,
            text=text,
            terms=sla_terms_on(month),
            **words(request, requester),
        )

    async def report(self, request: Request) -> Response:
        """Return what was delivered to all sites in a month as a file."""
        await self._access.page_requester(request, _OPERATOR)
        month, form = parse_month(request.path_params["month"]), request.path_params["form"]
        if form not in ("csv", "json"):
            raise Problem(404, "not-found", NOT_FOUND)
        found = await self._contracts.of_month(month, "", "", None)
        content: str | bytes = to_csv(found) if form == "csv" else to_json(found)
        name = f"sla-{month:%Y-%m}.{form}"
        media_type = "text/csv; charset=utf-8" if form == "csv" else "application/json"
        headers = {"Content-Disposition": f'attachment; filename="{name}"'}
        return Response(content, media_type=media_type, headers=headers)


def _page(found: list[Delivered]) -> Page[Delivered]:
    """Return a page that ends with all contracts of its last site."""
    if len(found) <= _SITES_A_PAGE:
        return Page(found, None)
    last = found[_SITES_A_PAGE].contract.site
    shown_ones = [one for one in found[:_SITES_A_PAGE] if one.contract.site != last]
    return Page(shown_ones, encode_cursor(shown_ones[-1].contract.site)) if shown_ones else Page(found, None)


def _moment(form: FormData, name: str) -> datetime:
    """Return a field of a form as a moment of the country's time. Raises: Problem 400."""
    try:
        found = datetime.fromisoformat(text_of(form, name))
    except ValueError as error:
        raise bad_request(name, N_("Choose day and time."), code="value") from error
    return found if found.tzinfo else found.replace(tzinfo=time_zone())


def _refused(error: ControlRefused) -> Problem:
    """Return the refusal of the controller as a problem; its words are those of a technician."""
    return Problem(409, "conflict", N_("The controller refuses this."), detail=str(error))

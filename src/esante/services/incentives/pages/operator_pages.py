"""The pages of operators: quarters with their decisions, what is unusual, claims, appeals, budgets."""

from typing import Any

from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from esante.core.time_zone import today
from esante.core.web import NOT_FOUND, Problem, read_form, redirect, render
from esante.identity.access import Access
from esante.services.incentives.appeals.model import OUTCOMES
from esante.services.incentives.appeals.service import Appeals
from esante.services.incentives.budget.service import Budgets
from esante.services.incentives.claims.service import Claims
from esante.services.incentives.decisions.model import SIGNAL_NAMES
from esante.services.incentives.decisions.service import Decisions
from esante.services.incentives.pages.page_words import PageWords, marks_of, shown
from esante.services.incentives.payments.service import Payments
from esante.services.incentives.schemes.quarter import Quarter

PLACE = "/operator/incentives"
_OPERATOR = ("operator",)
_MAX_WORDS = 60
_STATES = ("", "open", "accepted", "refused")
_PARTS = ("lines", "orders", "signals")


class OperatorPages:
    """What operators see and do, payments aside."""

    def __init__(
        self,
        decisions: Decisions,
        claims: Claims,
        appeals: Appeals,
        budgets: Budgets,
        payments: Payments,
        access: Access,
        words: PageWords,
    ) -> None:
        self._decisions, self._claims, self._appeals, self._budgets = decisions, claims, appeals, budgets
        self._payments, self._access, self._words = payments, access, words

    def routes(self) -> list[Route]:
        """Return the pages."""
        quarter = f"{PLACE}/quarters/{{quarter}}"
        return [
            Route(PLACE, self.quarters),
            Route(f"{PLACE}/quarters", self.ask, methods=["POST"]),
            Route(quarter, self.quarter),
            Route(f"{quarter}/confirm", self.confirm, methods=["POST"]),
            Route(f"{PLACE}/signals/{{signal_id:uuid}}", self.decide_signal, methods=["POST"]),
            Route(f"{PLACE}/claims", self.claims),
            Route(f"{PLACE}/appeals", self.appeals),
            Route(f"{PLACE}/appeals/{{appeal_id:uuid}}", self.answer, methods=["POST"]),
            Route(f"{PLACE}/budgets", self.budgets),
        ]

    async def quarters(self, request: Request, problem: Problem | None = None) -> Response:
        """List the decided quarters, and show the form that decides the next one."""
        requester = await self._access.page_requester(request, _OPERATOR)
        page = await self._decisions.page(requester, request.query_params.get("cursor") or None)
        signals = await self._decisions.signals(requester, "", None)
        return await render(
            request,
            "incentives/quarters.html",
            problem.status if problem else 200,
            problem=problem,
            page=page,
            sums={one.quarter: (await self._decisions.find(requester, one.quarter))[1] for one in page.items},
            ended=[str(one) for one in _ended(today())],
            signals=signals.items,
            operator_id=requester.id,
            names=await self._words.names(one["provider_code"] for one in signals.items),
            signal_names=SIGNAL_NAMES,
            **self._words.of(request),
        )

    async def ask(self, request: Request) -> Response:
        """Let a quarter be decided."""
        requester, form = await self._access.page_requester(request, _OPERATOR), await read_form(request)
        quarter = str(form.get("quarter", ""))[:20]
        try:
            await self._decisions.ask(requester, quarter)
        except Problem as problem:
            return await self.quarters(request, shown(problem))
        return redirect(f"{PLACE}/quarters/{quarter}")

    async def quarter(self, request: Request, problem: Problem | None = None) -> Response:
        """Show the decision of a quarter: how far it is, its sum, its lines, orders, and what is unusual."""
        requester, query = await self._access.page_requester(request, _OPERATOR), request.query_params
        quarter, part = request.path_params["quarter"][:20], query.get("show", "lines")
        text, cursor = query.get("q", "").strip()[:_MAX_WORDS], query.get("cursor") or None
        if part not in _PARTS:
            raise Problem(404, "not-found", NOT_FOUND)
        run, sums = await self._decisions.find(requester, quarter)
        lists: dict[str, Any] = {
            "lines": lambda: self._decisions.lines(requester, quarter, text, cursor),
            "orders": lambda: self._payments.orders(requester, quarter, text, cursor),
            "signals": lambda: self._decisions.signals(requester, quarter, cursor),
        }
        page = await lists[part]()
        codes = {one.line.provider_code for one in page.items} if part == "lines" else set()
        if part == "signals":
            codes = {one["provider_code"] for one in page.items}
        if part != "signals":
            codes |= {one.line.payee if part == "lines" else one.payee for one in page.items}
        return await render(
            request,
            "incentives/quarter.html",
            problem.status if problem else 200,
            problem=problem,
            run=run,
            sums=sums,
            shown=part,
            page=page,
            text=text,
            own=run.asked_by_id == requester.id,
            operator_id=requester.id,
            names=await self._words.names(code for code in codes if len(code) == 8),
            signal_names=SIGNAL_NAMES,
            **self._words.of(request),
        )

    async def confirm(self, request: Request) -> Response:
        """Confirm the decision of a quarter."""
        requester = await self._access.page_requester(request, _OPERATOR)
        await read_form(request)
        quarter = request.path_params["quarter"][:20]
        try:
            await self._decisions.confirm(requester, quarter)
        except Problem as problem:
            return await self.quarter(request, shown(problem))
        return redirect(f"{PLACE}/quarters/{quarter}?saved=confirm&show=orders")

    async def decide_signal(self, request: Request) -> Response:
        """Propose or confirm what becomes of a held payment."""
        requester, form = await self._access.page_requester(request, _OPERATOR), await read_form(request)
        try:
            decision = str(form.get("decision", ""))
            await self._decisions.decide_signal(requester, request.path_params["signal_id"], decision)
        except Problem as problem:
            return await self.quarters(request, shown(problem))
        quarter = str(form.get("quarter", ""))[:20]
        return redirect(f"{PLACE}/quarters/{quarter}?show=signals" if quarter else PLACE)

    async def claims(self, request: Request) -> Response:
        """List the claims of vendors."""
        requester, query = await self._access.page_requester(request, _OPERATOR), request.query_params
        text, state = query.get("q", "").strip()[:_MAX_WORDS], query.get("state", "")
        if state not in _STATES:
            raise Problem(404, "not-found", NOT_FOUND)
        page = await self._claims.all(requester, text, state, query.get("cursor") or None)
        practices = await self._words.names(one.provider_code for one in page.items)
        context = self._words.of(request) | {"page": page, "text": text, "state": state, "practices": practices}
        return await render(request, "incentives/claims.html", **context)

    async def appeals(
        self, request: Request, problem: Problem | None = None, form: FormData | None = None
    ) -> Response:
        """List appeals, those first that wait longest, with the form for the answer."""
        requester, query = await self._access.page_requester(request, _OPERATOR), request.query_params
        text, answered = query.get("q", "").strip()[:_MAX_WORDS], query.get("show", "") == "answered"
        cursor = query.get("cursor") or None
        page = await self._appeals.page(requester, text, is_open=not answered, cursor=cursor)
        return await render(
            request,
            "incentives/appeals.html",
            problem.status if problem else 200,
            problem=problem,
            failed=request.path_params.get("appeal_id"),
            values={name: str(form.get(name, ""))[:4_000] for name in form} if form else {},
            page=page,
            text=text,
            answered=answered,
            outcomes=OUTCOMES,
            today=today(),
            names=await self._words.names_of_lines([one.line for one in page.items]),
            **self._words.of(request),
        )

    async def answer(self, request: Request) -> Response:
        """Answer an appeal."""
        requester, form = await self._access.page_requester(request, _OPERATOR), await read_form(request)
        given = (str(form.get(name, "")) for name in ("outcome", "answer", "amount"))
        try:
            await self._appeals.answer(requester, request.path_params["appeal_id"], *given)
        except Problem as problem:
            return await self.appeals(request, shown(problem), form)
        return redirect(f"{PLACE}/appeals?saved=answer")

    async def budgets(self, request: Request) -> Response:
        """Show the money of each scheme with its forecast, and the schemes in force with their sources."""
        requester = await self._access.page_requester(request, _OPERATOR)
        text = request.query_params.get("q", "").strip()[:_MAX_WORDS]
        words = self._words.of(request)
        found = [one for one in await self._budgets.show(requester) if _has(words, one.scheme, text)]
        return await render(
            request,
            "incentives/budgets.html",
            budgets=found,
            marks={one.scheme.id: marks_of(one.quarters, request) for one in found},
            text=text,
            today=today(),
            **words,
        )


def _has(words: dict[str, Any], scheme: Any, text: str) -> bool:
    return text.casefold() in f"{words['scheme_label'](scheme.key)} {scheme.key}".casefold()


def _ended(day: Any) -> list[Quarter]:
    """Return the last quarters that have ended, the newest first."""
    found = [Quarter.of(day).before]
    while len(found) < 8:
        found.append(found[-1].before)
    return found

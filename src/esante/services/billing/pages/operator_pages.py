"""The pages of operators: the flow, payments, the bank's statement, dead messages, accounts, contestations."""

from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from typing import Any, TypeVar

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from esante.core.web import (
    N_,
    Problem,
    bad_request,
    language_of,
    read_form,
    redirect,
    render,
    show_clock,
    show_date,
    translator,
)
from esante.identity.access import Access
from esante.services.billing.adjudication.words import describe
from esante.services.billing.flow.service import NoteFlow
from esante.services.billing.payment.model import NOTHING, PAYEE_NAMES, PAYMENT_NAMES, PayeeState, PaymentState
from esante.services.billing.payment.payees import Payees
from esante.services.billing.payment.service import Payments
from esante.services.billing.pid.contestations import Contestations
from esante.services.billing.pid.model import CONTESTATION_NAMES, ContestationState
from esante.services.billing.pid.rules import REASONS
from esante.services.billing.ra.service import Reimbursements

PLACE = "/operator/billing"
PAYMENTS, LINES, UNDELIVERED = f"{PLACE}/payments", f"{PLACE}/bank-lines", f"{PLACE}/undelivered"
ACCOUNTS, CONTESTATIONS = f"{PLACE}/accounts", f"{PLACE}/contestations"
_OPERATOR = ("operator",)
_SHOWN_IN_LIST = (400, 404, 409)
_LONGEST_SEARCH = 100
_Marks = Mapping[str, Sequence[tuple[str, int, str]]]
_State = TypeVar("_State", bound=StrEnum)


class OperatorPages:
    """What operators see of fee notes, without their contents, and do with them."""

    def __init__(
        self,
        flow: NoteFlow,
        payments: Payments,
        payees: Payees,
        contestations: Contestations,
        reimbursements: Reimbursements,
        access: Access,
    ) -> None:
        self._flow, self._payments, self._payees = flow, payments, payees
        self._contestations, self._reimbursements, self._access = contestations, reimbursements, access

    def routes(self) -> list[Route]:
        """Return the pages."""
        return [
            Route(PLACE, self.flow),
            Route(PAYMENTS, self.payments),
            Route(f"{PAYMENTS}/{{id:uuid}}/retry", self.retry, methods=["POST"]),
            Route(LINES, self.lines),
            Route(LINES, self.resolve, methods=["POST"]),
            Route(UNDELIVERED, self.undelivered),
            Route(ACCOUNTS, self.accounts),
            Route(f"{ACCOUNTS}/{{id:uuid}}/confirm", self.confirm, methods=["POST"]),
            Route(f"{ACCOUNTS}/{{id:uuid}}/refuse", self.refuse, methods=["POST"]),
            Route(CONTESTATIONS, self.contestations),
            Route(f"{CONTESTATIONS}/{{id:uuid}}/answer", self.answer, methods=["POST"]),
        ]

    async def flow(self, request: Request) -> Response:
        """Show how many notes flow, how fast they are decided, what is refused, and the money in flight."""
        requester = await self._access.page_requester(request, _OPERATOR)
        report, language = await self._flow.report(requester), language_of(request)
        return await render(
            request,
            "billing/operator_flow.html",
            report=report,
            flow=await self._payments.flow(requester),
            payment_states=PAYMENT_NAMES,
            zero=NOTHING,
            refusals=[(*_rule_words(rule, language), count) for rule, count in report.refusals],
            minutes=_marks(report.minutes, show_clock),
            days=_marks(report.days, lambda day: show_date(day, language)),
        )

    async def payments(self, request: Request, problem: Problem | None = None) -> Response:
        """List the payments, the newest first."""
        requester = await self._access.page_requester(request, _OPERATOR)
        state = _state(request, PaymentState)
        page = await self._payments.search(requester, state, _cursor(request), text=_text(request))
        return await _render_list(
            request, "billing/operator_payments.html", problem, page=page, state=state, names=PAYMENT_NAMES
        )

    async def retry(self, request: Request) -> Response:
        """Have the bank asked again for a payment that it refused."""
        requester = await self._access.page_requester(request, _OPERATOR)
        await read_form(request)
        try:
            await self._payments.retry(requester, request.path_params["id"])
        except Problem as problem:
            return await self.payments(request, _shown(problem))
        return redirect(PAYMENTS)

    async def lines(self, request: Request, problem: Problem | None = None) -> Response:
        """List the lines of the bank that match no payment."""
        requester = await self._access.page_requester(request, _OPERATOR)
        page = await self._payments.unmatched(requester, _cursor(request), text=_text(request))
        return await _render_list(request, "billing/operator_lines.html", problem, page=page)

    async def resolve(self, request: Request) -> Response:
        """Note how a line was settled."""
        requester = await self._access.page_requester(request, _OPERATOR)
        form = await read_form(request)
        try:
            await self._payments.resolve(requester, str(form.get("reference", "")), str(form.get("resolution", "")))
        except Problem as problem:
            return await self.lines(request, _shown(problem))
        return redirect(LINES)

    async def undelivered(self, request: Request) -> Response:
        """List the messages to the insurance that were given up: ids and causes."""
        requester = await self._access.page_requester(request, _OPERATOR)
        page = await self._reimbursements.given_up(requester, _cursor(request), text=_text(request))
        return await _render_list(request, "billing/operator_undelivered.html", page=page)

    async def accounts(self, request: Request, problem: Problem | None = None) -> Response:
        """List the accounts of professionals, at first those that wait."""
        requester = await self._access.page_requester(request, _OPERATOR)
        state = _state(request, PayeeState, PayeeState.PROPOSED)
        page = await self._payees.search(requester, state, _cursor(request), text=_text(request))
        return await _render_list(
            request, "billing/operator_accounts.html", problem, page=page, state=state, names=PAYEE_NAMES
        )

    async def confirm(self, request: Request) -> Response:
        """Confirm an account."""
        requester = await self._access.page_requester(request, _OPERATOR)
        await read_form(request)
        try:
            await self._payees.confirm(requester, request.path_params["id"])
        except Problem as problem:
            return await self.accounts(request, _shown(problem))
        return redirect(ACCOUNTS)

    async def refuse(self, request: Request) -> Response:
        """Refuse an account."""
        requester = await self._access.page_requester(request, _OPERATOR)
        await read_form(request)
        try:
            await self._payees.refuse(requester, request.path_params["id"])
        except Problem as problem:
            return await self.accounts(request, _shown(problem))
        return redirect(ACCOUNTS)

    async def contestations(self, request: Request, problem: Problem | None = None) -> Response:
        """List the contestations, at first those that wait."""
        requester = await self._access.page_requester(request, _OPERATOR)
        state = _state(request, ContestationState, ContestationState.OPEN)
        page = await self._contestations.search(requester, state, _cursor(request), text=_text(request))
        language = language_of(request)
        return await _render_list(
            request,
            "billing/operator_contestations.html",
            problem,
            page=page,
            state=state,
            names=CONTESTATION_NAMES,
            rules={one.rule: _rule_words(one.rule, language)[0] for one in page.items},
        )

    async def answer(self, request: Request) -> Response:
        """Answer a contestation."""
        requester = await self._access.page_requester(request, _OPERATOR)
        form = await read_form(request)
        accepted = str(form.get("accepted", ""))
        try:
            if accepted not in ("yes", "no"):
                raise bad_request("accepted", N_("Choose a decision."), code="required")
            await self._contestations.answer(
                requester,
                request.path_params["id"],
                accepted=accepted == "yes",
                text=str(form.get("text", "")),
            )
        except Problem as problem:
            return await self.contestations(request, _shown(problem))
        return redirect(CONTESTATIONS)


async def _render_list(request: Request, template: str, problem: Problem | None = None, **context: Any) -> Response:
    """Render a list; `names` of the states it can be narrowed to become the choices of its filter."""
    gettext = translator(language_of(request)).gettext
    names = context.get("names", {})
    return await render(
        request,
        template,
        problem.status if problem else 200,
        problem=problem,
        states=[(state.value, gettext(words)) for state, words in names.items()],
        **context | {"state": context.get("state") or "", "q": _text(request)},
    )


def _state(request: Request, kind: type[_State], default: _State | None = None) -> _State | None:
    """Return the state that a list is narrowed to; None for all, `default` where nothing was chosen."""
    text = request.query_params.get("state")
    if text is None:
        return default
    return next((state for state in kind if state.value == text), None)


def _text(request: Request) -> str:
    """Return what a list is searched for, "" for nothing."""
    return request.query_params.get("q", "").strip()[:_LONGEST_SEARCH]


def _cursor(request: Request) -> str | None:
    return request.query_params.get("cursor")


def _rule_words(key: str, language: str) -> tuple[str, str]:
    """Return what is refused by a rule, and its legal source; of a refused patient, why."""
    if key in REASONS:
        return translator(language).gettext(REASONS[key]), ""
    found = describe(key, language)
    return found.title, found.legal_source


def _marks(series: Mapping[str, Sequence[tuple[Any, int]]], show: Callable[[Any], str]) -> _Marks:
    """Return series for the plots: tick, value, value as text."""
    return {way: [(show(tick), number, str(number)) for tick, number in counts] for way, counts in series.items()}


def _shown(problem: Problem) -> Problem:
    """Return a problem that a list shows; raise any other."""
    if problem.status not in _SHOWN_IN_LIST:
        raise problem
    return problem

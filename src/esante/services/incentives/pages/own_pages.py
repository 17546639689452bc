"""The pages of payees: of professionals ("Digital practice") and of vendors of software."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from esante.core.time_zone import today
from esante.core.web import NOT_FOUND, Problem, clean_text, read_form, redirect, render
from esante.identity.access import Access, Requester
from esante.identity.directory import Directory
from esante.services.incentives.appeals.service import Appeals
from esante.services.incentives.claims.service import Claims, vendor_of
from esante.services.incentives.decisions.model import PayeeKind
from esante.services.incentives.decisions.service import OwnDecisions
from esante.services.incentives.evidence.reader import provider_code_of
from esante.services.incentives.pages.page_words import PageWords, marks_of, shown
from esante.services.incentives.payments.service import Payments
from esante.services.incentives.schemes.quarter import Quarter

PRACTICE, VENDOR = "/digital-practice", "/vendor/incentives"
_MAX_WORDS = 60
_SHARED = "practice"
"""The kind of organisations whose account belongs to those who work there: not of a hospital."""


@dataclass(frozen=True, slots=True)
class Payee:
    """Who sees a page: their provider codes, and the payees for whom they act."""

    requester: Requester
    kind: PayeeKind
    codes: tuple[str, ...]
    payees: tuple[str, ...]


class OwnPages:
    """What payees see of their incentives, and do about them."""

    def __init__(
        self,
        own: OwnDecisions,
        claims: Claims,
        appeals: Appeals,
        payments: Payments,
        access: Access,
        directory: Directory,
        words: PageWords,
    ) -> None:
        self._own, self._claims, self._appeals, self._payments = own, claims, appeals, payments
        self._access, self._directory, self._words = access, directory, words

    def routes(self) -> list[Route]:
        """Return the pages."""
        return [
            Route(PRACTICE, self.practice),
            Route(VENDOR, self.vendor),
            Route(f"{VENDOR}/claims", self.claims),
            Route(f"{VENDOR}/claims", self.claim, methods=["POST"]),
            *(
                Route(f"{place}/{path}", act, methods=["POST"])
                for place in (PRACTICE, VENDOR)
                for path, act in (("account", self.account), ("lines/{line_id:uuid}/appeal", self.appeal))
            ),
        ]

    async def practice(
        self, request: Request, problem: Problem | None = None, form: FormData | None = None
    ) -> Response:
        """Show a professional what the practice reached in the present quarter, and what earlier ones gave."""
        payee = await self._payee(request, PRACTICE)
        if not payee.codes:
            return await render(request, "incentives/practice.html", codes=(), **self._words.of(request))
        present = await self._own.present(payee.codes, payee.requester.profession)
        context = await self._shared(request, payee, problem, form)
        return await render(
            request,
            "incentives/practice.html",
            problem.status if problem else 200,
            codes=payee.codes,
            quarter=Quarter.of(today()),
            present=present,
            **context,
        )

    async def vendor(self, request: Request, problem: Problem | None = None, form: FormData | None = None) -> Response:
        """Show a vendor what earlier quarters gave, and the account."""
        payee = await self._payee(request, VENDOR)
        context = await self._shared(request, payee, problem, form)
        return await render(request, "incentives/vendor.html", problem.status if problem else 200, **context)

    async def claims(self, request: Request, problem: Problem | None = None, form: FormData | None = None) -> Response:
        """Show a vendor the claims, and the form of a new one."""
        payee, query = await self._payee(request, VENDOR), request.query_params
        text = query.get("q", "").strip()[:_MAX_WORDS]
        page = await self._claims.own(payee.requester, text, query.get("cursor") or None)
        return await render(
            request,
            "incentives/vendor_claims.html",
            problem.status if problem else 200,
            problem=problem,
            values=_values(form),
            claimable=await self._claims.claimable(payee.requester),
            page=page,
            text=text,
            practices=await self._words.names(one.provider_code for one in page.items),
            **self._words.of(request),
        )

    async def _shared(
        self, request: Request, payee: Payee, problem: Problem | None, form: FormData | None
    ) -> dict[str, Any]:
        """Return what both pages show: past lines with their appeals, accounts and orders."""
        query = request.query_params
        text = query.get("q", "").strip()[:_MAX_WORDS]
        past = await self._own.past(payee.codes, payee.payees, text, query.get("cursor") or None)
        quarters = await self._own.quarters(payee.codes, payee.payees)
        appeals = await self._appeals.of_lines(past.items)
        if any(one.answered_at and not one.read_at for one in appeals.values()):
            await self._appeals.mark_read(payee.requester)
        return {
            "problem": problem,
            "values": _values(form),
            "failed": request.path_params.get("line_id"),
            "past": past,
            "text": text,
            "appeals": appeals,
            "names": await self._words.names_of_lines(past.items),
            "marks": marks_of([(quarter, amount) for quarter, amount, _ in quarters], request),
            "accounts": await self._payments.accounts(payee.payees),
            "orders": await self._payments.orders_of(payee.payees),
            "payees": payee.payees,
            "place": PRACTICE if payee.kind is PayeeKind.PROVIDER else VENDOR,
            **self._words.of(request),
        }

    async def claim(self, request: Request) -> Response:
        """Claim an installation."""
        payee, form = await self._payee(request, VENDOR), await read_form(request)
        try:
            version = _uuid(str(form.get("version", "")))
            code = str(form.get("provider_code", ""))
            await self._claims.make(payee.requester, str(form.get("scheme", "")), code, version)
        except Problem as problem:
            return await self.claims(request, shown(problem), form)
        return redirect(f"{VENDOR}/claims?saved=claim")

    async def account(self, request: Request) -> Response:
        """Enter the account of a payee for whom the requester acts."""
        place = VENDOR if request.url.path.startswith(VENDOR) else PRACTICE
        payee, form = await self._payee(request, place), await read_form(request)
        try:
            wanted = str(form.get("payee", "")) or (payee.payees[0] if payee.payees else "")
            if wanted not in payee.payees:
                raise Problem(404, "not-found", NOT_FOUND)
            holder, iban = str(form.get("holder", "")), clean_text(str(form.get("iban", "")), 1, 60, "iban")
            await self._payments.enter_account(payee.requester, payee.kind, wanted, holder, iban)
        except Problem as problem:
            return await self._page(place)(request, shown(problem), form)
        return redirect(f"{place}?saved=account")

    async def appeal(self, request: Request) -> Response:
        """Appeal against a line."""
        place = VENDOR if request.url.path.startswith(VENDOR) else PRACTICE
        payee, form = await self._payee(request, place), await read_form(request)
        try:
            line_id = request.path_params["line_id"]
            await self._appeals.make(payee.requester, line_id, str(form.get("text", "")), payee.codes, payee.payees)
        except Problem as problem:
            return await self._page(place)(request, shown(problem), form)
        return redirect(f"{place}?saved=appeal#decisions")

    def _page(self, place: str) -> Callable[[Request, Problem, FormData], Awaitable[Response]]:
        return self.vendor if place == VENDOR else self.practice

    async def _payee(self, request: Request, place: str) -> Payee:
        if place == VENDOR:
            requester = await self._access.page_requester(request, ("vendor",))
            return Payee(requester, PayeeKind.VENDOR, (), (str(vendor_of(requester)),))
        requester = await self._access.page_requester(request, ("practitioner",))
        if requester.delegate is not None:  # money is the professional's own affair
            raise Problem(404, "not-found", NOT_FOUND)
        codes = await self._codes_of(requester)
        organization = (
            await self._directory.organization(requester.organization_id) if requester.organization_id else None
        )
        is_shared = organization is not None and organization.kind == _SHARED
        shared = provider_code_of(organization) if is_shared else ""
        return Payee(requester, PayeeKind.PROVIDER, codes, tuple(dict.fromkeys(filter(None, (*codes, shared)))))

    async def _codes_of(self, requester: Requester) -> tuple[str, ...]:
        """Return the provider codes of a professional."""
        practitioner = await self._directory.practitioner(requester.id)
        code = provider_code_of(practitioner) if practitioner else ""
        return (code,) if code else ()


def _values(form: FormData | None) -> dict[str, str]:
    """Return what was written in a form."""
    return {name: str(form.get(name, ""))[:4_000] for name in form} if form else {}


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None

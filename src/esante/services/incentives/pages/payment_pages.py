"""The pages of operators about payments: accounts to confirm, files for the bank, its answers."""

from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from esante.core.sepa import MAX_BYTES
from esante.core.web import N_, Problem, bad_request, read_form, redirect, render
from esante.identity.access import Access
from esante.services.incentives.pages.page_words import PageWords, shown
from esante.services.incentives.payments.model import Reconciliation
from esante.services.incentives.payments.service import Payments

PLACE = "/operator/incentives/payments"
_OPERATOR = ("operator",)


class PaymentPages:
    """Payments, for operators."""

    def __init__(self, payments: Payments, access: Access, words: PageWords) -> None:
        self._payments, self._access, self._words = payments, access, words

    def routes(self) -> list[Route]:
        """Return the pages."""
        return [
            Route(PLACE, self.show),
            Route(f"{PLACE}/files", self.make_file, methods=["POST"]),
            Route(f"{PLACE}/files/{{file_id:uuid}}.xml", self.download),
            Route(f"{PLACE}/accounts/{{account_id:uuid}}", self.decide_account, methods=["POST"]),
            Route(f"{PLACE}/answers", self.apply, methods=["POST"]),
        ]

    async def show(
        self, request: Request, problem: Problem | None = None, applied: Reconciliation | None = None
    ) -> Response:
        """Show what may be paid, accounts that wait, and the files that were made."""
        requester = await self._access.page_requester(request, _OPERATOR)
        accounts = await self._payments.proposed_accounts(requester)
        return await render(
            request,
            "incentives/payments.html",
            problem.status if problem else 200,
            problem=problem,
            applied=applied,
            payable=await self._payments.payable(requester),
            accounts=accounts,
            files=await self._payments.files(requester, request.query_params.get("cursor") or None),
            names=await self._words.names(one.payee for one in accounts if len(one.payee) == 8),
            **self._words.of(request),
        )

    async def make_file(self, request: Request) -> Response:
        """Make the file for the bank."""
        requester = await self._access.page_requester(request, _OPERATOR)
        await read_form(request)
        try:
            await self._payments.make_file(requester)
        except Problem as problem:
            return await self.show(request, shown(problem))
        return redirect(f"{PLACE}?saved=file#files")

    async def download(self, request: Request) -> Response:
        """Return a file as it was made."""
        requester = await self._access.page_requester(request, _OPERATOR)
        file = await self._payments.file(requester, request.path_params["file_id"])
        name = f'attachment; filename="{file.message_id}.xml"'
        headers = {"Content-Disposition": name, "Cache-Control": "no-store"}
        return Response(file.content, media_type="application/xml", headers=headers)

    async def decide_account(self, request: Request) -> Response:
        """Confirm an account, or refuse it."""
        requester, form = await self._access.page_requester(request, _OPERATOR), await read_form(request)
        try:
            confirm = str(form.get("decision", "")) == "confirm"
            await self._payments.decide_account(requester, request.path_params["account_id"], confirm=confirm)
        except Problem as problem:
            return await self.show(request, shown(problem))
        return redirect(f"{PLACE}?saved=account")

    async def apply(self, request: Request) -> Response:
        """Apply the bank's answers."""
        requester = await self._access.page_requester(request, _OPERATOR)
        try:
            form = await read_form(request, MAX_BYTES + 10_000)
            file = form.get("file")
            if not isinstance(file, UploadFile) or not file.filename:
                raise bad_request("file", N_("Choose the file of the bank."), code="value")
            applied = await self._payments.apply(requester, await file.read(MAX_BYTES + 1))
        except Problem as problem:
            return await self.show(request, shown(problem))
        return await self.show(request, None, applied)

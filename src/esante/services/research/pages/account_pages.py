"""The pages of researchers' accounts: registration and sign-in, the access key; the operators' list."""

from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from esante.core.web import NOT_FOUND, Problem, origin_of, read_form, redirect, render
from esante.identity.access import Access
from esante.services.research.accounts.model import ACCOUNT_STATUS_NAMES, AccountChange
from esante.services.research.accounts.rules import allowed_changes
from esante.services.research.accounts.service import ENTRY, LONGEST, LONGEST_LINE, Accounts
from esante.services.research.pages.form_values import OPERATOR, RESEARCHER, form_texts, searched, shown

ACCOUNT, OPERATORS = "/researcher/account", "/operator/researchers"


def routes(accounts: Accounts, access: Access) -> list[BaseRoute]:
    """Return the routes of researchers' accounts."""
    entry, operators = _EntryPages(accounts, access), _OperatorPages(accounts, access)
    account = f"{OPERATORS}/{{account_id:uuid}}"
    return [
        Route(ENTRY, entry.show, methods=["GET"]),
        Route(f"{ENTRY}/register", entry.register, methods=["POST"]),
        Route(f"{ENTRY}/signin", entry.sign_in, methods=["POST"]),
        Route(ACCOUNT, entry.account, methods=["GET"]),
        Route(f"{ACCOUNT}/key", entry.replace_key, methods=["POST"]),
        Route(OPERATORS, operators.list, methods=["GET"]),
        Route(account, operators.show, methods=["GET"]),
        Route(f"{account}/{{change:str}}", operators.change, methods=["POST"]),
    ]


class _EntryPages:
    def __init__(self, accounts: Accounts, access: Access) -> None:
        self._accounts, self._access = accounts, access

    async def show(self, request: Request, problem: Problem | None = None, form: FormData | None = None) -> Response:
        """Show the forms of sign-in and registration; a researcher who is signed in goes to their home page."""
        session = await request.app.state.sessions.of(request)
        if session is not None and session.principal["kind"] == "researcher":
            return redirect("/")
        return await render(
            request,
            "research/researchers.html",
            problem.status if problem else 200,
            headers=problem.headers if problem else None,
            problem=problem,
            values=form_texts(form, "name", "organization", "email", "public_body"),
            signed_in=session is not None,
            longest_line=LONGEST_LINE,
        )

    async def register(self, request: Request) -> Response:
        """Register a researcher, and show the access key."""
        form = await read_form(request)
        texts = form_texts(form, "name", "organization", "email")
        try:
            account, key = await self._accounts.register(
                **texts, origin=origin_of(request), public_body="public_body" in form
            )
        except Problem as problem:
            return await self.show(request, shown(problem), form)
        return await render(request, "research/key.html", account=account, key=key, is_new=True)

    async def sign_in(self, request: Request) -> Response:
        """Start the session of the researcher with an access key."""
        form = await read_form(request)
        try:
            return await self._accounts.sign_in(request, form_texts(form, "key")["key"])
        except Problem as problem:
            return await self.show(request, shown(problem), form)

    async def account(self, request: Request) -> Response:
        """Show the account, and what replaces the access key."""
        requester = await self._access.page_requester(request, RESEARCHER)
        account = await self._accounts.current(requester)
        return await render(request, "research/account.html", account=account, statuses=ACCOUNT_STATUS_NAMES)

    async def replace_key(self, request: Request) -> Response:
        """Replace the access key, and show the new one; all sessions end."""
        requester = await self._access.page_requester(request, RESEARCHER)
        await read_form(request)
        account = await self._accounts.current(requester)
        key = await self._accounts.replace_key(requester)
        return await render(request, "research/key.html", account=account, key=key, is_new=False)


class _OperatorPages:
    def __init__(self, accounts: Accounts, access: Access) -> None:
        self._accounts, self._access = accounts, access

    async def list(self, request: Request) -> Response:
        """List researchers."""
        requester = await self._access.page_requester(request, OPERATOR)
        text, status = searched(request), request.query_params.get("status", "")
        if status and status not in ACCOUNT_STATUS_NAMES:
            raise Problem(404, "not-found", NOT_FOUND)
        page = await self._accounts.search(requester, text, status, request.query_params.get("cursor"))
        return await render(
            request, "research/accounts.html", page=page, q=text, chosen=status, statuses=ACCOUNT_STATUS_NAMES
        )

    async def show(self, request: Request, problem: Problem | None = None, form: FormData | None = None) -> Response:
        """Show a researcher, and what may be done to the account."""
        requester = await self._access.page_requester(request, OPERATOR)
        account = await self._accounts.find(requester, request.path_params["account_id"])
        return await render(
            request,
            "research/researcher.html",
            problem.status if problem else 200,
            problem=problem,
            values=form_texts(form, "reason"),
            account=account,
            changes=allowed_changes(account.status),
            statuses=ACCOUNT_STATUS_NAMES,
            longest=LONGEST,
        )

    async def change(self, request: Request) -> Response:
        """Accept, suspend or resume an account."""
        requester = await self._access.page_requester(request, OPERATOR)
        form, account_id = await read_form(request), request.path_params["account_id"]
        if request.path_params["change"] not in set(AccountChange):
            raise Problem(404, "not-found", NOT_FOUND)
        change = AccountChange(request.path_params["change"])
        try:
            await self._accounts.change(requester, account_id, change, form_texts(form, "reason")["reason"])
        except Problem as problem:
            return await self.show(request, shown(problem), form)
        return redirect(f"{OPERATORS}/{account_id}")

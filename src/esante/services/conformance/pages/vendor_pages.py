"""The pages of vendors' accounts: registration and sign-in, the access key; the operators' list of vendors."""

from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from esante.core.web import NOT_FOUND, Problem, origin_of, read_form, redirect, render
from esante.identity.access import Access
from esante.services.conformance.pages.form_values import form_texts, searched, shown
from esante.services.conformance.rules import LONGEST, LONGEST_LINE
from esante.services.conformance.vendors.model import VENDOR_STATUS_NAMES, VendorChange, VendorStatus
from esante.services.conformance.vendors.rules import allowed_changes
from esante.services.conformance.vendors.service import ENTRY, Vendors

ACCOUNT, OPERATORS = "/vendor/account", "/operator/vendors"
OPERATOR, VENDOR = ("operator",), ("vendor",)


def routes(vendors: Vendors, access: Access) -> list[BaseRoute]:
    """Return the routes of vendors' accounts."""
    entry, operators = _EntryPages(vendors, access), _OperatorPages(vendors, access)
    vendor = f"{OPERATORS}/{{vendor_id:uuid}}"
    return [
        Route(ENTRY, entry.show, methods=["GET"]),
        Route(f"{ENTRY}/register", entry.register, methods=["POST"]),
        Route(f"{ENTRY}/signin", entry.sign_in, methods=["POST"]),
        Route(ACCOUNT, entry.account, methods=["GET"]),
        Route(f"{ACCOUNT}/key", entry.replace_key, methods=["POST"]),
        Route(OPERATORS, operators.list, methods=["GET"]),
        Route(vendor, operators.show, methods=["GET"]),
        Route(f"{vendor}/{{change:str}}", operators.change, methods=["POST"]),
    ]


class _EntryPages:
    def __init__(self, vendors: Vendors, access: Access) -> None:
        self._vendors, self._access = vendors, access

    async def show(self, request: Request, problem: Problem | None = None, form: FormData | None = None) -> Response:
        """Show the forms of sign-in and registration; a vendor who is signed in goes to their home page."""
        session = await request.app.state.sessions.of(request)
        if session is not None and session.principal["kind"] == "vendor":
            return redirect("/")
        return await render(
            request,
            "conformance/vendors.html",
            problem.status if problem else 200,
            headers=problem.headers if problem else None,
            problem=problem,
            values=form_texts(form, "name", "contact", "email"),
            signed_in=session is not None,
            longest_line=LONGEST_LINE,
        )

    async def register(self, request: Request) -> Response:
        """Register a vendor, and show the access key."""
        form = await read_form(request)
        try:
            vendor, key = await self._vendors.register(
                **form_texts(form, "name", "contact", "email"), origin=origin_of(request)
            )
        except Problem as problem:
            return await self.show(request, shown(problem), form)
        return await render(request, "conformance/key.html", vendor=vendor, key=key, is_new=True)

    async def sign_in(self, request: Request) -> Response:
        """Start the session of the vendor with an access key."""
        form = await read_form(request)
        try:
            return await self._vendors.sign_in(request, form_texts(form, "key")["key"])
        except Problem as problem:
            return await self.show(request, shown(problem), form)

    async def account(self, request: Request) -> Response:
        """Show the account, and what replaces the access key."""
        requester = await self._access.page_requester(request, VENDOR)
        vendor = await self._vendors.current(requester)
        return await render(request, "conformance/account.html", vendor=vendor, statuses=VENDOR_STATUS_NAMES)

    async def replace_key(self, request: Request) -> Response:
        """Replace the access key, and show the new one; all sessions end."""
        requester = await self._access.page_requester(request, VENDOR)
        await read_form(request)
        vendor = await self._vendors.current(requester)
        key = await self._vendors.replace_key(requester)
        return await render(request, "conformance/key.html", vendor=vendor, key=key, is_new=False)


class _OperatorPages:
    def __init__(self, vendors: Vendors, access: Access) -> None:
        self._vendors, self._access = vendors, access

    async def list(self, request: Request) -> Response:
        """List vendors."""
        requester = await self._access.page_requester(request, OPERATOR)
        text, status = searched(request), request.query_params.get("status", "")
        if status and status not in VENDOR_STATUS_NAMES:
            raise Problem(404, "not-found", NOT_FOUND)
        page = await self._vendors.search(requester, text, status, request.query_params.get("cursor"))
        return await render(
            request,
            "conformance/vendor_list.html",
            page=page,
            q=text,
            chosen=status,
            statuses=VENDOR_STATUS_NAMES,
        )

    async def show(self, request: Request, problem: Problem | None = None, form: FormData | None = None) -> Response:
        """Show a vendor, and what may be done to the account."""
        requester = await self._access.page_requester(request, OPERATOR)
        vendor = await self._vendors.find(requester, request.path_params["vendor_id"])
        return await render(
            request,
            "conformance/vendor.html",
            problem.status if problem else 200,
            problem=problem,
            values=form_texts(form, "reason"),
            vendor=vendor,
            is_suspended=vendor.status is VendorStatus.SUSPENDED,
            changes=allowed_changes(vendor.status),
            statuses=VENDOR_STATUS_NAMES,
            longest=LONGEST,
        )

    async def change(self, request: Request) -> Response:
        """Accept, suspend or resume an account."""
        requester = await self._access.page_requester(request, OPERATOR)
        form, vendor_id = await read_form(request), request.path_params["vendor_id"]
        if request.path_params["change"] not in set(VendorChange):
            raise Problem(404, "not-found", NOT_FOUND)
        change = VendorChange(request.path_params["change"])
        try:
            await self._vendors.change(requester, vendor_id, change, form_texts(form, "reason")["reason"])
        except Problem as problem:
            return await self.show(request, shown(problem), form)
        return redirect(f"{OPERATORS}/{vendor_id}")

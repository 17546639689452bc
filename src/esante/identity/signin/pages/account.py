"""The page of one's own passkeys and sessions."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from esante.core.web import N_, gettext_of, read_form, redirect, render
from esante.identity.access import Access
from esante.identity.signin.accounts.holders import holder_of
from esante.identity.signin.accounts.sessions import OwnSessions
from esante.identity.signin.model import HOLDER_KINDS
from esante.identity.signin.pages.form_values import form_bytes, form_value
from esante.identity.signin.passkeys.service import Passkeys

METHODS = {
    "passkey": N_("with a passkey"),
    "oidc": N_("with another sign-in service"),
    "demo": N_("as a demonstration user"),
}
LEVELS = {
    "low": N_("level of assurance: low"),
    "substantial": N_("level of assurance: substantial"),
    "high": N_("level of assurance: high"),
}


class AccountPages:
    """The pages of whoever is signed in about their own account."""

    def __init__(self, access: Access, passkeys: Passkeys, sessions: OwnSessions) -> None:
        self._access, self._passkeys, self._sessions = access, passkeys, sessions

    def routes(self) -> list[Route]:
        """Return the routes."""
        return [
            Route("/account", self.show),
            Route("/account/passkeys/new", self.offer, methods=["GET", "POST"]),
            Route("/account/passkeys/add", self.add, methods=["POST"]),
            Route("/account/passkeys/rename", self.rename, methods=["POST"]),
            Route("/account/passkeys/remove", self.remove, methods=["POST"]),
            Route("/account/sessions/end", self.end_session, methods=["POST"]),
        ]

    async def show(self, request: Request) -> Response:
        """Show passkeys and sessions."""
        requester = await self._access.page_requester(request, HOLDER_KINDS)
        gettext = gettext_of(request)
        return await render(
            request,
            "signin/account.html",
            passkeys=await self._passkeys.list_of(holder_of(requester).id),
            sessions=await self._sessions.list_of(request, requester),
            methods={key: gettext(text) for key, text in METHODS.items()},
            levels={key: gettext(text) for key, text in LEVELS.items()},
        )

    async def offer(self, request: Request) -> Response:
        """Let somebody make a further passkey; by POST, so that a sign-in of long ago is confirmed first."""
        requester = await self._access.page_requester(request, HOLDER_KINDS)
        if request.method == "GET":
            return redirect("/account")
        await read_form(request)
        options, content = await self._passkeys.begin_adding(requester)
        response = await render(
            request,
            "signin/enrol.html",
            holder=holder_of(requester),
            options=options,
            first=False,
            action="/account/passkeys/add",
            name="",
        )
        await self._passkeys.remember_adding(request, response, content)
        return response

    async def add(self, request: Request) -> Response:
        """Add a passkey."""
        requester = await self._access.page_requester(request, HOLDER_KINDS)
        form = await read_form(request)
        await self._passkeys.add(request, requester, form_value(form, "passkey"), form_value(form, "name"))
        return redirect("/account")

    async def rename(self, request: Request) -> Response:
        """Give a passkey another name."""
        requester = await self._access.page_requester(request, HOLDER_KINDS)
        form = await read_form(request)
        await self._passkeys.rename(requester, form_bytes(form, "passkey"), form_value(form, "name"))
        return redirect("/account")

    async def remove(self, request: Request) -> Response:
        """Remove a passkey."""
        requester = await self._access.page_requester(request, HOLDER_KINDS)
        form = await read_form(request)
        await self._passkeys.remove(requester, form_bytes(form, "passkey"))
        return redirect("/account")

    async def end_session(self, request: Request) -> Response:
        """End one of one's own sessions."""
        requester = await self._access.page_requester(request, HOLDER_KINDS)
        form = await read_form(request)
        await self._sessions.end(request, requester, form_bytes(form, "session"))
        return redirect("/account")

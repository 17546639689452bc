"""Pages of signing in with a passkey, of confirming before a sensitive act, of the first passkey, of the workplace."""

from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from esante.core.web import N_, NOT_FOUND, Problem, gettext_of, read_form, redirect, render
from esante.identity.access import Access, Requester
from esante.identity.directory import Directory
from esante.identity.signin.accounts.holders import Holders
from esante.identity.signin.activation.codes import Activation
from esante.identity.signin.model import HOLDER_KINDS
from esante.identity.signin.pages.form_values import form_value, local_address
from esante.identity.signin.passkeys.service import Passkeys
from esante.identity.signin.providers.service import Providers

_PRACTITIONER = ("practitioner",)


class SignInPages:
    """The pages of somebody who signs in."""

    def __init__(
        self,
        access: Access,
        directory: Directory,
        holders: Holders,
        passkeys: Passkeys,
        activation: Activation,
        providers: Providers,
    ) -> None:
        self._access, self._directory, self._holders = access, directory, holders
        self._passkeys, self._activation, self._providers = passkeys, activation, providers

    def routes(self) -> list[Route]:
        """Return the routes."""
        return [
            Route("/signin/passkey/options", self.options, methods=["POST"]),
            Route("/signin/passkey", self.sign_in, methods=["POST"]),
            Route("/signin/confirm", self.ask_to_confirm),
            Route("/signin/confirm", self.confirm, methods=["POST"]),
            Route("/signin/with/{key}/callback", self.come_back),
            Route("/signin/with/{key}/{kind}", self.go_to_provider),
            Route("/activate", self.activate, methods=["GET", "POST"]),
            Route("/activate/passkey", self.offer),
            Route("/activate/passkey", self.enrol, methods=["POST"]),
            Route("/workplace", self.workplaces),
            Route("/workplace", self.choose_workplace, methods=["POST"]),
        ]

    async def options(self, request: Request) -> Response:
        """Answer the options with which the browser asks for a passkey (JSON)."""
        await read_form(request)
        session = await self._access.sessions.of(request)
        requester = await self._access.page_requester(request, HOLDER_KINDS) if session else None
        return await self._passkeys.begin_sign_in(request, requester)

    async def sign_in(self, request: Request) -> Response:
        """Start a session with a passkey."""
        form = await read_form(request)
        return await self._passkeys.sign_in(
            request, form_value(form, "passkey"), local_address(form_value(form, "next"))
        )

    async def ask_to_confirm(self, request: Request) -> Response:
        """Ask whoever is signed in to use their passkey before a sensitive act."""
        requester = await self._access.page_requester(request, HOLDER_KINDS)
        how = requester.authentication
        return await render(
            request,
            "signin/confirm.html",
            next=local_address(request.query_params.get("next", "/")),
            provider=self._providers.find(how.provider) if how else None,
            kind=requester.kind,
        )

    async def confirm(self, request: Request) -> Response:
        """Keep that whoever is signed in used their passkey now, and lead back."""
        requester = await self._access.page_requester(request, HOLDER_KINDS)
        form = await read_form(request)
        to = local_address(form_value(form, "next"))
        return await self._passkeys.confirm(request, requester, form_value(form, "passkey"), to)

    async def go_to_provider(self, request: Request) -> Response:
        """Send the browser to a sign-in service; with `?confirm=1` to sign in there again."""
        to = local_address(request.query_params.get("next", "/"))
        key, kind = request.path_params["key"], request.path_params["kind"]
        confirm = request.query_params.get("confirm") == "1"
        return await self._providers.start(request, key, kind, to, confirm=confirm)

    async def come_back(self, request: Request) -> Response:
        """Sign somebody in who comes back from a sign-in service."""
        return await self._providers.finish(request, request.path_params["key"])

    async def activate(self, request: Request) -> Response:
        """Ask for the code of a letter and a number of its holder."""
        number, problem = "", None
        if request.method == "POST":
            form = await read_form(request)
            number = form_value(form, "number")
            response = redirect("/activate/passkey")
            try:
                await self._activation.enter(request, response, form_value(form, "code"), number)
                return response
            except Problem as error:
                if error.status not in (400, 429):
                    raise
                problem = error
        status, headers = (problem.status, problem.headers) if problem else (200, None)
        return await render(request, "signin/activate.html", status, headers=headers, number=number, problem=problem)

    async def offer(self, request: Request) -> Response:
        """Let the holder of a code that was entered make a passkey."""
        found = await self._activation.offer(request)
        if found is None:
            return redirect("/activate")
        holder, options = found
        return await render(
            request,
            "signin/enrol.html",
            holder=holder,
            options=options,
            first=True,
            action="/activate/passkey",
            name=_first_name(request),
        )

    async def enrol(self, request: Request) -> Response:
        """Add the first passkey, and sign its holder in."""
        form = await read_form(request)
        return await self._activation.enrol(request, form_value(form, "passkey"), form_value(form, "name"))

    async def workplaces(self, request: Request) -> Response:
        """Show for which organisation and in which profession a practitioner may act."""
        requester = await self._access.page_requester(request, _PRACTITIONER)
        return await render(
            request,
            "signin/workplace.html",
            requester=requester,
            workplaces=await self._workplaces(requester),
            professions=self._labels(request),
            next=local_address(request.query_params.get("next", "/")),
        )

    async def choose_workplace(self, request: Request) -> Response:
        """Go on in another workplace."""
        requester = await self._access.page_requester(request, _PRACTITIONER)
        form = await read_form(request)
        wanted, to = form_value(form, "place"), local_address(form_value(form, "next"))
        for one in await self._workplaces(requester):
            if wanted == f"{one.organization_id or ''} {one.profession}".strip():
                return await self._access.sign_in(request, one, method="workplace", to=to)
        raise Problem(404, "not-found", NOT_FOUND)

    async def _workplaces(self, requester: Requester) -> list[Requester]:
        person = requester.delegate.id if requester.delegate else requester.id
        return await self._holders.workplaces(person)

    def _labels(self, request: Request) -> dict[str, str]:
        gettext = gettext_of(request)
        return {key: gettext(term.label) for key, term in self._directory.catalogue.professions.items()}


def _first_name(request: Request) -> str:
    gettext: Any = gettext_of(request)
    return str(gettext(N_("My first passkey")))

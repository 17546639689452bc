"""Sign-in, language, home, and the operator's view of the journal."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from typing import Any

from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from esante.contract import HomeTile, Platform, SignInPeople
from esante.core.web import (
    LANGUAGE_COOKIE,
    LANGUAGES,
    N_,
    NOT_FOUND,
    Problem,
    is_https,
    read_form,
    redirect,
    render,
    render_part,
)
from esante.identity.access import Access, Requester
from esante.identity.signin import Passkeys, Providers
from esante.portal.navigation import ROLES, of_role

SHOWN = 6
"""People of a role that the picker shows without a search."""
FOUND = 30
YEAR = 365 * 24 * 3600


def routes(platform: Platform, people: SignInPeople | None) -> list[Route]:
    """Return the routes of the portal's own pages; `people`: to choose from in a demonstration."""
    sign_in = _SignIn(platform[Access], platform[Passkeys], platform[Providers], people)
    home = _Home(platform)
    return [
        Route("/", home.show),
        Route("/signin", sign_in.show),
        Route("/signin", sign_in.enter, methods=["POST"]),
        Route("/signout", sign_in.leave, methods=["POST"]),
        Route("/lang/{code}", choose_language),
        Route("/operator/journal", home.journal_state),
    ]


async def choose_language(request: Request) -> Response:
    """Remember a language for a year, and go back."""
    code = request.path_params["code"]
    if code not in LANGUAGES:
        raise Problem(404, "not-found", NOT_FOUND)
    response = redirect(local(request.query_params.get("next", "/")))
    secure = is_https(request)
    response.set_cookie(LANGUAGE_COOKIE, code, max_age=YEAR, samesite="lax", secure=secure, httponly=True)
    return response


def local(url: str) -> str:
    """Return an address within the portal; anything else becomes the home page."""
    inside = url.startswith("/") and not url.startswith("//") and "\\" not in url and url.isprintable()
    return url if inside else "/"


class _SignIn:
    def __init__(self, access: Access, passkeys: Passkeys, providers: Providers, people: SignInPeople | None) -> None:
        self._access, self._passkeys, self._providers, self._people = access, passkeys, providers, people

    async def show(self, request: Request) -> Response:
        """Show the people to choose from, by role; with `?q=` those whose name or detail has every word."""
        words = request.query_params.get("q", "").strip()[:60]
        groups = _groups(await self._people.everyone(), words) if self._people else None
        return await render(
            request,
            "portal/signin.html",
            personas=groups,
            groups=groups or [],
            text=words,
            next=local(request.query_params.get("next", "/")),
            providers=self._providers.offered(),
            elsewhere=self._passkeys.party.address_instead_of(request),
        )

    async def enter(self, request: Request) -> Response:
        """Start a session as the chosen person."""
        form = await read_form(request)
        requester = await self._people.become(str(form.get("persona", ""))) if self._people else None
        if requester is None:
            raise Problem(404, "not-found", N_("This person is not part of the demonstration."))
        to = local(str(form.get("next", "/")))
        return await self._access.sign_in(request, requester, method="demo", to=to)

    async def leave(self, request: Request) -> Response:
        """End the session."""
        await read_form(request)
        return await self._access.sign_out(request, to="/signin")


def _groups(people: Sequence[Mapping[str, Any]], text: str) -> list[tuple[str, list[Mapping[str, Any]], int]]:
    words = text.casefold().split()
    most = FOUND if words else SHOWN
    found = []
    for role in ROLES:
        fitting = [one for one in people if one["role"] == role and _fits(one, words)]
        if fitting:
            found.append((role, fitting[:most], len(fitting[most:])))
    return found


def _fits(person: Mapping[str, Any], words: list[str]) -> bool:
    text = f"{person['name']} {person['detail']}".casefold()
    return all(word in text for word in words)


class _Home:
    """The home page of each role, made of the parts that the services declare."""

    def __init__(self, platform: Platform) -> None:
        self._platform, self._access = platform, platform[Access]

    async def show(self, request: Request) -> Response:
        """Show the quick actions and tiles of the requester's role."""
        requester = await self._access.page_requester(request, kinds=ROLES)
        actions = of_role(self._platform.declared("actions"), requester.kind)
        tiles = of_role(self._platform.declared("tiles"), requester.kind)
        if not tiles:
            return await render(request, "portal/home_other.html")
        parts = [(tile, await self._part(request, requester, tile)) for tile in tiles]
        return await render(
            request,
            "portal/home.html",
            actions=actions,
            first=[html for tile, html in parts if tile.order < 0],
            rows=_rows([(tile, html) for tile, html in parts if tile.order >= 0]),
        )

    async def _part(self, request: Request, requester: Requester, tile: HomeTile) -> Markup:
        return await render_part(request, tile.template, tile=await tile.load(self._platform, requester))

    async def journal_state(self, request: Request) -> Response:
        """Show the size, the seal, the consumers and the signed checkpoint of the journal."""
        await self._access.page_requester(request, kinds=("operator",))
        return await render(request, "portal/journal.html", state=await self._platform.journal.state())


def _rows(parts: Iterable[tuple[HomeTile, Markup]]) -> list[tuple[bool, list[Markup]]]:
    """Return the tiles in rows: whether the parts of a row share its width, and the parts."""
    return [(half, [html for _, html in row]) for half, row in groupby(parts, key=lambda part: part[0].half)]

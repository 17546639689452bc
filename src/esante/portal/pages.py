"""Sign-in, language, home, and the operator's view of the journal."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any
from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from esante.core.journal import EVENTS, Entry, Event, Journal
from esante.core.web import LANGUAGE_COOKIE, LANGUAGES, N_, NOT_FOUND, Problem, by_https, read_form, redirect, render
from esante.identity.access import Access, AccessEvent, Requester
from esante.services.notices import Notices
from esante.services.record import CATEGORIES

ROLES = ("patient", "practitioner", "organization", "operator")
SHOWN = 6
"""People of a role that the picker shows without a search."""
FOUND = 30
LOOK_PAGE, LOOKED_THROUGH = 100, 1_000
"""Entries read at a time, and at most, for those who looked lately."""
YEAR = 365 * 24 * 3600

Personas = Callable[[], Awaitable[Sequence[dict[str, Any]]]]
"""Gives the demonstration people: `id`, `name`, `role` (of `ROLES`) and `detail`."""
Become = Callable[[str], Awaitable[Requester | None]]
"""Gives the requester that a demonstration person is, by id; None for an unknown one."""


def routes(
    access: Access,
    notices: Notices,
    journal: Journal,
    *,
    personas: Personas | None = None,
    become: Become | None = None,
) -> list[Route]:
    """The shell's own pages; without `personas` and `become` nobody can sign in here."""
    sign_in = _SignIn(access, personas, become)
    home = _Home(access, notices, journal)
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
    secure = by_https(request)
    response.set_cookie(LANGUAGE_COOKIE, code, max_age=YEAR, samesite="lax", secure=secure, httponly=True)
    return response


def local(url: str) -> str:
    """An address within the portal; anything else becomes the home page."""
    inside = url.startswith("/") and not url.startswith("//") and "\\" not in url and url.isprintable()
    return url if inside else "/"


class _SignIn:
    def __init__(self, access: Access, personas: Personas | None, become: Become | None) -> None:
        self._access, self._personas, self._become = access, personas, become

    async def show(self, request: Request) -> Response:
        """The people to choose from, by role; with `?q=` those whose name or detail has every word."""
        words = request.query_params.get("q", "").strip()[:60]
        groups: list[tuple[str, list[dict[str, Any]], int]] | None = None
        if self._personas:
            groups = _groups(await self._personas(), words)
        return await render(
            request,
            "portal/signin.html",
            personas=groups,
            groups=groups or [],
            text=words,
            next=local(request.query_params.get("next", "/")),
        )

    async def enter(self, request: Request) -> Response:
        """Start a session as the chosen person."""
        form = await read_form(request)
        requester = await self._become(str(form.get("persona", ""))) if self._become else None
        if requester is None:
            raise Problem(404, "not-found", N_("This person is not in the demonstration."))
        to = local(str(form.get("next", "/")))
        return await self._access.sign_in(request, requester, method="demo", to=to)

    async def leave(self, request: Request) -> Response:
        """End the session."""
        await read_form(request)
        return await self._access.sign_out(request, to="/signin")


def _groups(people: Sequence[dict[str, Any]], text: str) -> list[tuple[str, list[dict[str, Any]], int]]:
    words = text.casefold().split()
    most = FOUND if words else SHOWN
    found = []
    for role in ROLES:
        fitting = [one for one in people if one["role"] == role and _fits(one, words)]
        if fitting:
            found.append((role, fitting[:most], len(fitting[most:])))
    return found


def _fits(person: dict[str, Any], words: list[str]) -> bool:
    text = f"{person['name']} {person['detail']}".casefold()
    return all(word in text for word in words)


class _Home:
    def __init__(self, access: Access, notices: Notices, journal: Journal) -> None:
        self._access, self._notices, self._journal = access, notices, journal

    async def show(self, request: Request) -> Response:
        """What the signed-in person most likely came for."""
        requester = await self._access.page_requester(request, kinds=ROLES)
        match requester.kind:
            case "patient":
                return await self._patient(request, requester)
            case "practitioner":
                patients = await self._access.grants.list_patients(requester, limit=8)
                return await render(request, "portal/home_practitioner.html", patients=patients.items)
            case "operator":
                waiting = await self._access.emergencies.list_reviews(requester, limit=5)
                return await render(
                    request,
                    "portal/home_operator.html",
                    reviews=waiting.items,
                    more=waiting.next is not None,
                    state=await self._journal.state(),
                )
        return await render(request, "portal/home_other.html")

    async def _patient(self, request: Request, requester: Requester) -> Response:
        consent = await self._access.consent(requester.id)
        return await render(
            request,
            "portal/home_patient.html",
            notices=await self._notices.unread(requester.id, limit=4),
            entries=await self._looks_of_others(requester.id, 4),
            grants=[grant for grant in consent.grants if grant.holder],
            categories=CATEGORIES,
        )

    async def _looks_of_others(self, person_id: UUID, wanted: int) -> list[Entry]:
        """The newest accesses by anybody but the person; her own are passed over, `LOOKED_THROUGH` at most."""
        found: list[Entry] = []
        before: UUID | None = None
        for _ in range(LOOKED_THROUGH // LOOK_PAGE):
            page = await self._journal.entries_of(person_id, _accesses(), before=before, limit=LOOK_PAGE)
            found += [entry for entry in page if _by_another(entry)]
            if len(found) >= wanted or len(page) < LOOK_PAGE:
                break
            before = page[-1].id
        return found[:wanted]

    async def journal_state(self, request: Request) -> Response:
        """Size, seal, readers and the signed checkpoint of the journal."""
        await self._access.page_requester(request, kinds=("operator",))
        return await render(request, "portal/journal.html", state=await self._journal.state())


def _accesses() -> list[type[Event]]:
    """Every declared event that tells of an access to a record."""
    return [declared for declared in EVENTS.values() if issubclass(declared, AccessEvent)]


def _by_another(entry: Entry) -> bool:
    return entry.event is not None and entry.actor.id != entry.person_id

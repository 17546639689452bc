"""The pages of the watch list and of invented persons: propose, confirm as a second operator, end."""

from collections.abc import Awaitable, Callable
from datetime import date
from uuid import UUID

from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from esante.core.storage import uuid7
from esante.core.web import N_, NOT_FOUND, Problem, bad_request, clean_text, read_form, redirect, render
from esante.identity.access import Access, Requester
from esante.identity.directory import Address, Identifier, Person, catalogue
from esante.services.soc.health.context.people import Mark
from esante.services.soc.health.lists.service import MarkLists
from esante.services.soc.pages.page_words import MAX_WORDS, OPERATOR, shown, text_of, words

_PLACES = {Mark.WATCHED: "watched", Mark.INVENTED: "invented"}
LONGEST_NAME, LONGEST_LINE = 80, 120
"""Characters."""
_SEXES = ("female", "male")


class MarkPages:
    """What operators see and do about marked persons."""

    def __init__(self, lists: MarkLists, access: Access) -> None:
        self._lists, self._access = lists, access

    def routes(self) -> list[Route]:
        """Return the pages."""
        found = []
        for mark, name in _PLACES.items():
            place = f"{OPERATOR}/{name}"
            found += [
                Route(place, self._listing(mark)),
                Route(place, self._act(mark, self._propose), methods=["POST"]),
                Route(f"{place}/{{person_id:uuid}}/confirm", self._act(mark, self._confirm), methods=["POST"]),
                Route(f"{place}/{{person_id:uuid}}/end", self._act(mark, self._end), methods=["POST"]),
            ]
        return found

    def _listing(self, mark: Mark) -> Callable[[Request], Awaitable[Response]]:
        async def endpoint(request: Request) -> Response:
            return await self._show(request, mark)

        return endpoint

    def _act(
        self, mark: Mark, act: Callable[[Requester, Mark, UUID | None, FormData], Awaitable[str]]
    ) -> Callable[[Request], Awaitable[Response]]:
        async def endpoint(request: Request) -> Response:
            requester = await self._access.page_requester(request, ("operator",))
            form = await read_form(request)
            try:
                saved = await act(requester, mark, request.path_params.get("person_id"), form)
            except Problem as problem:
                return await self._show(request, mark, shown(problem), form)
            return redirect(f"{OPERATOR}/{_PLACES[mark]}?saved={saved}")

        return endpoint

    async def _show(
        self, request: Request, mark: Mark, problem: Problem | None = None, form: FormData | None = None
    ) -> Response:
        """Show a list, and the form of a proposal."""
        requester = await self._access.page_requester(request, ("operator",))
        query = request.query_params
        text = query.get("q", "").strip()[:MAX_WORDS]
        return await render(
            request,
            "soc/marks.html",
            problem.status if problem else 200,
            problem=problem,
            values={name: text_of(form, name)[:LONGEST_LINE] for name in form} if form else {},
            mark=mark,
            here=f"{OPERATOR}/{_PLACES[mark]}",
            page=await self._lists.page(requester, mark, text, query.get("cursor") or None),
            text=text,
            **words(request, requester),
        )

    async def _propose(self, requester: Requester, mark: Mark, person_id: UUID | None, form: FormData) -> str:
        reason = text_of(form, "reason")
        if mark is Mark.WATCHED:
            await self._lists.propose_watch_of(requester, text_of(form, "identifier"), reason)
        else:
            await self._lists.propose_invented(requester, _invented(form), reason)
        return "proposed"

    async def _confirm(self, requester: Requester, mark: Mark, person_id: UUID | None, form: FormData) -> str:
        await self._lists.confirm(requester, _known(person_id), mark)
        return "confirmed"

    async def _end(self, requester: Requester, mark: Mark, person_id: UUID | None, form: FormData) -> str:
        await self._lists.end(requester, _known(person_id), mark)
        return "ended"


def _known(person_id: UUID | None) -> UUID:
    if person_id is None:
        raise Problem(404, "not-found", NOT_FOUND)
    return person_id


def _invented(form: FormData) -> Person:
    """Return the invented person of a form. Raises: Problem 400."""

    def text(name: str, most: int = LONGEST_NAME) -> str:
        return clean_text(text_of(form, name), 1, most, name)

    try:
        born = date.fromisoformat(text_of(form, "born"))
    except ValueError as error:
        raise bad_request("born", N_("This is not a date."), code="value") from error
    sex = text_of(form, "sex")
    if sex not in _SEXES:
        raise bad_request("sex", N_("Choose a value of the list."), code="value")
    return Person(
        id=uuid7(),
        identifiers=(Identifier(catalogue().system("matricule").uri, text("matricule")),),
        family=text("family"),
        given=tuple(text("given").split()),
        birth_date=born,
        sex=sex,
        address=Address(text("line", LONGEST_LINE), text("postal_code"), text("city")),
        languages=("fr",),
    )

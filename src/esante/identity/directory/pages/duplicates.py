"""Pages of operators: entries that may be of one person, side by side, and what is decided about each pair."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from esante.core.web import NOT_FOUND, Problem, read_form, redirect, render
from esante.identity.directory.matching.duplicates import Duplicates
from esante.identity.directory.matching.model import Agreement, TraitWeight
from esante.identity.directory.merging.service import MAX_REASON, Merging, Operator
from esante.identity.directory.model import Catalogue, Identifier, Person
from esante.identity.directory.pages import words

PLACE = "/operator/duplicates"
_OPERATOR = ("operator",)
_SHOWN_IN_FORM = (400, 403, 409)
_MAX_TEXT = 100

Authenticate = Callable[[Request, Sequence[str]], Awaitable[Operator]]
"""Returns the requester of a page for some kinds of requesters; raises Problem."""


@dataclass(frozen=True, slots=True)
class TraitRow:
    """One trait of two entries, side by side: its values as they are stored, and what their agreement is worth."""

    weight: TraitWeight
    first: tuple[str | date, ...]
    second: tuple[str | date, ...]


def routes(duplicates: Duplicates, merging: Merging, catalogue: Catalogue, authenticate: Authenticate) -> list[Route]:
    """Return the routes of the queue and of a pair."""
    pages = _DuplicatePages(duplicates, merging, catalogue, authenticate)
    pair = f"{PLACE}/{{first:uuid}}/{{second:uuid}}"
    return [
        Route(PLACE, pages.queue),
        Route(pair, pages.pair, methods=["GET"]),
        Route(f"{pair}/merge", pages.merge, methods=["POST"]),
        Route(f"{pair}/different", pages.different, methods=["POST"]),
        Route(f"{pair}/reopen", pages.reopen, methods=["POST"]),
    ]


@dataclass(frozen=True, slots=True)
class _DuplicatePages:
    duplicates: Duplicates
    merging: Merging
    catalogue: Catalogue
    authenticate: Authenticate

    async def queue(self, request: Request) -> Response:
        """List the pairs that wait, or those that were judged to be of two people."""
        operator = await self.authenticate(request, _OPERATOR)
        state = request.query_params.get("state", "open")
        if state not in words.PAIR_STATES:
            raise Problem(404, "not-found", NOT_FOUND)
        text = request.query_params.get("q", "").strip()[:_MAX_TEXT]
        cursor = request.query_params.get("cursor") or None
        return await render(
            request,
            "directory/duplicates.html",
            page=await self.duplicates.list_pairs(operator, state, text, cursor),
            state=state,
            q=text,
            states=words.PAIR_STATES,
            grades=words.GRADES,
        )

    async def pair(self, request: Request, problem: Problem | None = None) -> Response:
        """Show two entries side by side, and the forms in which an operator decides."""
        operator = await self.authenticate(request, _OPERATOR)
        keys: tuple[UUID, UUID] = request.path_params["first"], request.path_params["second"]
        first, second, agreement = await self.duplicates.compare(operator, *keys)
        history = await self.merging.history(operator, [*keys])
        return await render(
            request,
            "directory/duplicate.html",
            problem.status if problem else 200,
            problem=problem,
            first=first,
            second=second,
            agreement=agreement,
            rows=trait_rows(first, second, agreement, self.catalogue),
            pair=await self.duplicates.find(operator, *keys),
            merges=[one for one in history if {one.losing_id, one.surviving_id} == set(keys)],
            longest=MAX_REASON,
            place=f"{PLACE}/{keys[0]}/{keys[1]}",
            traits=words.TRAITS,
            levels=words.LEVELS,
            grades=words.GRADES,
            merge_states=words.MERGE_STATES,
        )

    async def merge(self, request: Request) -> Response:
        """Propose the merge of a pair."""

        async def act(operator: Operator, form: FormData, first: UUID, second: UUID) -> str:
            first_stays = form.get("surviving") == "first"
            losing, surviving = (second, first) if first_stays else (first, second)
            merge = await self.merging.propose(operator, losing, surviving, _text(form, "reason"))
            return f"/operator/merges/{merge.id}"

        return await self._act(request, act)

    async def different(self, request: Request) -> Response:
        """Say that a pair is of two people."""

        async def act(operator: Operator, form: FormData, first: UUID, second: UUID) -> str:
            await self.duplicates.judge_different(operator, first, second, _text(form, "reason"))
            return PLACE

        return await self._act(request, act)

    async def reopen(self, request: Request) -> Response:
        """Let a pair wait again."""

        async def act(operator: Operator, form: FormData, first: UUID, second: UUID) -> str:
            await self.duplicates.reopen(operator, first, second, _text(form, "reason"))
            return f"{PLACE}/{first}/{second}"

        return await self._act(request, act)

    async def _act(
        self, request: Request, act: Callable[[Operator, FormData, UUID, UUID], Awaitable[str]]
    ) -> Response:
        """Carry out an act of a form and go on to the page that it returns; a refusal is shown above the form."""
        operator = await self.authenticate(request, _OPERATOR)
        form = await read_form(request)
        try:
            return redirect(await act(operator, form, request.path_params["first"], request.path_params["second"]))
        except Problem as problem:
            if problem.status not in _SHOWN_IN_FORM:
                raise
            return await self.pair(request, problem)


def _text(form: FormData, name: str) -> str:
    value: Any = form.get(name, "")
    return value if isinstance(value, str) else ""


def trait_rows(first: Person, second: Person, agreement: Agreement, catalogue: Catalogue) -> list[TraitRow]:
    """Return the compared traits of two entries, side by side."""
    one, other = _values(first, catalogue), _values(second, catalogue)
    return [TraitRow(weight, one[weight.trait], other[weight.trait]) for weight in agreement.weights]


def _values(person: Person, catalogue: Catalogue) -> dict[str, tuple[str | date, ...]]:
    system, address = catalogue.system("matricule").uri, person.address
    place = f"{address.postal_code} {address.city}".strip()
    return {
        "identifier": tuple(_identifier(one) for one in person.identifiers if one.system != system),
        "matricule": tuple(one.value for one in person.identifiers if one.system == system),
        "family": (person.family,),
        "given": (" ".join(person.given),),
        "birth_date": (person.birth_date,),
        "sex": (person.sex,),
        "address": tuple(text for text in (address.line, place) if text),
    }


def _identifier(identifier: Identifier) -> str:
    return f"{identifier.value} ({identifier.system})"

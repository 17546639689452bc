"""Pages of operators: merges that wait for a second operator, that are in force, and that ended."""

from collections.abc import Awaitable
from dataclasses import dataclass
from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from esante.core.web import NOT_FOUND, Problem, read_form, redirect, render
from esante.identity.directory.matching.duplicates import Duplicates
from esante.identity.directory.merging.model import Merge, MergeState
from esante.identity.directory.merging.service import MAX_REASON, Merging, Operator
from esante.identity.directory.model import Catalogue, Person
from esante.identity.directory.pages import words
from esante.identity.directory.pages.duplicates import Authenticate, trait_rows
from esante.identity.directory.service import Directory

PLACE = "/operator/merges"
_OPERATOR = ("operator",)
_SHOWN_IN_FORM = (400, 403, 409)


def routes(duplicates: Duplicates, merging: Merging, directory: Directory, authenticate: Authenticate) -> list[Route]:
    """Return the routes of the list of merges, and of one."""
    pages = _MergePages(duplicates, merging, directory, directory.catalogue, authenticate)
    return [
        Route(PLACE, pages.merges),
        Route(f"{PLACE}/{{merge_id:uuid}}", pages.merge, methods=["GET"]),
        Route(f"{PLACE}/{{merge_id:uuid}}/{{act:str}}", pages.act, methods=["POST"]),
    ]


@dataclass(frozen=True, slots=True)
class _MergePages:
    duplicates: Duplicates
    merging: Merging
    directory: Directory
    catalogue: Catalogue
    authenticate: Authenticate

    async def merges(self, request: Request) -> Response:
        """List the merges of a state, newest first."""
        operator = await self.authenticate(request, _OPERATOR)
        state = request.query_params.get("state", "proposed")
        if state not in words.MERGE_STATES:
            raise Problem(404, "not-found", NOT_FOUND)
        cursor = request.query_params.get("cursor") or None
        page = await self.merging.list_merges(operator, MergeState(state), None, cursor)
        persons = await self._persons(page.items)
        return await render(
            request,
            "directory/merges.html",
            page=page,
            persons=persons,
            state=state,
            states=words.MERGE_STATES,
        )

    async def merge(self, request: Request, problem: Problem | None = None) -> Response:
        """Show a merge with both entries, its history, and what an operator may do now."""
        operator = await self.authenticate(request, _OPERATOR)
        merge = await self.merging.find(operator, request.path_params["merge_id"])
        losing, surviving, agreement = await self.duplicates.compare(operator, merge.losing_id, merge.surviving_id)
        return await render(
            request,
            "directory/merge.html",
            problem.status if problem else 200,
            problem=problem,
            merge=merge,
            own=merge.proposed_by == operator.id,
            losing=losing,
            surviving=surviving,
            agreement=agreement,
            rows=trait_rows(losing, surviving, agreement, self.catalogue),
            longest=MAX_REASON,
            place=f"{PLACE}/{merge.id}",
            traits=words.TRAITS,
            levels=words.LEVELS,
            grades=words.GRADES,
            states=words.MERGE_STATES,
        )

    async def act(self, request: Request) -> Response:
        """Confirm, withdraw or undo a merge."""
        operator = await self.authenticate(request, _OPERATOR)
        form = await read_form(request)
        given = form.get("reason", "")
        reason = given if isinstance(given, str) else ""
        try:
            await self._carry_out(operator, request.path_params["act"], request.path_params["merge_id"], reason)
        except Problem as problem:
            if problem.status not in _SHOWN_IN_FORM:
                raise
            return await self.merge(request, problem)
        return redirect(f"{PLACE}/{request.path_params['merge_id']}")

    def _carry_out(self, operator: Operator, act: str, merge_id: UUID, reason: str) -> Awaitable[Merge]:
        match act:
            case "confirm":
                return self.merging.confirm(operator, merge_id)
            case "withdraw":
                return self.merging.withdraw(operator, merge_id, reason)
            case "undo":
                return self.merging.undo(operator, merge_id, reason)
        raise Problem(404, "not-found", NOT_FOUND)

    async def _persons(self, merges: list[Merge]) -> dict[UUID, Person]:
        return await self.directory.persons({key for one in merges for key in (one.losing_id, one.surviving_id)})

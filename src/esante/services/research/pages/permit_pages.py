"""The pages of permits: the public list and one permit, those of a researcher, the operators' withdrawal."""

from datetime import UTC
from typing import Any
from uuid import UUID

from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from esante.core.time_zone import today
from esante.core.types import Json
from esante.core.web import NOT_FOUND, Problem, read_form, redirect, render
from esante.identity.access import Access
from esante.services.research.accounts.service import Accounts
from esante.services.research.pages.form_values import (
    OPERATOR,
    RESEARCHER,
    catalogue_words,
    form_texts,
    searched,
    shown,
)
from esante.services.research.permits.model import PERMIT_KIND_NAMES, PERMIT_STATE_NAMES, Permit
from esante.services.research.permits.rules import state_on
from esante.services.research.permits.service import LONGEST, Permits

PUBLIC, OWN, OPERATORS = "/research/permits", "/researcher/permits", "/operator/permits"


def routes(permits: Permits, accounts: Accounts, access: Access) -> list[BaseRoute]:
    """Return the routes of permits."""
    public = _PublicPages(permits)
    own, operators = _OwnPages(permits, accounts, access), _OperatorPages(permits, accounts, access)
    one = "/{permit_id:uuid}"
    return [
        Route(PUBLIC, public.list),
        Route(f"{PUBLIC}.json", public.data),
        Route(PUBLIC + one, public.show),
        Route(OWN, own.list, methods=["GET"]),
        Route(OWN + one, own.show, methods=["GET"]),
        Route(OPERATORS, operators.list, methods=["GET"]),
        Route(OPERATORS + one, operators.show, methods=["GET"]),
        Route(f"{OPERATORS}{one}/withdraw", operators.withdraw, methods=["POST"]),
    ]


class _PublicPages:
    def __init__(self, permits: Permits) -> None:
        self._permits = permits

    async def list(self, request: Request) -> Response:
        """Show permits and approved data requests."""
        return await _render_list(request, self._permits, PUBLIC)

    async def show(self, request: Request) -> Response:
        """Show one, without the names of persons."""
        permit = await self._permits.find(request.path_params["permit_id"])
        return await _render_permit(request, permit, PUBLIC)

    async def data(self, request: Request) -> Response:
        """Answer with a page of permits: `permits`, and `next`, the address of the following ones."""
        page = await self._permits.published(searched(request), cursor=request.query_params.get("cursor"))
        found: Json = {"permits": [_entry(one) for one in page.items]}
        if page.next:
            following = request.url.include_query_params(cursor=page.next)
            found["next"] = f"{following.path}?{following.query}"
        return JSONResponse(found, headers={"Cache-Control": "no-store"})


class _OwnPages:
    def __init__(self, permits: Permits, accounts: Accounts, access: Access) -> None:
        self._permits, self._accounts, self._access = permits, accounts, access

    async def list(self, request: Request) -> Response:
        """Show the permits on which the requester is named."""
        requester = await self._access.page_requester(request, RESEARCHER)
        await self._accounts.current(requester)
        return await _render_list(request, self._permits, OWN, member=requester.id)

    async def show(self, request: Request) -> Response:
        """Show one, with the people that it names."""
        requester = await self._access.page_requester(request, RESEARCHER)
        await self._accounts.current(requester)
        permit = await self._permits.permit_for(requester.id, request.path_params["permit_id"])
        if permit is None:
            raise Problem(404, "not-found", NOT_FOUND)
        return await _render_permit(request, permit, OWN, people=await self._accounts.of_ids(permit.members))


class _OperatorPages:
    def __init__(self, permits: Permits, accounts: Accounts, access: Access) -> None:
        self._permits, self._accounts, self._access = permits, accounts, access

    async def list(self, request: Request) -> Response:
        """List permits."""
        await self._access.page_requester(request, OPERATOR)
        return await _render_list(request, self._permits, OPERATORS)

    async def show(self, request: Request, problem: Problem | None = None, form: FormData | None = None) -> Response:
        """Show a permit with its people, and what withdraws it."""
        await self._access.page_requester(request, OPERATOR)
        permit = await self._permits.find(request.path_params["permit_id"])
        people = await self._accounts.of_ids(permit.members)
        return await _render_permit(
            request, permit, OPERATORS, people=people, problem=problem, values=form_texts(form, "reason")
        )

    async def withdraw(self, request: Request) -> Response:
        """Withdraw a permit."""
        requester = await self._access.page_requester(request, OPERATOR)
        form, permit_id = await read_form(request), request.path_params["permit_id"]
        try:
            await self._permits.withdraw(requester, permit_id, form_texts(form, "reason")["reason"])
        except Problem as problem:
            return await self.show(request, shown(problem), form)
        return redirect(f"{OPERATORS}/{permit_id}")


async def _render_list(request: Request, permits: Permits, base: str, member: UUID | None = None) -> Response:
    """Render a list of permits at an address; `member`: only those on which an account is named."""
    text, params, day = searched(request), request.query_params, today()
    state, dataset = params.get("state", ""), params.get("dataset", "")
    words = catalogue_words()
    if (state and state not in PERMIT_STATE_NAMES) or (dataset and dataset not in words["dataset_names"]):
        raise Problem(404, "not-found", NOT_FOUND)
    page = await permits.published(text, state, [dataset] if dataset else None, params.get("cursor"), member)
    return await render(
        request,
        "research/permits.html",
        base=base,
        page=page,
        permits=[(one, state_on(one, day)) for one in page.items],
        q=text,
        chosen=state,
        chosen_dataset=dataset,
        states=PERMIT_STATE_NAMES,
        kinds=PERMIT_KIND_NAMES,
        **words,
    )


async def _render_permit(
    request: Request, permit: Permit, base: str, problem: Problem | None = None, **more: Any
) -> Response:
    return await render(
        request,
        "research/permit.html",
        problem.status if problem else 200,
        base=base,
        permit=permit,
        state=state_on(permit, today()),
        states=PERMIT_STATE_NAMES,
        kinds=PERMIT_KIND_NAMES,
        longest=LONGEST,
        problem=problem,
        **dict[str, Any](people=(), values={}) | more,
        **catalogue_words(),
    )


def _entry(permit: Permit) -> Json:
    """Return what is published of a permit."""
    entry: Json = {
        "id": str(permit.permit_id),
        "kind": permit.kind.value,
        "title": permit.title,
        "summary": permit.summary,
        "purpose": permit.purpose,
        "holder": permit.holder,
        "columns": {table: sorted(names) for table, names in sorted(permit.columns.items())},
        "validFrom": permit.valid_from.isoformat(),
        "validTo": permit.valid_to.isoformat(),
        "state": state_on(permit, today()).value,
    }
    if permit.withdrawn_at:
        entry["withdrawnAt"] = permit.withdrawn_at.astimezone(UTC).isoformat(timespec="seconds")
    return entry

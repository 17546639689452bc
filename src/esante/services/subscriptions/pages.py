"""The operators' page of subscriptions and dead letters, and the patient's page of the subscriptions of apps."""

from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from esante.core.types import Json
from esante.core.web import N_, NOT_FOUND, Problem, read_form, redirect, render
from esante.identity.access import Access
from esante.services.subscriptions.failure_reasons import describe_error
from esante.services.subscriptions.model import SubscriptionStatus
from esante.services.subscriptions.service import Subscriptions
from esante.services.subscriptions.topics import TOPICS

_OPERATOR, _PATIENT = ("operator",), ("patient",)
_MAX_TEXT = 100
STATUSES = {
    SubscriptionStatus.REQUESTED: (N_("waiting for confirmation"), "act"),
    SubscriptionStatus.ACTIVE: (N_("working"), "good"),
    SubscriptionStatus.ERROR: (N_("in error"), "danger"),
    SubscriptionStatus.OFF: (N_("off"), ""),
}
"""The msgid and the tone of each status."""


def routes(subscriptions: Subscriptions, access: Access) -> list[Route]:
    """Return the routes `/operator/subscriptions` and `/sharing/subscriptions`, and those of their forms."""
    admin = subscriptions.admin

    async def show_all(request: Request) -> Response:
        await access.page_requester(request, _OPERATOR)
        text = request.query_params.get("q", "").strip()[:_MAX_TEXT]
        cursor = request.query_params.get("cursor") or None
        everything = request.query_params.get("view") == "all"
        page = await (admin.subscriptions(text, cursor) if everything else admin.letters(text, cursor))
        return await render(
            request,
            "subscriptions/admin.html",
            page=page,
            everything=everything,
            q=text,
            figures=await admin.figures(),
            **_context(),
        )

    async def settle(request: Request) -> Response:
        requester = await access.page_requester(request, _OPERATOR)
        form = await read_form(request)
        act = {"retry": admin.retry, "give-up": admin.give_up}.get(request.path_params["act"])
        if act is None:
            raise Problem(404, "not-found", NOT_FOUND)
        await act(requester, _parse_uuid(str(form.get("letter", ""))))
        return redirect("/operator/subscriptions")

    async def show_own(request: Request) -> Response:
        requester = await access.page_requester(request, _PATIENT)
        own = await subscriptions.list_of_patient(requester)
        return await render(request, "subscriptions/own.html", subscriptions=own, **_context())

    async def end(request: Request) -> Response:
        requester = await access.page_requester(request, _PATIENT)
        form = await read_form(request)
        await subscriptions.end_own(requester, _parse_uuid(str(form.get("subscription", ""))))
        return redirect("/sharing/subscriptions")

    return [
        Route("/operator/subscriptions", show_all),
        Route("/operator/subscriptions/{act}", settle, methods=["POST"]),
        Route("/sharing/subscriptions", show_own),
        Route("/sharing/subscriptions/end", end, methods=["POST"]),
    ]


def _context() -> Json:
    return {"topics": TOPICS, "statuses": STATUSES, "describe_error": describe_error}


def _parse_uuid(text: str) -> UUID:
    """Parse the id in a form. Raises: `Problem` 404 for anything else."""
    try:
        return UUID(text)
    except ValueError as error:
        raise Problem(404, "not-found", NOT_FOUND) from error

"""The operator's page of subscriptions and dead letters, and a patient's page of what her apps are told."""

from typing import Any
from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from esante.core.web import N_, NOT_FOUND, Problem, read_form, redirect, render
from esante.identity.access import Access
from esante.services.subscriptions.failure_reasons import words_of
from esante.services.subscriptions.model import Status, Subscription
from esante.services.subscriptions.service import Subscriptions
from esante.services.subscriptions.topics import TOPICS

_OPERATOR, _PATIENT = ("operator",), ("patient",)
_MAX_TEXT = 100
STATUSES = {
    Status.REQUESTED: (N_("waits for the handshake"), "act"),
    Status.ACTIVE: (N_("works"), "good"),
    Status.ERROR: (N_("in error"), "danger"),
    Status.OFF: (N_("off"), ""),
}
"""What each status is called (a msgid), and its tone."""


def routes(subscriptions: Subscriptions, access: Access) -> list[Route]:
    """`/operator/subscriptions` and `/sharing/subscriptions`, with what can be done there."""
    desk = subscriptions.desk

    async def listed(request: Request) -> Response:
        await access.page_requester(request, _OPERATOR)
        text = request.query_params.get("q", "").strip()[:_MAX_TEXT]
        cursor = request.query_params.get("cursor") or None
        everything = request.query_params.get("view") == "all"
        page = await (desk.subscriptions(text, cursor) if everything else desk.letters(text, cursor))
        return await render(
            request,
            "subscriptions/desk.html",
            page=page,
            everything=everything,
            q=text,
            cursor=cursor,
            figures=await desk.figures(),
            **_terms(),
        )

    async def settle(request: Request) -> Response:
        requester = await access.page_requester(request, _OPERATOR)
        form = await read_form(request)
        act = {"retry": desk.retry, "give-up": desk.give_up}.get(request.path_params["act"])
        if act is None:
            raise Problem(404, "not-found", NOT_FOUND)
        await act(requester, _id(str(form.get("letter", ""))))
        return redirect("/operator/subscriptions")

    async def mine(request: Request) -> Response:
        requester = await access.page_requester(request, _PATIENT)
        found: list[Subscription] = await subscriptions.of_patient(requester)
        return await render(request, "subscriptions/mine.html", subscriptions=found, **_terms())

    async def end(request: Request) -> Response:
        requester = await access.page_requester(request, _PATIENT)
        form = await read_form(request)
        await subscriptions.end_own(requester, _id(str(form.get("subscription", ""))))
        return redirect("/sharing/subscriptions")

    return [
        Route("/operator/subscriptions", listed),
        Route("/operator/subscriptions/{act}", settle, methods=["POST"]),
        Route("/sharing/subscriptions", mine),
        Route("/sharing/subscriptions/end", end, methods=["POST"]),
    ]


def _terms() -> dict[str, Any]:
    return {"topics": TOPICS, "statuses": STATUSES, "words_of": words_of}


def _id(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError as error:
        raise Problem(404, "not-found", NOT_FOUND) from error

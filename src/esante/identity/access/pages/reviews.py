"""Pages of operators: reviews of emergencies and of admissions without proof of presence, and alarms."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from esante.core.journal import Entry, Journal
from esante.core.web import NOT_FOUND, Problem, read_form, redirect, render
from esante.identity.access.consent.break_glass import VERDICTS
from esante.identity.access.consent.review_store import Review
from esante.identity.access.events import EmergencyDeclared
from esante.identity.access.model import access_types
from esante.identity.access.pages.form_fields import form_text
from esante.identity.access.service import Access

_OPERATOR = ("operator",)
_KINDS = ("emergency", "stay")
_ACTIVITY = 200
"""Entries of the person that are searched for what was done with an access."""


def routes(access: Access, journal: Journal, categories: Mapping[str, str]) -> list[Route]:
    """Return the routes of reviews; `categories`: the names (msgids) of the categories of documents."""

    async def list_reviews(request: Request) -> Response:
        requester = await access.page_requester(request, _OPERATOR)
        done = request.query_params.get("done") == "1"
        cursor = request.query_params.get("cursor") or None
        kind = request.query_params.get("kind", "emergency")
        if kind not in _KINDS:
            raise Problem(404, "not-found", NOT_FOUND)
        return await render(
            request,
            "access/reviews.html",
            page=await access.emergencies.list_reviews(requester, kind, done=done, cursor=cursor),
            kind=kind,
            done=done,
            cursor=cursor,
            verdicts=VERDICTS,
            alarms=await access.emergencies.list_alarms(requester),
        )

    async def see_alarm(request: Request) -> Response:
        requester = await access.page_requester(request, _OPERATOR)
        await read_form(request)
        await access.emergencies.mark_alarm_seen(requester, request.path_params["alarm_id"])
        return redirect("/operator/reviews")

    async def review(request: Request) -> Response:
        return await _review(request, access, journal, categories)

    return [
        Route("/operator/reviews", list_reviews),
        Route("/operator/reviews/alarms/{alarm_id:uuid}", see_alarm, methods=["POST"]),
        Route("/operator/reviews/{grant_id:uuid}", review, methods=["GET", "POST"]),
    ]


async def _review(request: Request, access: Access, journal: Journal, categories: Mapping[str, str]) -> Response:
    """Show an emergency, and store the verdict of a submitted form."""
    requester = await access.page_requester(request, _OPERATOR)
    grant_id: UUID = request.path_params["grant_id"]
    problem = None
    if request.method == "POST":
        form = await read_form(request)
        try:
            await access.emergencies.review(requester, grant_id, form_text(form, "verdict"), form_text(form, "note"))
            return redirect("/operator/reviews")
        except Problem as error:
            if error.status != 400:
                raise
            problem = error
    emergency = await access.emergencies.find_review(requester, grant_id)
    if emergency is None:
        raise Problem(404, "not-found", NOT_FOUND)
    review, person = emergency
    return await render(
        request,
        "access/review.html",
        problem.status if problem else 200,
        problem=problem,
        review=review,
        person=person,
        verdicts=VERDICTS,
        activity=await _list_activity(journal, review),
        categories=categories,
    )


async def _list_activity(journal: Journal, review: Review) -> Sequence[Entry]:
    """Return the newest entries of what was read by the access under review; documents are not named to operators."""
    types = [type_ for type_ in access_types() if type_ is not EmergencyDeclared]
    entries = await journal.entries_of(review.person_id, types, limit=_ACTIVITY)
    return [entry for entry in entries if getattr(entry.event, "grant_id", None) == review.grant_id]

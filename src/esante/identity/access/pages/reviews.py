"""Pages of operators: reviews of emergencies and of admissions without proof of presence, and alarms."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from esante.core.journal import Entry, Journal
from esante.core.time_zone import day_of
from esante.core.web import NOT_FOUND, Problem, read_form, redirect, render
from esante.identity.access.audit.log_scan import scan_entries
from esante.identity.access.consent.break_glass import VERDICTS
from esante.identity.access.events import EmergencyDeclared, ReviewRead
from esante.identity.access.model import access_types
from esante.identity.access.pages.form_fields import form_text
from esante.identity.access.reviews.review_store import Review
from esante.identity.access.service import Access
from esante.identity.directory import Directory, Organization, Role

_OPERATOR = ("operator",)
_KINDS = ("emergency", "stay")
_ACTIVITY = 200
"""Entries at most that the page shows of what was done with an access."""
_YEAR = timedelta(days=365)


@dataclass(slots=True)
class Opened:
    """What was opened of one category of documents: how often, which documents, and when first and last."""

    first: datetime
    last: datetime
    accesses: int = 0
    documents: set[UUID] = field(default_factory=set)


def routes(access: Access, journal: Journal, directory: Directory, categories: Mapping[str, str]) -> list[Route]:
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
            verdicts=VERDICTS,
            alarms=await access.emergencies.list_alarms(requester),
        )

    async def see_alarm(request: Request) -> Response:
        requester = await access.page_requester(request, _OPERATOR)
        await read_form(request)
        await access.emergencies.mark_alarm_seen(requester, request.path_params["alarm_id"])
        return redirect("/operator/reviews")

    async def review(request: Request) -> Response:
        return await _review(request, access, journal, directory, categories)

    return [
        Route("/operator/reviews", list_reviews),
        Route("/operator/reviews/alarms/{alarm_id:uuid}", see_alarm, methods=["POST"]),
        Route("/operator/reviews/{grant_id:uuid}", review, methods=["GET", "POST"]),
    ]


async def _review(
    request: Request, access: Access, journal: Journal, directory: Directory, categories: Mapping[str, str]
) -> Response:
    """Show an access under review, and store the question or the verdict of a submitted form."""
    requester = await access.page_requester(request, _OPERATOR)
    grant_id: UUID = request.path_params["grant_id"]
    problem = None
    if request.method == "POST":
        form = await read_form(request)
        try:
            if "question" in form:
                await access.review_questions.ask(requester, grant_id, form_text(form, "question"))
                return redirect(f"/operator/reviews/{grant_id}")
            await access.emergencies.review(requester, grant_id, form_text(form, "verdict"), form_text(form, "note"))
            return redirect("/operator/reviews")
        except Problem as error:
            if error.status != 400:
                raise
            problem = error
    found = await access.emergencies.find_review(requester, grant_id)
    if found is None:
        raise Problem(404, "not-found", NOT_FOUND)
    review, person = found
    activity = await _list_activity(journal, review)
    return await render(
        request,
        "access/review.html",
        problem.status if problem else 200,
        problem=problem,
        review=review,
        person=person,
        verdicts=VERDICTS,
        activity=activity,
        opened=summarize(activity),
        categories=categories,
        duty=await _find_duty(directory, review),
        others=await access.emergencies.count_others(review, review.declared_at - _YEAR),
        questions=await access.review_questions.list_of_review(requester, grant_id),
        terms=directory.catalogue,
    )


async def _list_activity(journal: Journal, review: Review) -> Sequence[Entry]:
    """Return the newest entries of what was read by the access under review; documents are not named to operators."""
    types = [type_ for type_ in access_types() if type_ not in (EmergencyDeclared, ReviewRead)]
    page = await scan_entries(
        journal,
        [review.person_id],
        types,
        lambda entry: getattr(entry.event, "grant_id", None) == review.grant_id,
        before=None,
        since=review.declared_at,
        limit=_ACTIVITY,
    )
    return page.items


def summarize(activity: Sequence[Entry]) -> dict[str, Opened]:
    """Return what was opened, by category ("" for none), the most often opened first; `activity`: newest first."""
    found: dict[str, Opened] = {}
    for entry in activity:
        event: Any = entry.event
        for category in event.categories or ("",):
            opened = found.setdefault(category, Opened(first=entry.at, last=entry.at))
            opened.first = entry.at
            opened.accesses += 1
            if len(event.categories) == 1:
                opened.documents.update(event.documents)
    return dict(sorted(found.items(), key=lambda item: -item[1].accesses))


async def _find_duty(directory: Directory, review: Review) -> list[tuple[Role, Organization]]:
    """Return the roles that the professional under review had on the day of the access, with their organisations."""
    practitioner = await directory.practitioner(review.practitioner_id)
    day = day_of(review.declared_at)
    roles = [role for role in practitioner.roles if role.is_in_force(day)] if practitioner else []
    organizations = await directory.organizations(role.organization_id for role in roles)
    return [(role, organizations[role.organization_id]) for role in roles if role.organization_id in organizations]

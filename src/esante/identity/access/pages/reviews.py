"""Pages of operators: reviews of emergencies."""

from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from esante.core.web import NOT_FOUND, Problem, read_form, redirect, render
from esante.identity.access.consent.break_glass import VERDICTS
from esante.identity.access.pages.form_fields import form_text
from esante.identity.access.service import Access

_OPERATOR = ("operator",)


def routes(access: Access) -> list[Route]:
    """Return the routes of reviews."""

    async def list_reviews(request: Request) -> Response:
        requester = await access.page_requester(request, _OPERATOR)
        done = request.query_params.get("done") == "1"
        cursor = request.query_params.get("cursor") or None
        page = await access.emergencies.list_reviews(requester, done=done, cursor=cursor)
        return await render(request, "access/reviews.html", page=page, done=done, cursor=cursor, verdicts=VERDICTS)

    async def review(request: Request) -> Response:
        return await _review(request, access)

    return [
        Route("/operator/reviews", list_reviews),
        Route("/operator/reviews/{grant_id:uuid}", review, methods=["GET", "POST"]),
    ]


async def _review(request: Request, access: Access) -> Response:
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
    )

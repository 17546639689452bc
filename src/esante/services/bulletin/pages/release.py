"""The operator's page of the release workflow: look, answer for what is unusual, approve as the second person."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Protocol

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from esante.core.time_zone import time_zone
from esante.core.web import N_, NOT_FOUND, Problem, language_of, read_form, redirect, render
from esante.identity.access import Access
from esante.services.bulletin.model import Finding, Issue, Release, ReleaseState
from esante.services.bulletin.publication import paper
from esante.services.bulletin.publication.anomaly_text import finding_told
from esante.services.bulletin.publication.chart_blocks import summary
from esante.services.bulletin.publication.formatting import words
from esante.services.bulletin.publication.key_messages import messages_of
from esante.services.bulletin.release_calendar import release_time

STATES = {
    ReleaseState.BUILT: (N_("Built"), ""),
    ReleaseState.PREVIEWED: (N_("Looked at"), "act"),
    ReleaseState.APPROVED: (N_("Approved, waits for its hour"), "warn"),
    ReleaseState.RELEASED: (N_("Published"), "good"),
}

_ANSWER = ("month", "code", "subject", "note")


class Workflow(Protocol):
    """What the page asks of the bulletin."""

    async def preview(self, period: str, by: str) -> Issue:
        """The issue as it would be released."""

    async def unusual(self, period: str) -> list[Finding]:
        """The findings of all months of an issue."""

    async def acknowledge(self, period: str, code: str, subject: str, by: str, note: str) -> None:
        """Answer for a finding."""

    async def release(self, period: str, by: str, *, embargo_until: datetime | None = None) -> list[Release]:
        """Approve an issue."""


Releases = Callable[[], Awaitable[Sequence[Release]]]


def release_routes(work: Workflow, releases: Releases, access: Access, base_url: str) -> list[Route]:
    """Everything under /operator/bulletin; only operators find it."""

    async def listed(request: Request) -> Response:
        await access.page_requester(request, kinds=("operator",))
        newest = sorted(await releases(), key=lambda one: (one.period, one.number), reverse=True)
        return await render(
            request, "bulletin/releases.html", w=words(language_of(request)), releases=newest[:60], states=STATES
        )

    async def show(request: Request) -> Response:
        """The preview: looking at it is noted, for nothing is approved that nobody looked at."""
        requester = await access.page_requester(request, kinds=("operator",))
        return await _preview(request, requester.name)

    async def _preview(request: Request, by: str, error: str = "", status: int = 200, *, why: str = "") -> Response:
        period = request.path_params["period"]
        known = [one for one in await releases() if one.period == period]
        if not known:
            raise Problem(404, "not-found", NOT_FOUND)
        issue = await work.preview(period, by)
        laid_out = paper(issue, base_url)
        w = words(language_of(request))
        return await render(
            request,
            "bulletin/release.html",
            status,
            w=w,
            release=max(await releases(), key=lambda one: (one.period == period, one.number)),
            states=STATES,
            messages=messages_of(laid_out),
            table=summary(laid_out, laid_out.indicators, w, w.month(period)),
            findings=[(finding, finding_told(finding, w)) for finding in await work.unusual(period)],
            hour=release_time(period).astimezone(time_zone()),
            error=error,
            why=why,
            me=by,
        )

    async def acknowledge(request: Request) -> Response:
        requester = await access.page_requester(request, kinds=("operator",))
        form = await read_form(request)
        period = request.path_params["period"]
        month, code, subject, note = (str(form.get(name, "")).strip()[:500] for name in _ANSWER)
        if not note:
            return await _preview(request, requester.name, N_("Say what was found out."), 400)
        try:
            await work.acknowledge(month, code, subject, requester.name, note)
        except LookupError as error:
            raise Problem(404, "not-found", NOT_FOUND) from error
        return redirect(f"/operator/bulletin/{period}")

    async def approve(request: Request) -> Response:
        requester = await access.page_requester(request, kinds=("operator",))
        form = await read_form(request)
        period = request.path_params["period"]
        try:
            at = datetime.fromisoformat(str(form.get("hour", ""))).replace(tzinfo=time_zone())
        except ValueError:
            return await _preview(request, requester.name, N_("This is not a day and hour."), 400)
        try:
            await work.release(period, requester.name, embargo_until=at)
        except RuntimeError as error:
            return await _preview(request, requester.name, N_("It cannot be approved."), 409, why=str(error))
        return redirect("/operator/bulletin")

    return [
        Route("/operator/bulletin", listed),
        Route("/operator/bulletin/{period}", show),
        Route("/operator/bulletin/{period}/acknowledge", acknowledge, methods=["POST"]),
        Route("/operator/bulletin/{period}/approve", approve, methods=["POST"]),
    ]

"""The operator's pages of the release workflow: preview, acknowledge anomalies, approve as the second person."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Protocol

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from esante.core.time_zone import time_zone
from esante.core.web import N_, NOT_FOUND, Problem, language_of, read_form, redirect, render
from esante.identity.access import Access
from esante.services.bulletin.disclosure.intruder_audit import AuditUnsolved
from esante.services.bulletin.model import BulletinIssue, BulletinRefused, DataAnomaly, Release, ReleaseState
from esante.services.bulletin.publication import make_document
from esante.services.bulletin.publication.anomaly_text import anomaly_sentence
from esante.services.bulletin.publication.chart_blocks import summary_table
from esante.services.bulletin.publication.formatter import formatter
from esante.services.bulletin.publication.key_messages import key_messages
from esante.services.bulletin.release_calendar import release_time

STATES = {
    ReleaseState.BUILT: (N_("Prepared"), ""),
    ReleaseState.PREVIEWED: (N_("Previewed"), "act"),
    ReleaseState.APPROVED: (N_("Approved, scheduled"), "warn"),
    ReleaseState.RELEASED: (N_("Published"), "good"),
}

_ACKNOWLEDGEMENT_FIELDS = ("month", "code", "subject", "note")


class ReleaseWorkflow(Protocol):
    """The use cases of the bulletin that the pages need."""

    async def preview(self, period: str, by: str) -> BulletinIssue:
        """Return the issue as it would be released."""

    async def fetch_anomalies(self, period: str) -> list[DataAnomaly]:
        """Return the anomalies of all months of an issue."""

    async def acknowledge(self, period: str, code: str, subject: str, by: str, note: str) -> None:
        """Acknowledge an anomaly. Raises: LookupError for an unknown one."""

    async def release(self, period: str, by: str, *, embargo_until: datetime | None = None) -> list[Release]:
        """Approve an issue. Raises: BulletinRefused, AuditUnsolved."""


FetchReleases = Callable[[], Awaitable[Sequence[Release]]]
"""Returns the state of every vintage."""


def release_routes(
    workflow: ReleaseWorkflow, fetch_releases: FetchReleases, access: Access, base_url: str
) -> list[Route]:
    """Return the routes under /operator/bulletin; they exist for operators only."""
    endpoints = _ReleaseEndpoints(workflow, fetch_releases, access, base_url)
    return [
        Route("/operator/bulletin", endpoints.list_releases),
        Route("/operator/bulletin/{period}", endpoints.show_preview),
        Route("/operator/bulletin/{period}/acknowledge", endpoints.acknowledge, methods=["POST"]),
        Route("/operator/bulletin/{period}/approve", endpoints.approve, methods=["POST"]),
    ]


class _ReleaseEndpoints:
    """The endpoints of the release workflow; everybody but operators gets 404 or has to sign in."""

    def __init__(
        self, workflow: ReleaseWorkflow, fetch_releases: FetchReleases, access: Access, base_url: str
    ) -> None:
        self._workflow, self._fetch_releases = workflow, fetch_releases
        self._access, self._base = access, base_url

    async def list_releases(self, request: Request) -> Response:
        """Show the state of the newest vintages."""
        await self._operator(request)
        releases = sorted(await self._fetch_releases(), key=lambda one: (one.period, one.number), reverse=True)
        fmt = formatter(language_of(request))
        return await render(request, "bulletin/releases.html", fmt=fmt, releases=releases[:60], states=STATES)

    async def show_preview(self, request: Request) -> Response:
        """Show the preview, which is journalled: an approval requires it."""
        return await self._render_preview(request, await self._operator(request))

    async def acknowledge(self, request: Request) -> Response:
        """Acknowledge an anomaly with a note."""
        operator = await self._operator(request)
        form = await read_form(request)
        month, code, subject, note = (str(form.get(name, "")).strip()[:500] for name in _ACKNOWLEDGEMENT_FIELDS)
        if not note:
            return await self._render_preview(request, operator, N_("Enter what you found."), 400)
        try:
            await self._workflow.acknowledge(month, code, subject, operator, note)
        except LookupError as error:
            raise Problem(404, "not-found", NOT_FOUND) from error
        return redirect(f"/operator/bulletin/{request.path_params['period']}")

    async def approve(self, request: Request) -> Response:
        """Approve the issue, with an embargo until the given local time."""
        operator = await self._operator(request)
        form = await read_form(request)
        try:
            at = datetime.fromisoformat(str(form.get("hour", ""))).replace(tzinfo=time_zone())
        except ValueError:
            return await self._render_preview(request, operator, N_("Enter a valid date and time."), 400)
        try:
            await self._workflow.release(request.path_params["period"], operator, embargo_until=at)
        except (BulletinRefused, AuditUnsolved) as error:
            return await self._render_preview(
                request, operator, N_("This issue cannot be approved."), 409, detail=str(error)
            )
        return redirect("/operator/bulletin")

    async def _operator(self, request: Request) -> str:
        """Return the name of the signed-in operator."""
        return (await self._access.page_requester(request, kinds=("operator",))).name

    async def _render_preview(
        self, request: Request, operator: str, error: str = "", status: int = 200, *, detail: str = ""
    ) -> Response:
        period = request.path_params["period"]
        if not any(release.period == period for release in await self._fetch_releases()):
            raise Problem(404, "not-found", NOT_FOUND)
        document = make_document(await self._workflow.preview(period, operator), self._base)
        fmt = formatter(language_of(request))
        return await render(
            request,
            "bulletin/release.html",
            status,
            fmt=fmt,
            release=max(await self._fetch_releases(), key=lambda one: (one.period == period, one.number)),
            states=STATES,
            messages=key_messages(document),
            table=summary_table(document, document.indicators, fmt, fmt.month(period)),
            anomalies=[
                (anomaly, anomaly_sentence(anomaly, fmt)) for anomaly in await self._workflow.fetch_anomalies(period)
            ],
            hour=release_time(period).astimezone(time_zone()),
            error=error,
            detail=detail,
            operator=operator,
        )

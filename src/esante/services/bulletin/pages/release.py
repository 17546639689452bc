"""The operator's pages of the release workflow: preview, acknowledge anomalies, approve as the second person.

An approval is confirmed on a page of its own that names its consequences; it holds for the vintages shown there only.
"""

from collections.abc import Awaitable, Callable, Collection, Sequence
from datetime import datetime
from typing import Any, Protocol

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from esante.core import clock
from esante.core.time_zone import time_zone
from esante.core.web import N_, NOT_FOUND, Problem, language_of, read_form, redirect, render
from esante.identity.access import Access
from esante.services.bulletin.disclosure.intruder_audit import AuditUnsolved
from esante.services.bulletin.model import (
    BulletinIssue,
    BulletinRefused,
    CellFlag,
    DataAnomaly,
    Release,
    ReleaseState,
    VintageStatus,
)
from esante.services.bulletin.publication.anomaly_text import anomaly_sentence
from esante.services.bulletin.publication.chart_blocks import DataTable, revisions_table, summary_table
from esante.services.bulletin.publication.formatter import Formatter, formatter
from esante.services.bulletin.publication.issue_files import make_document
from esante.services.bulletin.publication.key_messages import key_messages
from esante.services.bulletin.publication.model import IssueDocument
from esante.services.bulletin.release_calendar import ScheduledRelease, release_time, scheduled_releases

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

    async def issue(self, period: str, *, including: str = "released") -> BulletinIssue:
        """Return an issue, with `including="draft"` as it would be released. Raises: LookupError if there is none."""

    async def check_release(self, period: str, by: str) -> list[Release]:
        """Return the vintages that an approval would release. Raises: BulletinRefused, AuditUnsolved."""

    async def release(
        self,
        period: str,
        by: str,
        *,
        embargo_until: datetime | None = None,
        confirmed: Collection[tuple[str, int]] | None = None,
    ) -> list[Release]:
        """Approve the confirmed vintages of an issue. Raises: BulletinRefused, AuditUnsolved."""


FetchReleases = Callable[[], Awaitable[Sequence[Release]]]
"""Returns the state of every vintage."""


def release_routes(
    workflow: ReleaseWorkflow, fetch_releases: FetchReleases, access: Access, base_url: str, portal_url: str = ""
) -> list[Route]:
    """Return the routes under /operator/bulletin; they exist for operators only.

    `portal_url`: the national open data portal to which releases are pushed, if there is one.
    """
    endpoints = _ReleaseEndpoints(workflow, fetch_releases, access, base_url, portal_url)
    return [
        Route("/operator/bulletin", endpoints.list_releases),
        Route("/operator/bulletin/{period}", endpoints.show_preview),
        Route("/operator/bulletin/{period}/acknowledge", endpoints.acknowledge, methods=["POST"]),
        Route("/operator/bulletin/{period}/approve", endpoints.confirm),
        Route("/operator/bulletin/{period}/approve", endpoints.approve, methods=["POST"]),
    ]


class _ReleaseEndpoints:
    """The endpoints of the release workflow; everybody but operators gets 404 or has to sign in."""

    def __init__(
        self, workflow: ReleaseWorkflow, fetch_releases: FetchReleases, access: Access, base_url: str, portal_url: str
    ) -> None:
        self._workflow, self._fetch_releases = workflow, fetch_releases
        self._access, self._base, self._portal = access, base_url, portal_url

    async def list_releases(self, request: Request) -> Response:
        """Show the state of the newest vintages, and the months that are late."""
        await self._operator(request)
        releases = sorted(await self._fetch_releases(), key=lambda one: (one.period, one.number), reverse=True)
        late = _late(releases)
        return await render(
            request,
            "bulletin/releases.html",
            fmt=formatter(language_of(request)),
            releases=releases[:60],
            states=STATES,
            late={one.period for one in late},
            unprepared=[one for one in late if all(release.period != one.period for release in releases)],
        )

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

    async def confirm(self, request: Request) -> Response:
        """Show what an approval would make public, where and when, and what changes by it."""
        operator, period = await self._operator(request), await self._known_period(request)
        hour = _hour(request.query_params.get("hour", ""))
        if hour is None:
            return await self._render_preview(request, operator, _WRONG_HOUR, 400)
        try:
            pending = await self._workflow.check_release(period, operator)
        except (BulletinRefused, AuditUnsolved) as error:
            return await self._render_preview(request, operator, _REFUSED, 409, detail=str(error))
        document = make_document(await self._workflow.issue(period, including="draft"), self._base)
        fmt = formatter(language_of(request))
        return await render(
            request,
            "bulletin/confirm.html",
            fmt=fmt,
            period=period,
            hour=hour,
            at_once=hour <= clock.now(),
            confirmed=" ".join(f"{release.period}/{release.number}" for release in pending),
            **_consequences(document, pending),
            changes=_changes(document, pending, fmt),
            address=f"{self._base}/bulletin/{period}",
            portal=self._portal,
        )

    async def approve(self, request: Request) -> Response:
        """Approve the confirmed vintages of the issue, with an embargo until the given local time."""
        operator, period = await self._operator(request), await self._known_period(request)
        form = await read_form(request)
        hour = _hour(str(form.get("hour", "")))
        if hour is None:
            return await self._render_preview(request, operator, _WRONG_HOUR, 400)
        confirmed = _confirmed(str(form.get("confirmed", "")))
        try:
            await self._workflow.release(period, operator, embargo_until=hour, confirmed=confirmed)
        except (BulletinRefused, AuditUnsolved) as error:
            return await self._render_preview(request, operator, _REFUSED, 409, detail=str(error))
        return redirect(f"/operator/bulletin/{period}")

    async def _known_period(self, request: Request) -> str:
        """Return the month of the address. Raises: Problem 404 when it has no vintage."""
        period: str = request.path_params["period"]
        if not any(release.period == period for release in await self._fetch_releases()):
            raise Problem(404, "not-found", NOT_FOUND)
        return period

    async def _operator(self, request: Request) -> str:
        """Return the name of the signed-in operator."""
        return (await self._access.page_requester(request, kinds=("operator",))).name

    async def _render_preview(
        self, request: Request, operator: str, error: str = "", status: int = 200, *, detail: str = ""
    ) -> Response:
        period = await self._known_period(request)
        document = make_document(await self._workflow.preview(period, operator), self._base)
        fmt = formatter(language_of(request))
        due = release_time(period)
        releases = await self._fetch_releases()
        return await render(
            request,
            "bulletin/release.html",
            status,
            fmt=fmt,
            release=max(releases, key=lambda one: (one.period == period, one.number)),
            states=STATES,
            messages=key_messages(document),
            table=summary_table(document, document.indicators, fmt, fmt.month(period)),
            anomalies=[
                (anomaly, anomaly_sentence(anomaly, fmt)) for anomaly in await self._workflow.fetch_anomalies(period)
            ],
            hour=due.astimezone(time_zone()),
            late=due if any(one.period == period for one in _late(releases)) else None,
            portal=self._portal,
            error=error,
            detail=detail,
            operator=operator,
        )


_WRONG_HOUR = N_("Enter a valid date and time.")
_REFUSED = N_("This issue cannot be approved.")


def _late(releases: Sequence[Release]) -> list[ScheduledRelease]:
    """Return the months that should be public by now."""
    newest = max((one.period for one in releases if one.state is ReleaseState.RELEASED), default=None)
    return [one for one in scheduled_releases(newest, clock.now()) if one.late]


def _hour(text: str) -> datetime | None:
    """Return the time of a form field in the server's time zone; None for any other text."""
    try:
        return datetime.fromisoformat(text).replace(tzinfo=time_zone())
    except ValueError:
        return None


def _confirmed(text: str) -> list[tuple[str, int]]:
    """Return the vintages that a form confirms ("2026-10/1 2026-09/2"); what is not written so is none."""
    parts = (entry.partition("/") for entry in text.split())
    return [(period, int(number)) for period, _, number in parts if number.isascii() and number.isdigit()]


def _consequences(document: IssueDocument, pending: Sequence[Release]) -> dict[str, Any]:
    """Return what becomes public: new months, revised ones, and the numbers of figures shown and withheld."""
    keys = {(release.period, release.number) for release in pending}
    vintages = [
        vintage
        for vintage in (*document.issue.history, document.issue.vintage)
        if (vintage.period, vintage.number) in keys
    ]
    cells = [cell for vintage in vintages for cell in vintage.cells]
    return {
        "new": [vintage.period for vintage in vintages if vintage.status is not VintageStatus.REVISED],
        "revised": [vintage for vintage in vintages if vintage.status is VintageStatus.REVISED],
        "shown": sum(cell.value is not None for cell in cells),
        "withheld": sum(cell.flag is CellFlag.SUPPRESSED for cell in cells),
    }


def _changes(document: IssueDocument, pending: Sequence[Release], fmt: Formatter) -> DataTable:
    """Return the public figures that an approval changes."""
    keys = {(release.period, release.number) for release in pending}
    changed = [one for one in document.issue.revisions if (one.after.period, one.number) in keys]
    return revisions_table(document, changed, fmt)

"""The pages that show everything at a glance: the overview with the live rate, and the timeline."""

from collections.abc import Iterable, Mapping
from datetime import date, datetime, time, timedelta
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from esante.core.storage import parse_uuid
from esante.core.time_zone import time_zone
from esante.core.web import NOT_FOUND, Problem, language_of, render, render_part, show_date
from esante.identity.access import Access
from esante.services.soc.console.flow import MOST_WAITING, EventFlow
from esante.services.soc.console.model import FlowStep, Span, TimelineFilter
from esante.services.soc.console.overview import Overview
from esante.services.soc.console.overview_store import MOST_COUNTED
from esante.services.soc.console.timeline import Timeline
from esante.services.soc.duties.service import Duties
from esante.services.soc.pages.console.source_words import PLACES, words
from esante.services.soc.pages.page_words import CONTACT, MAX_WORDS, OPERATOR, page_requester

_KINDS = ("", "alerts", "cases")


class OverviewPages:
    """What is seen first."""

    def __init__(
        self,
        overview: Overview,
        flow: EventFlow,
        timeline: Timeline,
        duties: Duties,
        access: Access,
    ) -> None:
        self._overview, self._flow, self._timeline = overview, flow, timeline
        self._duties, self._access = duties, access

    def routes(self) -> list[Route]:
        """Return the pages."""
        return [
            Route(OPERATOR, self.overview),
            Route(f"{CONTACT}/overview", self.overview),
            *(Route(f"{place}/flow", self.flow) for place in PLACES),
            *(Route(f"{place}/timeline", self.timeline) for place in PLACES),
        ]

    async def overview(self, request: Request) -> Response:
        """Show what comes in, waits, runs and is silent."""
        requester, span = await page_requester(request, self._access), request.query_params.get("span", "day")
        if span not in [*Span]:
            raise Problem(404, "not-found", NOT_FOUND)
        summary = await self._overview.summary(requester)
        language = language_of(request)
        return await render(
            request,
            "soc/overview.html",
            summary=summary,
            flow=await self._flow.now(requester),
            clocks=await self._duties.clocks(requester),
            span=span,
            event_marks=_event_marks(await self._flow.history(requester, Span(span)), language),
            alert_marks=[(show_date(day, language), count, _number(count)) for day, count in summary.days],
            most_counted=MOST_COUNTED,
            **_FLOW,
            **words(request, requester),
        )

    async def flow(self, request: Request) -> Response:
        """Show what comes in now: the part of the overview that is asked for again and again."""
        requester = await page_requester(request, self._access)
        context = {**_FLOW, "flow": await self._flow.now(requester), **words(request, requester)}
        part = await render_part(request, "soc/flow.html", **context)
        return HTMLResponse(part, headers={"Cache-Control": "no-store"})

    async def timeline(self, request: Request) -> Response:
        """List alerts and what happened in cases."""
        requester = await page_requester(request, self._access)
        query = request.query_params
        keep = {name: value for name, value in query.items() if name not in ("cursor", "before") and value}
        wanted = _wanted(keep)
        return await render(
            request,
            "soc/timeline.html",
            page=await self._timeline.page(requester, wanted, query.get("cursor") or None),
            wanted=wanted,
            keep=keep,
            **words(request, requester),
        )


def _wanted(given: Mapping[str, str]) -> TimelineFilter:
    """Return the filter of an address. Raises: Problem 404 for one that no form makes."""
    kind, level, member, until = (given.get(name, "") for name in ("kind", "level", "member", "until"))
    try:
        if kind not in _KINDS or len(level) > 1:
            raise ValueError(kind)
        return TimelineFilter(
            kind=kind,
            level=int(level or "0"),
            text=given.get("q", "").strip()[:MAX_WORDS],
            tenant_id=parse_uuid(member) if member else None,
            until=_end_of(date.fromisoformat(until)) if until else None,
        )
    except (ValueError, OverflowError) as error:
        raise Problem(404, "not-found", NOT_FOUND) from error


def _end_of(day: date) -> datetime:
    return datetime.combine(day + timedelta(days=1), time(), time_zone())


def _event_marks(steps: Iterable[FlowStep], language: str) -> list[tuple[str, int, str]]:
    """Return what a plot shows of steps: day and time, the number, the number as text."""
    zone = time_zone()
    starts = [(step, step.start.astimezone(zone)) for step in steps]
    return [(f"{show_date(at.date(), language)} {at:%H:%M}", step.events, _number(step.events)) for step, at in starts]


def _number(count: int) -> str:
    return f"{count:,}".replace(",", "\u202f")


def _rate(per_second: float) -> str:
    """Return a rate with a decimal below ten."""
    return f"{per_second:.1f}" if 0 < per_second < 10 else _number(round(per_second))


_FLOW: dict[str, Any] = {"rate": _rate, "most_waiting": MOST_WAITING}
"""What the part with the live rate gets besides."""

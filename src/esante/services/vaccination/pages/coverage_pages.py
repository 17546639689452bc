"""The pages of operators about coverage and the calendar in force."""

from datetime import date

from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from esante.core.time_zone import today
from esante.core.web import N_, Problem, bad_request, gettext_of, read_form, redirect, render
from esante.identity.access import Access
from esante.services.vaccination.coverage.service import (
    FIRST_YEAR,
    LAST_YEAR,
    Coverage,
    CoverageQuery,
    Coverages,
    coverage_csv,
)
from esante.services.vaccination.products.catalogue import catalogue
from esante.services.vaccination.reminders.forecasts import Forecasts, rules_in_force

PLACE = "/operator/vaccinations"
PAGE_SIZE = 25
BY = {
    "birth_year": N_("Year of birth"),
    "canton": N_("Canton"),
    "antigen": N_("Disease"),
}
"""By what coverage is shown (msgids)."""


class CoveragePages:
    """What operators see of coverage."""

    def __init__(self, coverages: Coverages, forecasts: Forecasts, access: Access) -> None:
        self._coverages, self._forecasts, self._access = coverages, forecasts, access

    def routes(self) -> list[Route]:
        """Return the pages."""
        return [
            Route(PLACE, self.show),
            Route(f"{PLACE}.csv", self.download),
            Route(f"{PLACE}/count", self.count, methods=["POST"]),
        ]

    async def count(self, request: Request) -> Response:
        """Let the current month be counted again, after the response: in a large country that takes a while."""
        await self._access.page_requester(request, ("operator",))
        await read_form(request)
        response = redirect(f"{PLACE}?saved=count")
        response.background = BackgroundTask(self._coverages.refresh, force=True)
        return response

    async def show(self, request: Request) -> Response:
        """Show coverage by a group, over time, and how far the forecasts are."""
        requester = await self._access.page_requester(request, ("operator",))
        problem, query = None, CoverageQuery(antigen="measles")
        try:
            query = _query(request)
        except Problem as found:
            problem = found
        months = await self._coverages.months(requester)
        query = _of_month(query, months)
        rows = await self._coverages.show(requester, query)
        if query.by == "birth_year":
            rows.reverse()
        text, offset = request.query_params.get("q", "").strip()[:60], _offset(request)
        named = [(_name(one, query, request), one) for one in rows]
        found_rows = [one for one in named if text.casefold() in one[0].casefold()]
        total, waiting = await self._forecasts.count()
        return await render(
            request,
            "vaccination/coverage.html",
            problem.status if problem else 200,
            problem=problem,
            query=query,
            rows=found_rows[offset : offset + PAGE_SIZE],
            next=str(offset + PAGE_SIZE) if len(found_rows) > offset + PAGE_SIZE else None,
            text=text,
            months=months,
            marks=_marks(await self._coverages.series(requester, query)) if query.antigen else [],
            by=BY,
            antigens=catalogue().antigens,
            years=(FIRST_YEAR, LAST_YEAR),
            total=total,
            stale=waiting,
            rules=rules_in_force().name,
            keep=_kept(request),
            counted_at=await self._coverages.counted_at(requester),
            saved=request.query_params.get("saved", ""),
        )

    async def download(self, request: Request) -> Response:
        """Return the table as CSV."""
        requester = await self._access.page_requester(request, ("operator",))
        query = _of_month(_query(request), await self._coverages.months(requester))
        headers = {"Content-Disposition": 'attachment; filename="coverage.csv"', "Cache-Control": "no-store"}
        made = coverage_csv(query, await self._coverages.show(requester, query))
        return Response(made, media_type="text/csv", headers=headers)


def _query(request: Request) -> CoverageQuery:
    """Return what is asked for. Raises: `Problem` 400 for a wrong year, month or disease."""
    asked = request.query_params
    by, antigen = asked.get("by", "birth_year"), asked.get("antigen", "measles")
    if by == "antigen":
        antigen = ""
    elif antigen not in catalogue().antigens:
        raise bad_request("antigen", N_("This disease is not in the list."), code="value")
    if by not in BY:
        raise bad_request("by", N_("Choose the grouping from the list."), code="value")
    return CoverageQuery(
        antigen=antigen,
        by=by,
        month=_month(asked.get("month", "")),
        first_year=_year(asked.get("from", ""), FIRST_YEAR, "from"),
        last_year=_year(asked.get("to", ""), LAST_YEAR, "to"),
        canton=None,
    )


def _of_month(query: CoverageQuery, months: list[date]) -> CoverageQuery:
    """Return a query of the newest month where it names none."""
    month = query.month or (months[0] if months else today().replace(day=1))
    return CoverageQuery(
        antigen=query.antigen, by=query.by, month=month, first_year=query.first_year, last_year=query.last_year
    )


def _year(text: str, default: int, place: str) -> int:
    if not text.strip():
        return default
    if not (text.isascii() and text.isdigit() and FIRST_YEAR <= int(text[:6]) <= LAST_YEAR):
        raise bad_request(place, N_("This is not a year of birth."), code="value")
    return int(text)


def _month(text: str) -> date | None:
    if not text:
        return None
    try:
        return date.fromisoformat(f"{text}-01")
    except ValueError as error:
        raise bad_request("month", N_("This is not a month."), code="value") from error


def _offset(request: Request) -> int:
    text = request.query_params.get("cursor", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 7 else 0


def _kept(request: Request) -> dict[str, str]:
    names = ("antigen", "by", "month", "from", "to")
    return {name: value for name in names if (value := request.query_params.get(name, "")[:40])}


def _name(one: Coverage, query: CoverageQuery, request: Request) -> str:
    """Return the name of a group in the language of the page."""
    label = catalogue().antigens[one.group].label if query.by == "antigen" else N_("Canton not known")
    return str(gettext_of(request)(label)) if query.by == "antigen" or not one.group else one.group


def _marks(series: list[tuple[date, Coverage]]) -> list[tuple[date, float, str]]:
    """Return the share of those who are up to date in each month for a plot."""
    shares = [(month, one.valid_share) for month, one in series]
    return [(month, share or 0, "–" if share is None else f"{share}") for month, share in shares]

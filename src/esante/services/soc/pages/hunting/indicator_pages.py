"""The pages of threat intelligence, for operators."""

from datetime import timedelta

from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from esante.core import clock
from esante.core.web import N_, Problem, bad_request, read_form, render
from esante.identity.access import Access
from esante.services.soc.intelligence.model import KIND_NAMES, IndicatorFilter, Reading, Tlp
from esante.services.soc.intelligence.observables import ObservableKind
from esante.services.soc.intelligence.service import MAX_FILE, Intelligence
from esante.services.soc.pages.page_words import MAX_WORDS, OPERATOR, shown, text_of, words

_SHOWN_DAYS = 30


class IndicatorPages:
    """Feeds, indicators and their matches."""

    def __init__(self, intelligence: Intelligence, access: Access) -> None:
        self._intelligence, self._access = intelligence, access

    def routes(self) -> list[Route]:
        """Return the pages."""
        return [
            Route(f"{OPERATOR}/indicators", self.show),
            Route(f"{OPERATOR}/indicators", self.import_file, methods=["POST"]),
        ]

    async def show(
        self, request: Request, problem: Problem | None = None, imported: tuple[int, int, Reading] | None = None
    ) -> Response:
        """Show how the feeds are read, what matched, and the indicators."""
        requester = await self._access.page_requester(request, ("operator",))
        query = request.query_params
        kind = query.get("kind", "")
        wanted = IndicatorFilter(
            text=query.get("q", "").strip()[:MAX_WORDS],
            kind=ObservableKind(kind) if kind in list(ObservableKind) else None,
        )
        since = clock.now().date() - timedelta(days=_SHOWN_DAYS)
        days = {day: (kept, dropped) for day, kept, dropped in await self._intelligence.days(requester, since)}
        shown_days = [since + timedelta(days=number) for number in range(_SHOWN_DAYS + 1)]
        totals = [(day.isoformat(), sum(days.get(day, (0, 0)))) for day in shown_days]
        return await render(
            request,
            "soc/indicators.html",
            problem.status if problem else 200,
            problem=problem,
            imported=imported,
            feeds=self._intelligence.feeds,
            states=await self._intelligence.states(requester),
            page=await self._intelligence.page(requester, wanted, query.get("cursor") or None),
            wanted=wanted,
            busiest=await self._intelligence.busiest(requester, since),
            marks=[(day, count, str(count)) for day, count in totals],
            dropped=sum(dropped for _, dropped in days.values()),
            kind_names=KIND_NAMES,
            tlp_values=[*Tlp],
            **words(request, requester),
        )

    async def import_file(self, request: Request) -> Response:
        """Read a file of indicators."""
        requester = await self._access.page_requester(request, ("operator",))
        try:
            form = await read_form(request, MAX_FILE + 10_000)
            file, tlp = form.get("file"), text_of(form, "tlp")
            if not isinstance(file, UploadFile) or not file.filename:
                raise bad_request("file", N_("Choose a file."), code="value")
            content = await file.read(MAX_FILE + 1)
            imported = await self._intelligence.import_file(
                requester, file.filename[:80], content, Tlp(tlp) if tlp in list(Tlp) else Tlp.AMBER
            )
        except Problem as problem:
            return await self.show(request, shown(problem))
        return await self.show(request, None, imported)

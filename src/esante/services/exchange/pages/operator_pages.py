"""The pages of operators: overview, countries, messages, codes without a translation."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from esante.core import clock
from esante.core.time_zone import time_zone, today
from esante.core.web import (
    N_,
    NOT_FOUND,
    P_,
    Problem,
    bad_request,
    clean_text,
    language_of,
    read_form,
    redirect,
    render,
    show_date,
)
from esante.identity.access import Access, Requester
from esante.services.exchange.audit import AuditTrail, Side
from esante.services.exchange.audit.figures import month_bounds, write_csv
from esante.services.exchange.contact_points import ContactPoint, ContactPoints
from esante.services.exchange.contact_points.doctor import WARN_BEFORE
from esante.services.exchange.contact_points.registration import fingerprint
from esante.services.exchange.pages.country_names import country_name
from esante.services.exchange.settings import ExchangeSettings

PLACE = "/operator/exchange"
SPAN = timedelta(days=30)
_OPERATOR = ("operator",)
_MAX_WORDS = 80
_SHOWN_IN_FORM = (400, 409)
TRANSACTIONS = {
    "ITI-55": N_("Identification of a patient"),
    "ITI-38": N_("List of documents"),
    "ITI-39": N_("Document"),
    "ITI-41": N_("Dispensation"),
}
CLASSES = {
    "60591-5": N_("Patient summary"),
    "57833-6": N_("Prescription"),
    "60593-1": N_("Dispensation"),
    "DISCARD-60593-1": N_("Withdrawn dispensation"),
    "11502-2": N_("Laboratory report"),
    "34105-7": N_("Discharge letter"),
    "18748-4": N_("Imaging report"),
}
SIDES = {Side.ANSWERED: N_("Answered"), Side.ASKED: N_("Asked")}
OUTCOMES = {
    "untranslated": N_("No name in this language"),
    "not in catalogue": N_("Not in the catalogue"),
    "error": N_("Cannot be understood"),
}
FIELDS = {
    "id": N_("Identifier"),
    "text": N_("Text"),
    "birthDate": N_("Date of birth"),
    "sex": P_("person", "Sex"),
}
Mark = tuple[str, float, str]


class OperatorPages:
    """What operators of the contact point see and do."""

    def __init__(self, points: ContactPoints, trail: AuditTrail, access: Access, settings: ExchangeSettings) -> None:
        self._points, self._trail, self._access, self._settings = points, trail, access, settings

    def routes(self) -> list[Route]:
        """Return the pages."""
        one = f"{PLACE}/countries/{{country}}"
        return [
            Route(PLACE, self.overview),
            Route(f"{PLACE}/countries", self.countries),
            Route(one, self.country),
            Route(f"{one}/state", self.change, methods=["POST"]),
            Route(f"{PLACE}/messages", self.messages),
            Route(f"{PLACE}/losses", self.losses),
            Route(f"{PLACE}/figures.csv", self.figures),
        ]

    async def overview(self, request: Request) -> Response:
        """Show the exchange at a glance."""
        await self._access.page_requester(request, _OPERATOR)
        marks, totals = await self._traffic("", language_of(request))
        registered = await self._points.all()
        return await render(
            request,
            "exchange/overview.html",
            registered=registered,
            attention=[one for one in registered if self._state(one) != "good"],
            own=self._points.own if self._points.is_configured else None,
            connector=self._settings.ncp_connector,
            has_catalogue=bool(self._settings.ncp_catalogue),
            marks=marks,
            totals=totals,
            **self._words(request),
        )

    async def countries(self, request: Request) -> Response:
        """List the registered countries."""
        await self._access.page_requester(request, _OPERATOR)
        text, language = _text(request), language_of(request)
        found = [one for one in await self._points.all() if _matches(one, text, language)]
        return await render(request, "exchange/countries.html", found=found, text=text, **self._words(request))

    async def country(
        self, request: Request, problem: Problem | None = None, form: FormData | None = None
    ) -> Response:
        """Show a country: where it answers, its certificates, its search mask, the traffic with it."""
        await self._access.page_requester(request, _OPERATOR)
        one = await self._registered(request)
        marks, totals = await self._traffic(one.country, language_of(request))
        return await render(
            request,
            "exchange/country.html",
            problem.status if problem else 200,
            problem=problem,
            reason=str(form.get("reason", ""))[:500] if form else "",
            one=one,
            certificates=[(N_("Seal"), seal) for seal in one.seals] + [(N_("Connections"), tls) for tls in one.tls],
            fingerprint=fingerprint,
            marks=marks,
            totals=totals,
            saved=request.query_params.get("saved", ""),
            **self._words(request),
        )

    async def change(self, request: Request) -> Response:
        """Suspend or resume the exchange with a country."""
        requester, form = await self._access.page_requester(request, _OPERATOR), await read_form(request)
        one = await self._registered(request)
        try:
            saved = await self._change(requester, one.country, form)
        except Problem as problem:
            if problem.status not in _SHOWN_IN_FORM:
                raise
            return await self.country(request, problem, form)
        return redirect(f"{PLACE}/countries/{one.country}?saved={saved}")

    async def _change(self, requester: Requester, country: str, form: FormData) -> str:
        reason = clean_text(str(form.get("reason", "")), 10, 500, "reason")
        match form.get("act"):
            case "suspend":
                await self._points.suspend(requester, country, reason)
                return "suspended"
            case "resume":
                await self._points.resume(requester, country, reason)
                return "resumed"
        raise bad_request("act", N_("Choose what is to be done."), code="value")

    async def messages(self, request: Request) -> Response:
        """List the messages, searched and filtered."""
        requester, query = await self._access.page_requester(request, _OPERATOR), request.query_params
        text, country, side = _text(request), query.get("country", "")[:2], query.get("side", "")
        is_failed = query.get("failed") == "1"
        page = await self._trail.page(
            requester, country, side if side in SIDES else "", text, query.get("cursor") or None, is_failed=is_failed
        )
        return await render(
            request,
            "exchange/messages.html",
            page=page,
            text=text,
            country=country,
            side=side,
            is_failed=is_failed,
            countries=[
                (one.country, country_name(one.country, language_of(request))) for one in await self._points.all()
            ],
            month=today().strftime("%Y-%m"),
            **self._words(request),
        )

    async def losses(self, request: Request) -> Response:
        """List the codes that translations left."""
        requester = await self._access.page_requester(request, _OPERATOR)
        text = _text(request)
        page = await self._trail.losses(requester, text, request.query_params.get("cursor") or None)
        return await render(request, "exchange/losses.html", page=page, text=text, **self._words(request))

    async def figures(self, request: Request) -> Response:
        """Return the figures of a month as CSV."""
        await self._access.page_requester(request, _OPERATOR)
        month = request.query_params.get("month", "")
        try:
            bounds = month_bounds(month)
        except ValueError as error:
            raise bad_request("month", N_("Write the month as 2026-11."), code="value") from error
        text = write_csv(await self._trail.figures(*bounds), self._points.country)
        name = f'attachment; filename="exchange-{month}.csv"'
        return Response(
            text, media_type="text/csv", headers={"Content-Disposition": name, "Cache-Control": "no-store"}
        )

    async def _registered(self, request: Request) -> ContactPoint:
        country = request.path_params["country"]
        found = next((one for one in await self._points.all() if one.country == country), None)
        if found is None:
            raise Problem(404, "not-found", NOT_FOUND)
        return found

    async def _traffic(self, country: str, language: str) -> tuple[dict[str, list[Mark]], dict[str, int]]:
        """Return the marks of the plots of the last days, and their totals."""
        first = today() - SPAN
        begin = datetime(first.year, first.month, first.day, tzinfo=time_zone())
        rows = await self._trail.days(country, begin)
        by_day = {(row["day"], row["side"]): row for row in rows}
        days = [first + timedelta(days=number) for number in range(SPAN.days + 1)]
        marks = {
            side.name.lower(): [
                (show_date(day, language), float(count), str(count))
                for day in days
                for count in [by_day[day, side]["messages"] if (day, side) in by_day else 0]
            ]
            for side in Side
        }
        return marks, {
            "answered": _sum(rows, "messages", Side.ANSWERED),
            "asked": _sum(rows, "messages", Side.ASKED),
            "failed": sum(row["failed"] for row in rows),
        }

    def _state(self, one: ContactPoint) -> str:
        """Return the tone of the state of a country: good, warn or danger."""
        now = clock.now()
        if one.is_suspended or now >= one.valid_until:
            return "danger"
        return "warn" if one.valid_until - now < WARN_BEFORE else "good"

    def _words(self, request: Request) -> dict[str, Any]:
        language = language_of(request)
        return {
            "place": PLACE,
            "name_of": lambda country: country_name(country, language),
            "state": self._state,
            "transactions": TRANSACTIONS,
            "classes": CLASSES,
            "sides": SIDES,
            "outcomes": OUTCOMES,
            "field_names": FIELDS,
            "at": clock.now(),
            "warn_before": WARN_BEFORE,
        }


def _text(request: Request) -> str:
    return request.query_params.get("q", "").strip()[:_MAX_WORDS]


def _matches(one: ContactPoint, text: str, language: str) -> bool:
    words = f"{one.country} {country_name(one.country, language)} {one.home}"
    return text.casefold() in words.casefold()


def _sum(rows: Sequence[Any], name: str, side: Side) -> int:
    return sum(row[name] for row in rows if row["side"] == side)

"""The pages of patients about care abroad: consent by country, what a doctor there sees, who asked."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from esante.core.journal import Entry, Journal
from esante.core.time_zone import today
from esante.core.web import (
    N_,
    NOT_FOUND,
    Problem,
    decode_uuid_cursor,
    encode_cursor,
    gettext_of,
    language_of,
    read_form,
    redirect,
    render,
)
from esante.identity.access import Access, Requester
from esante.identity.directory import catalogue, normalize_name
from esante.services.exchange.audit import MessageExchanged, Side
from esante.services.exchange.connector import offers_on
from esante.services.exchange.connector.offers import DISCARD
from esante.services.exchange.consent import CountryConsents
from esante.services.exchange.consent.preview import SUMMARY, SummaryPreview
from esante.services.exchange.contact_points import ContactPoint, ContactPoints, Transaction
from esante.services.exchange.model import NotUsable
from esante.services.exchange.pages import abroad_words as words
from esante.services.exchange.pages.country_names import country_name
from esante.services.record import category_of_type

PLACE = "/care-abroad"
_PATIENT = ("patient",)
_PAGE_SIZE = 20
_MAX_SEARCHED = 500
"""Requests that a search considers, the newest."""
_MAX_WORDS = 60
_WORDS = {
    Transaction.DISCOVERY: N_("%(actor)s searched for you."),
    Transaction.LIST: N_("%(actor)s viewed the list of your documents: %(categories)s."),
    Transaction.RETRIEVE: N_("%(actor)s opened a document: %(categories)s."),
    Transaction.SUBMIT: N_("%(actor)s reported that a medicine was dispensed to you."),
}
_DISCARDED = N_("%(actor)s took back a dispensation.")
_NOTHING = N_("%(actor)s asked for data about you. Nothing was sent.")


@dataclass(frozen=True, slots=True)
class Country:
    """A country as the list shows it: whether the patient lets its professionals read, and what they can ask for."""

    code: str
    name: str
    since: datetime | None
    asks: Sequence[str]
    is_suspended: bool


@dataclass(frozen=True, slots=True)
class Asked:
    """A request from abroad as the list shows it; texts are in the reader's language."""

    at: datetime
    text: str
    role: str
    place: str
    country: str
    is_refused: bool


class PatientPages:
    """What a patient sees and decides about care abroad."""

    def __init__(
        self,
        points: ContactPoints,
        consents: CountryConsents,
        preview: SummaryPreview,
        access: Access,
        journal: Journal,
    ) -> None:
        self._points, self._consents, self._preview = points, consents, preview
        self._access, self._journal = access, journal

    def routes(self) -> list[Route]:
        """Return the pages."""
        return [
            Route(PLACE, self.countries),
            Route(f"{PLACE}/allow", self.allow, methods=["POST"]),
            Route(f"{PLACE}/withdraw", self.withdraw, methods=["POST"]),
            Route(f"{PLACE}/summary", self.summary),
            Route(f"{PLACE}/requests", self.requests),
        ]

    async def countries(self, request: Request) -> Response:
        """Show the countries, and for each whether its professionals may read the record."""
        requester = await self._access.page_requester(request, _PATIENT)
        query = request.query_params.get("q", "").strip()[:_MAX_WORDS]
        known = await self._countries(request, requester)
        wanted = normalize_name(query)
        return await self._render(
            request,
            "countries",
            countries=[one for one in known if wanted in normalize_name(one.name)],
            any_country=bool(known),
            q=query,
        )

    async def allow(self, request: Request) -> Response:
        """Let the professionals of a country read the record."""
        requester = await self._access.page_requester(request, _PATIENT)
        country = str((await read_form(request)).get("country", ""))
        if await self._points.find(country) is None:
            raise Problem(404, "not-found", NOT_FOUND)
        await self._consents.give(requester, country, country_name(country, language_of(request)))
        return redirect(PLACE)

    async def withdraw(self, request: Request) -> Response:
        """End the consent for a country."""
        requester = await self._access.page_requester(request, _PATIENT)
        await self._consents.withdraw(requester, str((await read_form(request)).get("country", ""))[:2])
        return redirect(PLACE)

    async def summary(self, request: Request) -> Response:
        """Show what a doctor of a country would see, in the language of the country beside the original."""
        requester = await self._access.page_requester(request, _PATIENT)
        points = [one for one in await self._points.all() if not one.is_suspended and SUMMARY in one.asks]
        consents = await self._consents.list(requester, [one.country for one in points])
        allowed = [one.country for one in consents if one.since is not None]
        chosen = _chosen(points, [request.query_params.get("country", ""), *allowed])
        if chosen is None:
            return await self._render(request, "summary", choices=[], chosen=None, preview=None, problem="")
        tags = [one.partition("-")[0] for one in chosen.languages] or ["en"]
        language = request.query_params.get("language", "")
        language = language if language in tags else tags[0]
        problem, preview = "", None
        try:
            preview = await self._preview.make(requester, chosen.country, language)
        except NotUsable:
            problem = N_("The summary in your record cannot be turned into the form that crosses borders.")
        own = language_of(request)
        return await self._render(
            request,
            "summary",
            choices=sorted(((one.country, country_name(one.country, own)) for one in points), key=lambda one: one[1]),
            chosen=chosen.country,
            tags=[(tag, words.language_name(tag, own)) for tag in dict.fromkeys(tags)],
            language=language,
            preview=preview,
            problem=problem,
            sections=words.SECTIONS,
        )

    async def requests(self, request: Request) -> Response:
        """Show who asked from abroad, when, and for what."""
        requester = await self._access.page_requester(request, _PATIENT)
        query = request.query_params.get("q", "").strip()[:_MAX_WORDS]
        before = decode_uuid_cursor(request.query_params.get("cursor") or None)
        limit = _MAX_SEARCHED if query else _PAGE_SIZE + 1
        entries = await self._journal.entries_of(requester.id, [MessageExchanged], before=before, limit=limit)
        found = [(one, line) for one in entries if (line := _asked(request, one)) and _matches(line, query)]
        shown = found[:_PAGE_SIZE]
        return await self._render(
            request,
            "requests",
            asked=[line for _, line in shown],
            next=encode_cursor(shown[-1][0].id) if len(found) > _PAGE_SIZE else None,
            q=query,
        )

    async def _countries(self, request: Request, requester: Requester) -> list[Country]:
        """Return the registered countries that may ask for something, by name."""
        points = [one for one in await self._points.all() if one.asks]
        consents = await self._consents.list(requester, [one.country for one in points])
        language, translate = language_of(request), gettext_of(request)
        found = [
            Country(
                one.country,
                country_name(one.country, language),
                consent.since,
                [translate(label) for label in _labels(one.asks)],
                one.is_suspended,
            )
            for one, consent in zip(points, consents, strict=True)
        ]
        return sorted(found, key=lambda one: normalize_name(one.name))

    async def _render(self, request: Request, name: str, **context: Any) -> Response:
        language, translate = language_of(request), gettext_of(request)
        return await render(
            request,
            f"exchange/care_abroad_{name}.html",
            place=PLACE,
            facts=lambda row: words.facts_of(row, language, translate),
            day=lambda text: words.show_day(text, language),
            language_name=lambda tag: words.language_name(tag, language),
            **context,
        )


def _chosen(points: Sequence[ContactPoint], wanted: Sequence[str]) -> ContactPoint | None:
    """Return the contact point of the first wanted country; the first one where none is, None without any."""
    by_country = {one.country: one for one in points}
    return next((by_country[one] for one in wanted if one in by_country), points[0] if points else None)


def _labels(classes: frozenset[str]) -> list[str]:
    """Return the names (msgids) of classes of documents that can be sent."""
    categories = [category_of_type(one.types[0]) for one in offers_on(today()) if one.class_code in classes]
    return list(dict.fromkeys(one.label for one in categories if one is not None))


def _asked(request: Request, entry: Entry) -> Asked | None:
    """Return a request in words; None for one that this country sent, and for an entry that was deleted."""
    event = entry.event
    if not isinstance(event, MessageExchanged) or event.side != Side.ANSWERED:
        return None
    translate = gettext_of(request)
    labels = [translate(one) for one in _labels(frozenset(event.content.split("|")))]
    text = _DISCARDED if event.content == DISCARD else _WORDS.get(Transaction(event.transaction), _NOTHING)
    profession = catalogue().professions.get(entry.actor.role)
    return Asked(
        at=entry.at,
        text=translate(_NOTHING if event.outcome else text)
        % {"actor": entry.actor.name, "categories": ", ".join(labels) or translate(N_("no documents"))},
        role=translate(profession.label) if profession else "",
        place=entry.actor.organization,
        country=country_name(event.country, language_of(request)),
        is_refused=bool(event.outcome),
    )


def _matches(line: Asked, query: str) -> bool:
    text = " ".join((line.text, line.role, line.place, line.country)).casefold()
    return all(word in text for word in query.casefold().split())

"""The pages that show a card: to the person, and to a professional with access; one dose with its history."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from esante.core import clock
from esante.core.storage import uuid7
from esante.core.time_zone import day_of
from esante.core.web import (
    N_,
    NOT_FOUND,
    Problem,
    decode_offset_cursor,
    encode_cursor,
    gettext_of,
    language_of,
    read_form,
    redirect,
    render,
)
from esante.identity.access import Access, Confidentiality, Item
from esante.identity.directory import Directory, Person
from esante.services.record import PageContext, PageContexts, Record, banner_loader, no_access, page_endpoint
from esante.services.vaccination.card.advice import CardAdvice, advise_on
from esante.services.vaccination.card.checks import contraindication_kinds
from esante.services.vaccination.card.immunization import CORRECTION_EXTENSION
from esante.services.vaccination.card.model import REFUSALS, ROUTES, SITES, Card, Dose, MatchedDose
from esante.services.vaccination.card.service import VaccinationCards
from esante.services.vaccination.card.write_rules import CATEGORY
from esante.services.vaccination.history.bundle import day_text
from esante.services.vaccination.pages.form_fields import read_day
from esante.services.vaccination.pages.warning_words import STANDINGS, Worded, worded
from esante.services.vaccination.products.catalogue import catalogue

PAGE_SIZE = 20
_MAX_WORDS = 100
_SHOWN_IN_FORM = (400, 403, 409, 412)
OWN, OF_PATIENT = "/vaccinations", "/patients/{person_id:uuid}/vaccinations"
OF_REPRESENTED = "/represented/{person_id:uuid}/vaccinations"


class CardPages:
    """The pages of a card, for the person, for who acts for them and for professionals.

    They differ in addresses and acts.
    """

    def __init__(self, cards: VaccinationCards, record: Record, access: Access, directory: Directory, fhir_url: str):
        self._cards, self._record, self._directory = cards, record, directory
        self._writer = record.clinical_writer(fhir_url)
        self._access, self._contexts = access, PageContexts(access)
        self._banner = banner_loader(access, directory)

    def routes(self) -> list[Route]:
        """Return the pages."""
        own, patient = self._contexts.resolve_own, self._contexts.resolve_patient
        represented = self._contexts.resolve_represented
        one = "{dose_id:uuid}"
        shown = [(OWN, own, self.card), (f"{OWN}/{one}", own, self.dose)]
        shown += [(OF_PATIENT, patient, self.card), (f"{OF_PATIENT}/{one}", patient, self.dose)]
        shown += [(OF_REPRESENTED, represented, self.card), (f"{OF_REPRESENTED}/{one}", represented, self.dose)]
        sent = [
            (f"{OWN}/{one}/confidentiality", own, self.confidentiality),
            (f"{OF_PATIENT}/{one}/withdraw", patient, self.withdraw),
            (f"{OF_PATIENT}/{one}/confirm", patient, self.confirm),
            (f"{OF_PATIENT}/{one}/event", patient, self.adverse_event),
            (f"{OF_PATIENT}/contraindications", patient, self.contraindicate),
            (f"{OF_PATIENT}/contraindications/{{id:uuid}}/end", patient, self.end_contraindication),
        ]
        return [
            *(Route(path, page_endpoint(resolve, respond)) for path, resolve, respond in shown),
            *(Route(path, page_endpoint(resolve, respond), methods=["POST"]) for path, resolve, respond in sent),
        ]

    async def card(self, request: Request, page: PageContext, problem: Problem | None = None) -> Response:
        """Show what is due and what was given."""
        query = request.query_params
        loaded = await self._cards.load(page.requester, page.person_id)
        card = loaded.card
        if not page.is_own and not loaded.has_access and not (card.doses or card.refusals or card.errors):
            raise Problem(404, "not-found", NOT_FOUND) if page.is_represented else no_access()
        text, offset = query.get("q", "").strip()[:_MAX_WORDS], decode_offset_cursor(query.get("cursor"))
        gettext = gettext_of(request)
        found = [one for one in card.doses if _has_words(one, text, gettext)]
        advice = await self._advice(page, card) if loaded.has_access or page.is_own else None
        return await render(
            request,
            "vaccination/card.html",
            problem.status if problem else 200,
            problem=problem,
            page=page,
            url=card_url(page),
            card=card,
            shown=found[offset : offset + PAGE_SIZE],
            total=len(card.doses),
            next=encode_cursor(offset + PAGE_SIZE) if len(found) > offset + PAGE_SIZE else None,
            text=text,
            advice=advice,
            saved=query.get("saved", ""),
            represented=await self._represented(page),
            standings=STANDINGS,
            key=uuid7(),
            **words(request),
            **await self._banner_of(page),
        )

    async def dose(self, request: Request, page: PageContext, problem: Problem | None = None) -> Response:
        """Show one dose with everything that is recorded of it, and its earlier versions."""
        key = request.path_params["dose_id"]
        loaded = await self._cards.load(page.requester, page.person_id)
        dose, others = _find(loaded.card, key)
        history = [] if dose.from_document else await self._history(page, dose)
        advice = await self._advice(page, loaded.card) if loaded.has_access or page.is_own else None
        return await render(
            request,
            "vaccination/dose.html",
            problem.status if problem else 200,
            problem=problem,
            page=page,
            url=card_url(page),
            dose=dose,
            others=others,
            history=history,
            warnings=await self._warnings(request, page, loaded.card, dose),
            not_counted=advice.not_counted.get(dose.id.hex, {}) if advice else {},
            events=[one for one in loaded.card.adverse_events if one.dose_id == dose.id],
            mine=not dose.from_document and _is_of(dose, page),
            saved=request.query_params.get("saved", ""),
            key=uuid7(),
            **words(request),
            **await self._banner_of(page),
        )

    async def confidentiality(self, request: Request, page: PageContext) -> Response:
        """Set who may see a dose; the documents of the history follow."""
        form = await read_form(request)
        try:
            level = Confidentiality(str(form.get("level", "")))
        except ValueError as error:
            raise Problem(400, "value", NOT_FOUND, place="level") from error
        dose_id = request.path_params["dose_id"]
        await self._writer.relabel(page.requester, "Immunization", (page.person_id, dose_id), level)
        return redirect(f"{OWN}/{dose_id}?saved=level")

    async def withdraw(self, request: Request, page: PageContext) -> Response:
        """Mark a dose as entered in error."""
        form, dose_id = await read_form(request), request.path_params["dose_id"]
        try:
            await self._cards.withdraw(
                page.requester, page.person_id, dose_id, str(form.get("version", "")), str(form.get("why", ""))
            )
        except Problem as problem:
            return await self._again(request, page, problem, self.dose)
        return redirect(f"{card_url(page)}?saved=withdrawn")

    async def confirm(self, request: Request, page: PageContext) -> Response:
        """Confirm what the patient wrote themselves."""
        await read_form(request)
        try:
            await self._cards.confirm(page.requester, page.person_id, request.path_params["dose_id"])
        except Problem as problem:
            return await self._again(request, page, problem, self.dose)
        return redirect(f"{card_url(page)}?saved=confirmed")

    async def adverse_event(self, request: Request, page: PageContext) -> Response:
        """Record an adverse event after a dose."""
        form, dose_id = await read_form(request), request.path_params["dose_id"]
        try:
            on = read_day(str(form.get("on", "")), "on") or day_of(clock.now())
            await self._cards.report_adverse_event(
                page.requester,
                page.person_id,
                uuid7(),
                dose_id,
                on,
                str(form.get("text", "")),
                serious=form.get("serious") == "yes",
            )
        except Problem as problem:
            return await self._again(request, page, problem, self.dose)
        return redirect(f"{card_url(page)}/{dose_id}?saved=event")

    async def contraindicate(self, request: Request, page: PageContext) -> Response:
        """Record a contraindication."""
        form = await read_form(request)
        try:
            since = read_day(str(form.get("since", "")), "since")
            kind, note = str(form.get("kind", "")), str(form.get("note", ""))
            await self._cards.add_contraindication(
                page.requester, page.person_id, _key(form.get("key")), kind, since, note
            )
        except Problem as problem:
            return await self._again(request, page, problem, self.card)
        return redirect(f"{card_url(page)}?saved=contraindication")

    async def end_contraindication(self, request: Request, page: PageContext) -> Response:
        """Let a contraindication end today."""
        form = await read_form(request)
        try:
            await self._cards.end_contraindication(
                page.requester,
                page.person_id,
                request.path_params["id"],
                str(form.get("version", "")),
                day_of(clock.now()),
            )
        except Problem as problem:
            return await self._again(request, page, problem, self.card)
        return redirect(f"{card_url(page)}?saved=ended")

    async def _again(
        self, request: Request, page: PageContext, problem: Problem, show: Callable[..., Any]
    ) -> Response:
        """Show a page again with what is wrong. Raises: `problem` where the page may not be shown."""
        if problem.status not in _SHOWN_IN_FORM:
            raise problem
        shown: Response = await show(request, page, problem)
        return shown

    async def _warnings(self, request: Request, page: PageContext, card: Card, dose: Dose) -> list[Worded]:
        """Return what a professional is told of a dose that somebody else's software, or a document, told."""
        person = None if page.is_own else await self._directory.person(page.person_id)
        return worded(request, await self._cards.warnings_of(person, card, dose)) if person else []

    async def _advice(self, page: PageContext, card: Card) -> CardAdvice | None:
        person = await self._directory.person(page.person_id)
        if person is None:
            return None
        return advise_on(person, card, day_of(clock.now()), await self._cards.suspect_doses(card))

    async def _banner_of(self, page: PageContext) -> dict[str, Any]:
        banner = await self._banner(page)
        treats = not page.is_own and not page.is_represented
        may_give = treats and await self._cards.may_write_any(page.requester, page.person_id)
        return {
            **banner,
            "treats": treats,
            "may_write": treats and CATEGORY in banner["writable"],
            "may_give": may_give,
        }

    async def _represented(self, page: PageContext) -> list[Person]:
        """Return the persons whose cards the person of an own page may see because they act for them."""
        if not page.is_own:
            return []
        return await self._access.representations.find_represented(page.requester, Item(category=CATEGORY))

    async def _history(self, page: PageContext, dose: Dose) -> list[dict[str, Any]]:
        """Return the versions of a dose, the latest first: when, and why it was corrected."""
        versions = await self._record.clinical.read_history(
            page.requester, page.person_id, types=["Immunization"], key=dose.id, limit=50
        )
        return [_version(one.since, one.body) for one in versions]


def card_url(page: PageContext) -> str:
    """Return the address of the card of a page."""
    return OWN if page.is_own else f"{page.timeline_url}/vaccinations"


def words(request: Request) -> dict[str, Any]:
    """Return the variables of every template of the card."""
    language = language_of(request)
    return {
        "antigens": catalogue().antigens,
        "sites": SITES,
        "routes": ROUTES,
        "refusals": REFUSALS,
        "kinds": contraindication_kinds(),
        "day_text": lambda occurred: day_text(occurred, language),
        "level_names": LEVEL_NAMES,
        "today": day_of(clock.now()),
    }


LEVEL_NAMES = {
    "normal": N_("Everyone with access"),
    "restricted": N_("Only the author and your circle of care"),
    "hidden": N_("Only you"),
}
"""Who may see a dose, in words for the person (msgids)."""


def _version(since: Any, body: bytes) -> dict[str, Any]:
    """Return what the list of versions shows of one."""
    resource = orjson.loads(body) if body else {}
    reasons = [one for one in resource.get("extension", ()) if one["url"] == CORRECTION_EXTENSION]
    return {
        "at": since,
        "lot": resource.get("lotNumber", ""),
        "occurred": resource.get("occurrenceDateTime", ""),
        "name": (resource.get("vaccineCode") or {}).get("text", ""),
        "why": reasons[0].get("valueString", "") if reasons else "",
    }


def _find(card: Card, key: UUID) -> tuple[Dose, tuple[Dose, ...]]:
    """Return a dose of a card with the other records of it. Raises: `Problem` 404."""
    for matched in card.doses:
        if any(one.id == key for one in matched.all):
            dose = next(one for one in matched.all if one.id == key)
            return dose, tuple(one for one in matched.all if one is not dose)
    for dose in (*card.refusals, *card.errors):
        if dose.id == key:
            return dose, ()
    raise Problem(404, "not-found", NOT_FOUND)


def _is_of(dose: Dose, page: PageContext) -> bool:
    requester = page.requester
    if dose.author.organization_id is not None:
        return dose.author.organization_id == requester.organization_id or dose.author.id == requester.id
    return dose.author.id == requester.id


def _has_words(matched: MatchedDose, text: str, gettext: Callable[[str], str]) -> bool:
    dose = matched.shown
    labels = " ".join(gettext(catalogue().antigens[key].label) for key in dose.antigens)
    searched = f"{dose.name} {dose.lot} {dose.place} {dose.performer} {labels} {dose.occurred}".casefold()
    return all(word in searched for word in text.casefold().split())


def _key(text: Any) -> UUID:
    try:
        return UUID(str(text))
    except ValueError:
        return uuid7()

"""The pages for professionals about a patient from abroad: search, identity, documents, dispensation."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from esante.core import clock
from esante.core.time_zone import today
from esante.core.web import (
    N_,
    NOT_FOUND,
    Problem,
    gettext_of,
    language_of,
    read_form,
    redirect,
    render,
)
from esante.identity.access import Access, Requester
from esante.services.exchange.assertions.rules import rules_on
from esante.services.exchange.contact_points import ContactPoint, ContactPoints
from esante.services.exchange.country_b import rules
from esante.services.exchange.country_b.mask_values import name_of
from esante.services.exchange.country_b.model import CLASSES, PRESCRIPTION, SUMMARY, Document, Encounter, Outcome
from esante.services.exchange.country_b.professionals import may_ask, may_dispense
from esante.services.exchange.country_b.readable import Readable, read_document
from esante.services.exchange.country_b.service import Encounters, dispensed_of, fields_of
from esante.services.exchange.model import NotUsable
from esante.services.exchange.pages import abroad_words as words
from esante.services.exchange.pages.country_names import country_name
from esante.services.exchange.terminology import CodeCatalogue

PLACE = "/from-abroad"
PATIENCE_SECONDS = 1.5
"""How long a form waits for an answer before the page shows that it is waited for."""
FEW = 5
"""Documents of a list that are shown at once, the newest; the others on demand."""
_SHOWN_IN_FORM = (400, 409)
_MAX_WORDS = 60
DOWNLOAD_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "private, no-store",
}


class AbroadPages:
    """What a professional sees and does with a patient from abroad; `catalogue` gives the codes in force."""

    def __init__(
        self, encounters: Encounters, points: ContactPoints, access: Access, catalogue: Callable[[], CodeCatalogue]
    ) -> None:
        self._encounters, self._points, self._access = encounters, points, access
        self._catalogue = catalogue

    def routes(self) -> list[Route]:
        """Return the pages."""
        one = f"{PLACE}/{{encounter_id:uuid}}"
        acts = {"search": self.search, "confirm": self.confirm, "list": self.list_documents, "again": self.ask_again}
        acts |= {"discard": self.discard, "end": self.end}
        return [
            Route(PLACE, self.overview),
            Route(f"{PLACE}/search", self.mask),
            Route(f"{PLACE}/search", self.open, methods=["POST"]),
            Route(one, self.encounter),
            *(Route(f"{one}/{name}", act, methods=["POST"]) for name, act in acts.items()),
            Route(f"{one}/documents/{{key}}", self.document),
            Route(f"{one}/documents/{{key}}", self.retrieve, methods=["POST"]),
            Route(f"{one}/documents/{{key}}/file", self.file),
            Route(f"{one}/documents/{{key}}/dispense", self.dispense, methods=["POST"]),
        ]

    async def overview(self, request: Request) -> Response:
        """Show the countries that can be asked, and the encounters of before."""
        requester = await self._requester(request)
        query = request.query_params
        text = query.get("q", "").strip()[:_MAX_WORDS]
        page = await self._encounters.page(requester, text, query.get("cursor") or None)
        now = clock.now()
        return await self._render(
            request,
            "overview",
            may_ask=may_ask(requester),
            countries=await self._encounters.countries(),
            page=page,
            text=text,
            states={one.id: words.STATES[words.state_of(one, now)] for one in page.items},
            ended=query.get("ended", ""),
        )

    async def mask(self, request: Request, problem: Problem | None = None, form: FormData | None = None) -> Response:
        """Show the search mask of a country."""
        await self._requester(request)
        point = await self._point(
            request.query_params.get("country", "") or str(form.get("country", "") if form else "")
        )
        return await self._render(
            request,
            "search",
            problem.status if problem else 200,
            country=point.country,
            action=f"{PLACE}/search",
            fields=_fields(point),
            values=_values(form),
            problem=problem,
        )

    async def open(self, request: Request) -> Response:
        """Look for a patient."""
        requester, form = await self._requester(request), await read_form(request)
        point = await self._point(str(form.get("country", "")))
        try:
            encounter = await self._encounters.open(requester, point.country, _mask_values(point, form))
        except Problem as problem:
            return await self.mask(request, _shown(problem), form)
        return await self._asked(requester, encounter)

    async def encounter(
        self, request: Request, problem: Problem | None = None, form: FormData | None = None
    ) -> Response:
        """Show an encounter: what is waited for, who was found, the documents, what was dispensed."""
        requester = await self._requester(request)
        encounter = await self._encounters.get(requester, request.path_params["encounter_id"])
        point = await self._points.find(encounter.country)
        now, validity = clock.now(), rules_on(today()).trc_validity
        return await self._render(
            request,
            "encounter",
            problem.status if problem else 200,
            encounter=encounter,
            point=point,
            state=words.state_of(encounter, now),
            waited=int((now - encounter.waiting_since).total_seconds()) if encounter.waiting_since else 0,
            is_confirmed=rules.is_confirmed(encounter, validity, now),
            was_confirmed=encounter.confirmed_at is not None,
            fields=_fields(point) if point else [],
            values=_values(form) or {f"field-{place}": value for place, value in encounter.search.items()},
            problem=problem,
            classes=[one for one in CLASSES if point and one in point.offers],
            discarded={one.prepared.discards for one in encounter.submissions.values() if _is_done(one)},
            dispensed={one.prepared.unique_id for one in rules.in_force(encounter)},
        )

    async def search(self, request: Request) -> Response:
        """Look for the patient once more."""

        async def act(requester: Requester, encounter_id: UUID, form: FormData) -> Encounter:
            encounter = await self._encounters.get(requester, encounter_id)
            values = _mask_values(await self._point(encounter.country), form)
            return await self._encounters.search_again(requester, encounter_id, values)

        return await self._act(request, act)

    async def confirm(self, request: Request) -> Response:
        """Confirm identity and treatment."""
        requester, form = await self._requester(request), await read_form(request)
        encounter_id = request.path_params["encounter_id"]
        try:
            if form.get("identity") != "confirmed":
                raise Problem(400, "required", N_("Confirm that you checked the identity."), place="identity")
            await self._encounters.confirm(requester, encounter_id, str(form.get("purpose", "")))
        except Problem as problem:
            return await self.encounter(request, _shown(problem), form)
        return redirect(f"{PLACE}/{encounter_id}")

    async def list_documents(self, request: Request) -> Response:
        """List the documents of a class."""
        return await self._act(
            request, lambda who, key, form: self._encounters.begin_list(who, key, str(form.get("class", "")))
        )

    async def ask_again(self, request: Request) -> Response:
        """Send what has no answer once more, the very same."""
        return await self._act(
            request, lambda who, key, form: self._encounters.ask_again(who, key, str(form.get("document", "")))
        )

    async def discard(self, request: Request) -> Response:
        """Discard a dispensation."""
        return await self._act(
            request, lambda who, key, form: self._encounters.discard(who, key, str(form.get("document", "")))
        )

    async def end(self, request: Request) -> Response:
        """End an encounter."""
        requester = await self._requester(request)
        form = await read_form(request)
        try:
            await self._encounters.end(requester, request.path_params["encounter_id"])
        except Problem as problem:
            return await self.encounter(request, _shown(problem), form)
        return redirect(f"{PLACE}?ended=1")

    async def retrieve(self, request: Request) -> Response:
        """Retrieve a document, and show it once it is there."""
        requester, encounter, document = await self._listed(request)
        form = await read_form(request)
        try:
            encounter = await self._encounters.begin_retrieval(requester, encounter.id, document.unique_id)
        except Problem as problem:
            return await self.encounter(request, _shown(problem), form)
        response = await self._asked(requester, encounter)
        present = await self._encounters.get(requester, encounter.id)
        got = present.retrieved.get(document.unique_id)
        if present.waiting is None and got and got.outcome is Outcome.RETRIEVED:
            return redirect(f"{PLACE}/{encounter.id}/documents/{words.document_key(document)}")
        return response

    async def document(
        self, request: Request, problem: Problem | None = None, form: FormData | None = None
    ) -> Response:
        """Show a document that was received: translated, beside its own words."""
        requester, encounter, document = await self._listed(request)
        data = await self._encounters.document(requester, encounter.id, document.unique_id)
        language = language_of(request)
        try:
            shown: Readable | None = await asyncio.to_thread(read_document, data, language, self._catalogue())
        except NotUsable as error:
            shown, problem = (
                None,
                Problem(422, "structure", N_("This document cannot be shown."), detail=str(error)[:300]),
            )
        is_prescription = document.class_code == PRESCRIPTION
        items = (
            await self._encounters.items(requester, encounter.id, document.unique_id)
            if is_prescription and shown and may_dispense(requester)
            else []
        )
        now, validity = clock.now(), rules_on(today()).trc_validity
        return await self._render(
            request,
            "document",
            problem.status if problem else 200,
            encounter=encounter,
            document=document,
            shown=shown,
            pair=encounter.document(document.pair_id) if document.pair_id else None,
            sections=words.SECTIONS,
            items=items,
            blocked={one.id: _why_not(encounter, document, one.id, validity, now) for one in items},
            problem=problem,
            values=_values(form),
        )

    async def file(self, request: Request) -> Response:
        """Return the printable form, or the original of a structured document, as a file."""
        requester, encounter, document = await self._listed(request)
        data = await self._encounters.document(requester, encounter.id, document.unique_id)
        name, media_type = f"document-{encounter.country}.xml", "application/xml"
        if document.is_fhir:
            name, media_type = f"document-{encounter.country}.json", "application/fhir+json"
        if document.is_pdf:
            try:
                read = await asyncio.to_thread(read_document, data, language_of(request), self._catalogue())
            except NotUsable as error:
                raise Problem(404, "not-found", NOT_FOUND) from error
            if read.pdf:
                data, name, media_type = read.pdf, f"document-{encounter.country}.pdf", "application/pdf"
        headers = {**DOWNLOAD_HEADERS, "Content-Disposition": f'attachment; filename="{name}"'}
        return Response(data, media_type=media_type, headers=headers)

    async def dispense(self, request: Request) -> Response:
        """Send a dispensation of an item of a prescription."""
        requester, encounter, document = await self._listed(request)
        form = await read_form(request)
        try:
            dispensed = dispensed_of(
                str(form.get("quantity", "")),
                str(form.get("product", "")),
                is_substituted=form.get("substituted") == "yes",
            )
            item = str(form.get("item", ""))
            encounter = await self._encounters.dispense(requester, encounter.id, document.unique_id, item, dispensed)
        except Problem as problem:
            return await self.document(request, _shown(problem), form)
        return await self._asked(requester, encounter, "#dispensations")

    async def _act(
        self, request: Request, act: Callable[[Requester, UUID, FormData], Awaitable[Encounter]]
    ) -> Response:
        requester, form = await self._requester(request), await read_form(request)
        try:
            encounter = await act(requester, request.path_params["encounter_id"], form)
        except Problem as problem:
            return await self.encounter(request, _shown(problem), form)
        return await self._asked(requester, encounter)

    async def _asked(self, requester: Requester, encounter: Encounter, place: str = "") -> Response:
        """Ask what an encounter waits for; go to its page when the answer is there, or after a moment."""
        task = await self._encounters.start(requester, encounter)
        await asyncio.wait({task}, timeout=PATIENCE_SECONDS)
        return redirect(f"{PLACE}/{encounter.id}{place}")

    async def _listed(self, request: Request) -> tuple[Requester, Encounter, Document]:
        requester = await self._requester(request)
        encounter = await self._encounters.get(requester, request.path_params["encounter_id"])
        key = request.path_params["key"]
        listed = (one for each in encounter.lists.values() for one in each.documents)
        document = next((one for one in listed if words.document_key(one) == key), None)
        if document is None:
            raise Problem(404, "not-found", NOT_FOUND)
        return requester, encounter, document

    async def _requester(self, request: Request) -> Requester:
        return await self._access.page_requester(request, ("practitioner",))

    async def _point(self, country: str) -> ContactPoint:
        found = next((one for one in await self._encounters.countries() if one.country == country), None)
        if found is None:
            raise Problem(404, "not-found", NOT_FOUND)
        return found

    async def _render(self, request: Request, name: str, status: int = 200, **context: Any) -> Response:
        language, gettext = language_of(request), gettext_of(request)
        return await render(
            request,
            f"exchange/abroad_{name}.html",
            status,
            place=PLACE,
            country_name=lambda country: country_name(country, language),
            language_name=lambda tag: words.language_name(tag, language),
            day=lambda text: words.show_day(text, language),
            facts=lambda row: words.facts_of(row, language, gettext),
            key=words.document_key,
            found_words=words.FOUND,
            named=words.NAMED,
            few=FEW,
            encounter_states=words.STATES,
            submission_words=words.SUBMISSIONS,
            summary=SUMMARY,
            prescription=PRESCRIPTION,
            class_words=words.CLASSES,
            **context,
        )


def _fields(point: ContactPoint) -> list[tuple[str, Any, str]]:
    """Return the fields of a mask: name in the form, field, label (a msgid)."""
    return [(name_of(place), field, words.field_label(field.label)) for place, field in fields_of(point).items()]


def _mask_values(point: ContactPoint, form: FormData) -> dict[int, str]:
    return {place: str(form.get(name_of(place), ""))[:500] for place in fields_of(point)}


def _values(form: FormData | None) -> dict[str, str]:
    return {name: str(form.get(name, ""))[:500] for name in form} if form else {}


def _shown(problem: Problem) -> Problem:
    """Return a problem that a page shows. Raises: the problem, where it has a page of its own."""
    if problem.status not in _SHOWN_IN_FORM:
        raise problem
    return problem


def _is_done(submission: Any) -> bool:
    return bool(submission.outcome is Outcome.ACKNOWLEDGED and submission.prepared.discards)


def _why_not(encounter: Encounter, document: Document, item_id: str, validity: Any, now: Any) -> str:
    """Return why an item cannot be dispensed now (a msgid), "" when it can."""
    try:
        rules.may_dispense(encounter, document.unique_id, item_id, validity, now)
    except rules.NotNow as error:
        return str(error)
    return ""

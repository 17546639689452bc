"""The pages on which a professional enters doses: scan, check, save; copy a paper card; refusals; corrections."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from starlette.datastructures import FormData, UploadFile
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from esante.core.storage import uuid7
from esante.core.types import Json
from esante.core.web import (
    N_,
    Problem,
    bad_request,
    content_policy,
    gettext_of,
    read_form,
    redirect,
    render,
)
from esante.identity.access import Access
from esante.identity.directory import Directory
from esante.services.record import PageContext, PageContexts, Record, Unreadable, banner_loader, page_endpoint
from esante.services.vaccination.card.model import Dose, DoseEntry, DoseStatus, Warning
from esante.services.vaccination.card.service import UnansweredWarnings, VaccinationCards
from esante.services.vaccination.pages.card_pages import OF_PATIENT, card_url, words
from esante.services.vaccination.pages.form_fields import (
    MORE_ROWS,
    MOST_ROWS,
    ROWS,
    entries_of_rows,
    entry_of,
    field_of,
    new_rows,
    new_values,
    product_choices,
    read_rows,
    read_values,
)
from esante.services.vaccination.pages.warning_words import worded
from esante.services.vaccination.products.catalogue import Product, catalogue
from esante.services.vaccination.scan.pack_code import GS1_DATAMATRIX, PackCode, parse_pack_code

MAX_PICTURE = 8 * 1024 * 1024
"""Bytes of a picture of a pack."""
_SCAN_HEADERS = {"Content-Security-Policy": content_policy("'wasm-unsafe-eval'")}
"""The page with the camera runs the reader of codes, which is WebAssembly; no other page may."""
_SHOWN_IN_FORM = (400, 403, 409, 412, 413, 422)


class EntryPages:
    """The forms of a card, for professionals."""

    def __init__(self, cards: VaccinationCards, record: Record, access: Access, directory: Directory):
        self._cards, self._record = cards, record
        self._contexts = PageContexts(access)
        self._banner = banner_loader(access, directory)

    def routes(self) -> list[Route]:
        """Return the pages."""

        def route(path: str, respond: Any, method: str) -> Route:
            return Route(
                f"{OF_PATIENT}{path}", page_endpoint(self._contexts.resolve_patient, respond), methods=[method]
            )

        return [
            route("/scan", self.scan, "GET"),
            route("/scan", self.read_code, "POST"),
            route("/new", self.new, "GET"),
            route("/new", self.save, "POST"),
            route("/copy", self.copy, "GET"),
            route("/copy", self.save_copies, "POST"),
            route("/refusal", self.refusal, "GET"),
            route("/refusal", self.save_refusal, "POST"),
            route("/{dose_id:uuid}/correct", self.correction, "GET"),
            route("/{dose_id:uuid}/correct", self.save_correction, "POST"),
        ]

    # Scan, check, save

    async def scan(
        self, request: Request, page: PageContext, problem: Problem | None = None, code: str = ""
    ) -> Response:
        """Show the ways to enter a pack: camera, scanner or keyboard, picture, list of vaccines."""
        if request.headers.get("hx-boosted"):  # the policy of this page differs: it must be loaded as a whole
            return Response(status_code=204, headers={"HX-Redirect": str(request.url.path)})
        return await self._show(
            request, page, "vaccination/scan.html", problem, headers=_SCAN_HEADERS, code=code, max_bytes=MAX_PICTURE
        )

    async def read_code(self, request: Request, page: PageContext) -> Response:
        """Read the code of a pack, and show the dose that it makes with what the checks find."""
        form = await read_form(request, MAX_PICTURE + 100_000)
        text = str(form.get("code", ""))
        try:
            code = await self._code(form, page)
        except Problem as problem:
            return await self.scan(request, page, problem, text[:300])
        product = catalogue().by_gtin.get(code.gtin)
        return await self._show_dose(request, page, new_values(code, product), code=code, product=product)

    async def _code(self, form: FormData, page: PageContext) -> PackCode:
        """Return the code in a form. Raises: `Problem` 422 for none that can be used, 413, 503."""
        picture = form.get("picture")
        if isinstance(picture, UploadFile) and picture.size:
            try:
                codes = await self._record.previews.read_codes(await picture.read(), client=page.requester.id)
            except Unreadable as error:
                raise _no_code(N_("This picture cannot be read.")) from error
            if not codes:
                raise _no_code(N_("There is no code in this picture."))
            symbols = sorted(codes, key=lambda pair: pair[0] != GS1_DATAMATRIX)
            return parse_pack_code("".join(symbols[0]))
        return parse_pack_code(str(form.get("code", "")))

    async def new(self, request: Request, page: PageContext) -> Response:
        """Show the form of a dose whose vaccine is chosen from the list."""
        return await self._show_dose(request, page, new_values(None, None))

    async def save(self, request: Request, page: PageContext) -> Response:
        """Save a dose; with warnings that are not answered, show it again with them."""
        values = read_values(await read_form(request))
        try:
            await self._cards.enter(page.requester, page.person_id, [entry_of(values)], str(values["reason"]))
        except UnansweredWarnings as found:
            return await self._show_dose(request, page, values, warnings=found.warnings, status=found.status)
        except Problem as problem:
            return await self._show_dose(request, page, values, problem=_shown(problem))
        return redirect(f"{card_url(page)}?saved=given")

    async def _show_dose(
        self,
        request: Request,
        page: PageContext,
        values: Json,
        *,
        problem: Problem | None = None,
        warnings: Sequence[Warning] = (),
        status: int = 200,
        code: PackCode | None = None,
        product: Product | None = None,
        dose: Dose | None = None,
    ) -> Response:
        if not warnings and problem is None and values["product"]:
            try:
                warnings = await self._warnings(page, values)
            except Problem as found:
                if found.place != "product":
                    raise
                problem = found
        return await self._show(
            request,
            page,
            "vaccination/entry.html",
            problem,
            status=status,
            values=values,
            warnings=worded(request, warnings),
            scanned=code,
            known=product,
            products=product_choices(gettext_of(request), page.requester.profession, with_antigens=False),
            dose=dose,
        )

    async def _warnings(self, page: PageContext, values: Json) -> tuple[Warning, ...]:
        """Return what the checks find about a dose that is only shown; nothing where it cannot be saved yet."""
        try:
            return (await self._cards.assess(page.requester, page.person_id, entry_of(values))).warnings
        except Problem as problem:
            if problem.status == 400:
                return ()
            raise

    # Copy a paper card

    async def copy(
        self,
        request: Request,
        page: PageContext,
        rows: list[Json] | None = None,
        problem: Problem | None = None,
    ) -> Response:
        """Show the form for several doses of a paper card."""
        return await self._show(
            request,
            page,
            "vaccination/copy.html",
            problem,
            rows=rows or new_rows(ROWS),
            most=MOST_ROWS,
            choices=product_choices(gettext_of(request), "", with_antigens=True),
        )

    async def save_copies(self, request: Request, page: PageContext) -> Response:
        """Save the doses of a paper card, all or none."""
        form = await read_form(request)
        rows = read_rows(form)
        if form.get("step") == "more":
            return await self.copy(request, page, [*rows, *new_rows(min(MORE_ROWS, MOST_ROWS - len(rows)))])
        entries: list[tuple[int, DoseEntry]] = []
        try:
            entries = entries_of_rows(rows)
            await self._cards.enter(page.requester, page.person_id, [entry for _, entry in entries])
        except Problem as problem:
            return await self.copy(request, page, rows, _shown(problem, [number for number, _ in entries]))
        return redirect(f"{card_url(page)}?saved=copied")

    # Refusals and corrections

    async def refusal(
        self, request: Request, page: PageContext, values: Json | None = None, problem: Problem | None = None
    ) -> Response:
        """Show the form of a dose that is not given."""
        values = values or new_values(None, None)
        return await self._show(request, page, "vaccination/refusal.html", problem, values=values)

    async def save_refusal(self, request: Request, page: PageContext) -> Response:
        """Save that a dose was not given, and why."""
        values = read_values(await read_form(request))
        try:
            await self._cards.enter(page.requester, page.person_id, [entry_of(values, DoseStatus.NOT_GIVEN)])
        except Problem as problem:
            return await self.refusal(request, page, values, _shown(problem))
        return redirect(f"{card_url(page)}?saved=refusal")

    async def correction(self, request: Request, page: PageContext) -> Response:
        """Show the form of a dose as it stands, to correct it."""
        dose = await self._cards.find(page.requester, page.person_id, request.path_params["dose_id"])
        return await self._show_dose(request, page, _values_of(dose), dose=dose)

    async def save_correction(self, request: Request, page: PageContext) -> Response:
        """Save the next version of a dose."""
        values = read_values(await read_form(request))
        dose_id: UUID = request.path_params["dose_id"]
        dose = await self._cards.find(page.requester, page.person_id, dose_id)
        try:
            entry = entry_of(values, dose.status, given_here=dose.given_here)
            version, why, reason = str(values["version"]), str(values["why"]), str(values["reason"])
            await self._cards.correct(page.requester, page.person_id, dose_id, version, entry, why, reason)
        except UnansweredWarnings as found:
            return await self._show_dose(
                request, page, values, warnings=found.warnings, status=found.status, dose=dose
            )
        except Problem as problem:
            return await self._show_dose(request, page, values, problem=_shown(problem), dose=dose)
        return redirect(f"{card_url(page)}/{dose_id}?saved=corrected")

    async def _show(
        self,
        request: Request,
        page: PageContext,
        template: str,
        problem: Problem | None,
        *,
        status: int = 200,
        headers: dict[str, str] | None = None,
        **context: Any,
    ) -> Response:
        return await render(
            request,
            template,
            problem.status if problem else status,
            headers=headers,
            problem=problem,
            page=page,
            url=card_url(page),
            **words(request),
            **context,
            **await self._banner(page),
        )


def _shown(problem: Problem, rows: Sequence[int] = ()) -> Problem:
    """Return a problem with the field that it is about; `rows`: of the entries. Raises: one that no form shows."""
    if problem.status not in _SHOWN_IN_FORM:
        raise problem
    problem.place = field_of(problem.place, rows)
    return problem


def _values_of(dose: Dose) -> Json:
    """Return a dose as the fields of its form."""
    return {
        "key": str(uuid7()),
        "product": dose.product,
        "name": "" if dose.product else dose.name,
        "antigens": list(dose.antigens) if not dose.product else [],
        "dose_number": dose.dose_number if dose.dose_number.isdigit() else "",
        "lot": dose.lot,
        "expires_on": dose.expires_on.isoformat() if dose.expires_on else "",
        "produced_on": "",
        "serial": dose.serial,
        "gtin": dose.gtin,
        "site": dose.site,
        "route": dose.route,
        "place": "" if dose.given_here else dose.place,
        "occurred": dose.occurred[:10],
        "note": dose.note,
        "reason": dose.reason,
        "why": "",
        "version": dose.version,
    }


def _no_code(title: str) -> Problem:
    remedy = N_("Hold the camera closer, with good light, or type the numbers that are printed on the pack.")
    return bad_request("picture", title, remedy, status=422, code="value")

"""The forms that change a record: withdraw, correct, confidentiality, the patient's note."""

from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from esante.core.web import N_, Problem, language_of, read_form, redirect, render
from esante.identity.access import Access, Confidentiality
from esante.identity.directory import Directory, Motive, Person, PersonQuery, stated_motive
from esante.services.record.categories import CATEGORIES
from esante.services.record.documents.service import Record
from esante.services.record.identification.check import PersonDiffers
from esante.services.record.model import Deposit
from esante.services.record.pages.form_fields import read_confidentiality, read_text, shown_above_form
from esante.services.record.pages.page_context import (
    BannerLoader,
    PageContext,
    PageContexts,
    PageMethod,
    Resolver,
    page_endpoint,
)
from esante.services.record.pages.person_differences import difference_rows

NOTE = "patient_note"
NOTE_TYPE = CATEGORIES[NOTE].types[0].code
_CORRECTION = "RECORDMGT"
"""The motive (HL7 v3 PurposeOfUse) of looking up whose document it is; the document is the reference."""
_NO_TEXT = N_("Enter a text.")
_NO_PERSON = N_("Nobody has this number.")


def routes(
    record: Record, access: Access, directory: Directory, contexts: PageContexts, banner: BannerLoader
) -> list[Route]:
    """Return the forms of patients and of professionals."""
    forms = _RecordForms(record, access, directory, banner)
    own, patients = "/record", "/patients/{person_id:uuid}"
    document = "{document_id:uuid}"

    def route(path: str, resolve: Resolver, respond: PageMethod, method: str) -> Route:
        return Route(path, page_endpoint(resolve, respond), methods=[method])

    return [
        route(f"{own}/note", contexts.resolve_own, forms.note_form, "GET"),
        route(f"{own}/note", contexts.resolve_own, forms.note, "POST"),
        route(f"{own}/{document}/confidentiality", contexts.resolve_own, forms.confidentiality, "POST"),
        route(f"{own}/{document}/withdraw", contexts.resolve_own, forms.withdraw, "POST"),
        route(f"{patients}/documents/{document}/withdraw", contexts.resolve_patient, forms.withdraw, "POST"),
        route(f"{patients}/documents/{document}/correct", contexts.resolve_patient, forms.correct, "POST"),
    ]


class _RecordForms:
    def __init__(self, record: Record, access: Access, directory: Directory, banner: BannerLoader) -> None:
        self._record, self._access, self._directory, self._banner = record, access, directory, banner

    async def note_form(self, request: Request, page: PageContext) -> Response:
        """Show the form of an empty note."""
        return await self._show_note(request, page)

    async def note(self, request: Request, page: PageContext) -> Response:
        """Store a note of the patient as a text document."""
        form = await read_form(request)
        text = read_text(form, "text").replace("\r\n", "\n").strip()
        level = read_confidentiality(form)
        try:
            if not text:
                raise Problem(422, "required", _NO_TEXT)
            meta = Deposit(
                type=NOTE_TYPE,
                title=read_text(form, "title"),
                language=language_of(request),
                media_type="text/plain",
                confidentiality=level,
            )
            deposited = await self._record.deposit(page.requester, page.person_id, text.encode(), meta)
        except Problem as problem:
            return await self._show_note(request, page, form, shown_above_form(problem))
        return redirect(f"{page.documents_url}/{deposited.document.id}")

    async def _show_note(
        self, request: Request, page: PageContext, form: FormData | None = None, problem: Problem | None = None
    ) -> Response:
        return await render(
            request,
            "record/note.html",
            problem.status if problem else 200,
            problem=problem,
            title=read_text(form, "title"),
            text=read_text(form, "text"),
            level=read_confidentiality(form),
        )

    async def confidentiality(self, request: Request, page: PageContext) -> Response:
        """Set who may see a document; to hide or restrict it the patient confirms that they know the risk."""
        form = await read_form(request)
        document_id, level = request.path_params["document_id"], read_confidentiality(form)
        confirmed = read_text(form, "risk") == "yes"
        if level is not Confidentiality.NORMAL and not confirmed:
            return redirect(f"{page.documents_url}/{document_id}?risk=missing#who")
        await self._record.set_confidentiality(
            page.requester, page.person_id, document_id, level, risk_confirmed=confirmed
        )
        return redirect(f"{page.documents_url}/{document_id}?saved=yes")

    async def withdraw(self, request: Request, page: PageContext) -> Response:
        """Mark a document as entered in error."""
        form = await read_form(request)
        document_id = request.path_params["document_id"]
        await self._record.withdraw(page.requester, page.person_id, document_id, read_text(form, "reason"))
        return redirect(f"{page.documents_url}/{document_id}")

    async def correct(self, request: Request, page: PageContext) -> Response:
        """Move a document that was filed under the wrong patient."""
        form = await read_form(request)
        document_id = request.path_params["document_id"]
        await self._record.document(page.requester, page.person_id, document_id)
        identifier, reason = read_text(form, "identifier").replace(" ", ""), read_text(form, "reason")
        with stated_motive(Motive(_CORRECTION, str(document_id))):
            right = await self._find_person(page, identifier)
        try:
            moved = await self._record.correct_person(
                page.requester,
                page.person_id,
                document_id,
                right.id,
                reason,
                confirmed=read_text(form, "confirmed") == "yes",
            )
        except PersonDiffers as differs:
            return await render(
                request,
                "record/correct.html",
                differs.status,
                page=page,
                url=f"{page.documents_url}/{document_id}",
                right=right,
                identifier=identifier,
                reason=reason,
                differences=difference_rows(differs.comparison, right, language_of(request)),
                **await self._banner(page),
            )
        await self._access.motives.state(request, page.requester, f"person:{right.id}", _CORRECTION, str(document_id))
        return redirect(f"/patients/{right.id}/documents/{moved.id}")

    async def _find_person(self, page: PageContext, identifier: str) -> Person:
        """Return the one person with an identifier, by a search that is journalled and visible to them.

        Raises: `Problem` 422 when there is none.
        """
        requester, query = page.requester, PersonQuery(value=identifier)
        persons = await self._directory.search_persons(query, actor=requester.actor, origin=requester.origin)
        if len(persons) != 1:
            raise Problem(422, "value", _NO_PERSON, place="identifier", remedy=N_("Check the number and try again."))
        return persons[0]

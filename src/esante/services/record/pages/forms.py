"""The forms that change a record: deposit, replace, withdraw, correct, confidentiality, the patient's note."""

from collections.abc import Awaitable, Callable
from datetime import date
from uuid import UUID

from starlette.datastructures import FormData, UploadFile
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from esante.core.web import LANGUAGES, N_, NOT_FOUND, Problem, language_of, read_form, redirect, render
from esante.identity.access import Confidentiality, Grant, GrantKind
from esante.identity.directory import Directory, Person, PersonQuery
from esante.services.record import errors
from esante.services.record.categories import CATEGORIES
from esante.services.record.documents.service import Record
from esante.services.record.documents.validation_messages import FINDINGS
from esante.services.record.model import MAX_CONTENT, Deposit, Document
from esante.services.record.pages.page_context import DOCUMENT_VARIABLES, BannerLoader, PageContext, PageContexts

NOTE = "patient_note"
NOTE_TYPE = CATEGORIES[NOTE].types[0].code
_FORM_LIMIT = MAX_CONTENT + 1024 * 1024
_SHOWN_ABOVE_FORM = (400, 403, 409, 413, 422)
"""Statuses of problems that are shown above the form, so that nothing has to be typed again."""
_NO_FILE = N_("Choose a file.")
_NO_TEXT = N_("Enter a text.")
_NO_DAY = N_("This is not a valid day.")
_NO_PERSON = N_("Nobody has this number.")


def routes(record: Record, directory: Directory, contexts: PageContexts, banner: BannerLoader) -> list[Route]:
    """Return the forms of patients and of professionals."""
    forms = _RecordForms(record, directory, banner)
    own, patients = "/record", "/patients/{person_id:uuid}"
    document = "{document_id:uuid}"

    def route(
        path: str,
        resolve: Callable[[Request], Awaitable[PageContext]],
        respond: Callable[[Request, PageContext], Awaitable[Response]],
        *methods: str,
    ) -> Route:
        async def endpoint(request: Request) -> Response:
            return await respond(request, await resolve(request))

        return Route(path, endpoint, methods=list(methods))

    return [
        route(f"{own}/note", contexts.resolve_own, forms.note_form, "GET"),
        route(f"{own}/note", contexts.resolve_own, forms.note, "POST"),
        route(f"{own}/{document}/confidentiality", contexts.resolve_own, forms.confidentiality, "POST"),
        route(f"{own}/{document}/withdraw", contexts.resolve_own, forms.withdraw, "POST"),
        route(f"{patients}/deposit", contexts.resolve_patient, forms.deposit_form, "GET"),
        route(f"{patients}/deposit", contexts.resolve_patient, forms.deposit, "POST"),
        route(f"{patients}/documents/{document}/withdraw", contexts.resolve_patient, forms.withdraw, "POST"),
        route(f"{patients}/documents/{document}/correct", contexts.resolve_patient, forms.correct, "POST"),
    ]


class _RecordForms:
    def __init__(self, record: Record, directory: Directory, banner: BannerLoader) -> None:
        self._record, self._directory, self._banner = record, directory, banner

    async def note_form(self, request: Request, page: PageContext) -> Response:
        """Show the form of an empty note."""
        return await self._show_note(request, page)

    async def note(self, request: Request, page: PageContext) -> Response:
        """Store a note of the patient as a text document."""
        form = await read_form(request)
        text = _text(form, "text").replace("\r\n", "\n").strip()
        level = _confidentiality(form)
        try:
            if not text:
                raise Problem(422, "required", _NO_TEXT)
            meta = Deposit(
                type=NOTE_TYPE,
                title=_text(form, "title"),
                language=language_of(request),
                media_type="text/plain",
                confidentiality=level,
            )
            deposited = await self._record.deposit(page.requester, page.person_id, text.encode(), meta)
        except Problem as problem:
            return await self._show_note(request, page, form, _shown_above_form(problem))
        return redirect(f"{page.documents_url}/{deposited.document.id}")

    async def _show_note(
        self, request: Request, page: PageContext, form: FormData | None = None, problem: Problem | None = None
    ) -> Response:
        return await render(
            request,
            "record/note.html",
            problem.status if problem else 200,
            problem=problem,
            title=_text(form, "title"),
            text=_text(form, "text"),
            level=_confidentiality(form),
        )

    async def deposit_form(self, request: Request, page: PageContext) -> Response:
        """Show the upload form; with `?replaces=` for a new version of a document."""
        replaces = await self._replaced_document(page, request.query_params.get("replaces", ""))
        return await self._show_deposit(request, page, replaces)

    async def deposit(self, request: Request, page: PageContext) -> Response:
        """Deposit the file, and show the findings of the validation."""
        with self._record.large_bodies.upload(page.requester.id, _declared_size(request)):
            return await self._deposit(request, page, await read_form(request, _FORM_LIMIT))

    async def _deposit(self, request: Request, page: PageContext, form: FormData) -> Response:
        replaces = await self._replaced_document(page, _text(form, "replaces"))
        try:
            async with self._record.large_bodies.turn(_size(form), page.requester.id):
                content, meta = await _read_upload(form)
                deposited = await self._record.deposit(
                    page.requester, page.person_id, content, meta, replaces.id if replaces else None
                )
        except Problem as problem:
            return await self._show_deposit(request, page, replaces, form, _shown_above_form(problem))
        return await render(
            request,
            "record/deposited.html",
            201 if deposited.created else 200,
            page=page,
            document=deposited.document,
            created=deposited.created,
            findings=[(FINDINGS[finding.key], finding) for finding in deposited.findings if finding.key in FINDINGS],
            **DOCUMENT_VARIABLES,
            **await self._banner(page),
        )

    async def _replaced_document(self, page: PageContext, key: str) -> Document | None:
        return await self._record.document(page.requester, page.person_id, _parse_uuid(key)) if key else None

    async def _show_deposit(
        self,
        request: Request,
        page: PageContext,
        replaces: Document | None,
        form: FormData | None = None,
        problem: Problem | None = None,
    ) -> Response:
        banner = await self._banner(page)
        if form is None and _is_emergency(banner["grant"]) and not banner["writable"]:
            raise errors.emergency_reads_only()
        values = {name: _text(form, name) for name in ("type", "title", "date", "language", "level")}
        if replaces and form is None:
            values |= {"type": replaces.type, "title": replaces.title, "language": replaces.language}
        return await render(
            request,
            "record/deposit.html",
            problem.status if problem else 200,
            page=page,
            replaces=replaces,
            values=values,
            problem=problem,
            issues=getattr(problem, "issues", ()),
            max_megabytes=MAX_CONTENT // (1024 * 1024),
            document_languages=LANGUAGES,
            **DOCUMENT_VARIABLES,
            **banner,
        )

    async def confidentiality(self, request: Request, page: PageContext) -> Response:
        """Set who may see a document."""
        form = await read_form(request)
        document_id = request.path_params["document_id"]
        await self._record.set_confidentiality(page.requester, page.person_id, document_id, _confidentiality(form))
        return redirect(f"{page.documents_url}/{document_id}?saved=yes")

    async def withdraw(self, request: Request, page: PageContext) -> Response:
        """Mark a document as entered in error."""
        form = await read_form(request)
        document_id = request.path_params["document_id"]
        await self._record.withdraw(page.requester, page.person_id, document_id, _text(form, "reason"))
        return redirect(f"{page.documents_url}/{document_id}")

    async def correct(self, request: Request, page: PageContext) -> Response:
        """Move a document that was filed under the wrong patient."""
        form = await read_form(request)
        document_id = request.path_params["document_id"]
        await self._record.document(page.requester, page.person_id, document_id)
        right = await self._find_person(page, _text(form, "identifier").replace(" ", ""))
        moved = await self._record.correct_person(
            page.requester, page.person_id, document_id, right.id, _text(form, "reason")
        )
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


def _declared_size(request: Request) -> int:
    """Return the bytes of a form that it will have; `read_form` refuses one that does not say so, or too many."""
    declared = request.headers.get("content-length", "")
    return min(int(declared), _FORM_LIMIT) if declared.isdigit() else 0


def _is_emergency(grant: Grant | None) -> bool:
    return grant is not None and grant.kind is GrantKind.EMERGENCY


def _size(form: FormData) -> int:
    file = form.get("file")
    return (file.size or 0) if isinstance(file, UploadFile) else 0


async def _read_upload(form: FormData) -> tuple[bytes, Deposit]:
    """Return the bytes and the metadata of the upload form.

    Raises: `Problem` 422 without a file, and for an invalid date or confidentiality.
    """
    file = form.get("file")
    content = await file.read(MAX_CONTENT + 1) if isinstance(file, UploadFile) and file.filename else b""
    if not content:
        raise Problem(422, "required", _NO_FILE, place="file")
    day = _text(form, "date")
    try:
        event_date = date.fromisoformat(day) if day else None
    except ValueError as error:
        raise Problem(422, "value", _NO_DAY, place="date") from error
    return content, Deposit(
        type=_text(form, "type"),
        title=_text(form, "title"),
        language=_text(form, "language"),
        event_date=event_date,
        confidentiality=_confidentiality(form),
    )


def _shown_above_form(problem: Problem) -> Problem:
    """Return a problem that is shown above the form; raise any other."""
    if problem.status not in _SHOWN_ABOVE_FORM:
        raise problem
    return problem


def _text(form: FormData | None, name: str) -> str:
    value = form.get(name, "") if form else ""
    return value.strip() if isinstance(value, str) else ""


def _confidentiality(form: FormData | None) -> Confidentiality:
    """Return the confidentiality in the form; by default normal. Raises: `Problem` 422 for an unknown one."""
    level = _text(form, "level") or Confidentiality.NORMAL
    try:
        return Confidentiality(level)
    except ValueError as error:
        raise Problem(422, "value", N_("This option does not exist."), place="level") from error


def _parse_uuid(text: str) -> UUID:
    """Return the UUID. Raises: `Problem` 404."""
    try:
        return UUID(text)
    except ValueError as error:
        raise Problem(404, "not-found", NOT_FOUND) from error

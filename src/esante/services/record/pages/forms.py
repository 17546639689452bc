"""The pages that change a record: deposit, replace, withdraw, correct, how far a document goes, one's own note."""

from collections.abc import Awaitable, Callable
from datetime import date
from typing import Any
from uuid import UUID

from starlette.datastructures import FormData, UploadFile
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from esante.core.web import LANGUAGES, N_, NOT_FOUND, Problem, language_of, read_form, redirect, render
from esante.identity.access import Confidentiality
from esante.identity.directory import Directory, Person, PersonQuery
from esante.services.record.categories import CATEGORIES
from esante.services.record.documents.service import Record
from esante.services.record.documents.validation_messages import FINDINGS
from esante.services.record.model import MAX_CONTENT, Deposit, Document
from esante.services.record.pages.page_context import LOOKS, Banner, Visit, Visits

NOTE = "patient_note"
NOTE_TYPE = CATEGORIES[NOTE].types[0].code
_FORM_LIMIT = MAX_CONTENT + 1024 * 1024
_MENDABLE = (400, 403, 409, 413, 422)
"""Answers that are shown above the form they came from, so that nothing has to be typed again."""
_NO_FILE = N_("Choose a file.")
_NO_TEXT = N_("Write something first.")
_NO_DAY = N_("This is not a day.")
_NO_PERSON = N_("There is no person with this number.")


def routes(record: Record, directory: Directory, visits: Visits, banner: Banner) -> list[Route]:
    """The forms of both sides."""
    forms = _Forms(record, directory, banner)
    own, patients = "/record", "/patients/{person_id:uuid}"
    document = "{document_id:uuid}"

    def route(path: str, find: Any, act: Callable[[Request, Visit], Awaitable[Response]], *methods: str) -> Route:
        async def endpoint(request: Request) -> Response:
            return await act(request, await find(request))

        return Route(path, endpoint, methods=list(methods))

    return [
        route(f"{own}/note", visits.own, forms.note_form, "GET"),
        route(f"{own}/note", visits.own, forms.note, "POST"),
        route(f"{own}/{document}/confidentiality", visits.own, forms.confidentiality, "POST"),
        route(f"{own}/{document}/withdraw", visits.own, forms.withdraw, "POST"),
        route(f"{patients}/deposit", visits.professional, forms.deposit_form, "GET"),
        route(f"{patients}/deposit", visits.professional, forms.deposit, "POST"),
        route(f"{patients}/documents/{document}/withdraw", visits.professional, forms.withdraw, "POST"),
        route(f"{patients}/documents/{document}/correct", visits.professional, forms.correct, "POST"),
    ]


class _Forms:
    def __init__(self, record: Record, directory: Directory, banner: Banner) -> None:
        self._record, self._directory, self._banner = record, directory, banner

    async def note_form(self, request: Request, visit: Visit) -> Response:
        """An empty note."""
        return await self._show_note(request, visit)

    async def note(self, request: Request, visit: Visit) -> Response:
        """Keep the patient's own note as a text document."""
        form = await read_form(request)
        text = _text(form, "text").replace("\r\n", "\n").strip()
        level = _level(form)
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
            done = await self._record.deposit(visit.requester, visit.person_id, text.encode(), meta)
        except Problem as problem:
            return await self._show_note(request, visit, form, _mendable(problem))
        return redirect(f"{visit.documents}/{done.document.id}")

    async def _show_note(
        self, request: Request, visit: Visit, form: FormData | None = None, problem: Problem | None = None
    ) -> Response:
        return await render(
            request,
            "record/note.html",
            problem.status if problem else 200,
            problem=problem,
            title=_text(form, "title"),
            text=_text(form, "text"),
            level=_level(form),
        )

    async def deposit_form(self, request: Request, visit: Visit) -> Response:
        """The upload form; with `?replaces=` for a new version of a document."""
        replaces = await self._replaced(visit, request.query_params.get("replaces", ""))
        return await self._show_deposit(request, visit, replaces)

    async def deposit(self, request: Request, visit: Visit) -> Response:
        """Take a file in, and say what the check found."""
        form = await read_form(request, _FORM_LIMIT)
        replaces = await self._replaced(visit, _text(form, "replaces"))
        try:
            async with self._record.large.turn(_size(form)):
                content, meta = await _handed_in(form)
                done = await self._record.deposit(
                    visit.requester, visit.person_id, content, meta, replaces.id if replaces else None
                )
        except Problem as problem:
            return await self._show_deposit(request, visit, replaces, form, _mendable(problem))
        return await render(
            request,
            "record/deposited.html",
            201 if done.created else 200,
            visit=visit,
            document=done.document,
            created=done.created,
            findings=[(FINDINGS[found.key], found) for found in done.findings if found.key in FINDINGS],
            **LOOKS,
            **await self._banner(visit),
        )

    async def _replaced(self, visit: Visit, key: str) -> Document | None:
        return await self._record.document(visit.requester, visit.person_id, _uuid(key)) if key else None

    async def _show_deposit(
        self,
        request: Request,
        visit: Visit,
        replaces: Document | None,
        form: FormData | None = None,
        problem: Problem | None = None,
    ) -> Response:
        given = {name: _text(form, name) for name in ("type", "title", "date", "language", "level")}
        if replaces and form is None:
            given |= {"type": replaces.type, "title": replaces.title, "language": replaces.language}
        return await render(
            request,
            "record/deposit.html",
            problem.status if problem else 200,
            visit=visit,
            replaces=replaces,
            given=given,
            own=NOTE,
            problem=problem,
            issues=getattr(problem, "issues", ()),
            max_megabytes=MAX_CONTENT // (1024 * 1024),
            document_languages=LANGUAGES,
            **LOOKS,
            **await self._banner(visit),
        )

    async def confidentiality(self, request: Request, visit: Visit) -> Response:
        """Set how far a document goes."""
        form = await read_form(request)
        document_id = request.path_params["document_id"]
        await self._record.set_confidentiality(visit.requester, visit.person_id, document_id, _level(form))
        return redirect(f"{visit.documents}/{document_id}")

    async def withdraw(self, request: Request, visit: Visit) -> Response:
        """Mark a document as entered in error."""
        form = await read_form(request)
        document_id = request.path_params["document_id"]
        await self._record.withdraw(visit.requester, visit.person_id, document_id, _text(form, "reason"))
        return redirect(f"{visit.documents}/{document_id}")

    async def correct(self, request: Request, visit: Visit) -> Response:
        """Move a document that was filed under the wrong patient."""
        form = await read_form(request)
        document_id = request.path_params["document_id"]
        await self._record.document(visit.requester, visit.person_id, document_id)
        right = await self._named(visit, _text(form, "identifier").replace(" ", ""))
        moved = await self._record.correct_person(
            visit.requester, visit.person_id, document_id, right.id, _text(form, "reason")
        )
        return redirect(f"/patients/{right.id}/documents/{moved.id}")

    async def _named(self, visit: Visit, identifier: str) -> Person:
        """The one person with an identifier, looked up as everybody looks up persons: she is told of it."""
        asker, query = visit.requester, PersonQuery(value=identifier)
        found = await self._directory.search_persons(query, actor=asker.actor, origin=asker.origin)
        if len(found) != 1:
            raise Problem(422, "value", _NO_PERSON, place="identifier", remedy=N_("Check the number and try again."))
        return found[0]


def _size(form: FormData) -> int:
    file = form.get("file")
    return (file.size or 0) if isinstance(file, UploadFile) else 0


async def _handed_in(form: FormData) -> tuple[bytes, Deposit]:
    """The bytes and what is said of them in the upload form."""
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
        confidentiality=_level(form),
    )


def _mendable(problem: Problem) -> Problem:
    if problem.status not in _MENDABLE:
        raise problem
    return problem


def _text(form: FormData | None, name: str) -> str:
    value = form.get(name, "") if form else ""
    return value.strip() if isinstance(value, str) else ""


def _level(form: FormData | None) -> Confidentiality:
    """The level in the form; normal where none is given. Problem 422 for one that does not exist."""
    given = _text(form, "level") or Confidentiality.NORMAL
    try:
        return Confidentiality(given)
    except ValueError as error:
        raise Problem(422, "value", N_("This choice does not exist."), place="level") from error


def _uuid(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError as error:
        raise Problem(404, "not-found", NOT_FOUND) from error

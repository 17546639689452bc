"""The page of statements: a patient states them, a professional with access reads them."""

from starlette.datastructures import FormData, UploadFile
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from esante.core import clock
from esante.core.time_zone import day_of
from esante.core.web import NOT_FOUND, Problem, gettext_of, language_of, read_form, redirect, render
from esante.services.record.documents.service import Record
from esante.services.record.model import MAX_CONTENT, Deposit
from esante.services.record.pages.form_fields import declared_size, file_size, read_text, shown_above_form
from esante.services.record.pages.page_context import (
    DOCUMENT_VARIABLES,
    BannerLoader,
    PageContext,
    PageContexts,
    no_access,
    page_endpoint,
)
from esante.services.record.statements.model import Statement
from esante.services.record.statements.service import MAX_LINE, MAX_TEXT, Statements
from esante.services.record.statements.terms import statement_terms

_FORM_LIMIT = MAX_CONTENT + 1024 * 1024
_ANSWERS = {"oppose": True, "agree": False}


def routes(record: Record, contexts: PageContexts, banner: BannerLoader, fhir_url: str) -> list[Route]:
    """Return the pages of statements, for the patient and for professionals."""
    pages = _StatementPages(record, record.statements(fhir_url), banner)
    own = "/record/statements"
    return [
        Route(own, page_endpoint(contexts.resolve_own, pages.show)),
        Route(f"{own}/{{kind}}", page_endpoint(contexts.resolve_own, pages.change), methods=["POST"]),
        Route("/patients/{person_id:uuid}/statements", page_endpoint(contexts.resolve_patient, pages.show)),
    ]


class _StatementPages:
    def __init__(self, record: Record, statements: Statements, banner: BannerLoader) -> None:
        self._record, self._statements, self._banner = record, statements, banner

    async def show(
        self, request: Request, page: PageContext, form: FormData | None = None, problem: Problem | None = None
    ) -> Response:
        """Show what the patient stated; to the patient with the forms and the history."""
        banner = await self._banner(page)
        if not page.is_own and banner["grant"] is None:
            raise no_access()
        wrong = request.path_params.get("kind", "") if problem else ""
        return await render(
            request,
            "record/statements.html",
            problem.status if problem else 200,
            page=page,
            histories=await self._statements.read(page.requester, page.person_id),
            problem=problem,
            wrong=wrong,
            values={name: read_text(form, name) for name in ("answer", "text", "location", "trusted_person")},
            longest=MAX_TEXT,
            longest_line=MAX_LINE,
            saved=request.query_params.get("saved", ""),
            **DOCUMENT_VARIABLES,
            **banner,
        )

    async def change(self, request: Request, page: PageContext) -> Response:
        """State something, take it back, or put the question off."""
        key = request.path_params["kind"]
        if key not in statement_terms(day_of(clock.now())).kinds:
            raise Problem(404, "not-found", NOT_FOUND)
        with self._record.large_bodies.upload(page.requester.id, declared_size(request, _FORM_LIMIT)):
            form = await read_form(request, _FORM_LIMIT)
            async with self._record.large_bodies.turn(file_size(form), page.requester.id):
                return await self._act(request, page, key, form)

    async def _act(self, request: Request, page: PageContext, key: str, form: FormData) -> Response:
        act = read_text(form, "act")
        try:
            if act == "later":
                await self._statements.defer(page.requester, key)
                return redirect("/")
            if act == "take-back":
                await self._statements.take_back(page.requester, key)
            else:
                await self._state(request, page, key, form)
        except Problem as problem:
            return await self.show(request, page, form, shown_above_form(problem))
        return redirect("/" if act == "home" else f"/record/statements?saved={key}#{key}")

    async def _state(self, request: Request, page: PageContext, key: str, form: FormData) -> None:
        text = read_text(form, "text").replace("\r\n", "\n")
        statement = Statement(
            kind=key,
            opposes=_ANSWERS.get(read_text(form, "answer")),
            text=text,
            location=read_text(form, "location"),
            trusted_person=read_text(form, "trusted_person"),
        )
        file = form.get("file")
        if isinstance(file, UploadFile) and file.filename:
            content = await file.read(MAX_CONTENT + 1)
            meta = _document_meta(request, key)
            statement = await self._statements.with_document(page.requester, statement, content, meta)
        elif read_text(form, "keep") == "yes":
            statement = await self._statements.with_known_document(page.requester, statement)
        await self._statements.state(page.requester, statement)


def _document_meta(request: Request, key: str) -> Deposit:
    """Return the metadata of a document that belongs to a statement."""
    kind = statement_terms(day_of(clock.now())).kinds[key]
    return Deposit(
        type=kind.document_type,
        title=gettext_of(request)(kind.label),
        language=language_of(request),
        media_type="application/pdf",
    )

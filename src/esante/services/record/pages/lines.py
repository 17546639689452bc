"""The pages on which a patient restricts lines of a document, and sees what they restricted."""

import asyncio
from dataclasses import dataclass
from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from esante.core.fhir import decode
from esante.core.time_zone import today
from esante.core.types import Json
from esante.core.web import N_, Problem, decode_offset_cursor, encode_cursor, read_form, redirect, render
from esante.identity.access import Confidentiality, choice_terms
from esante.services.record.clinical_types import CLINICAL, KEPT
from esante.services.record.documents.service import Record
from esante.services.record.indexing.extraction import fact_keys
from esante.services.record.model import Document, Status
from esante.services.record.pages import formatting
from esante.services.record.pages.form_fields import read_text, shown_above_form
from esante.services.record.pages.page_context import DOCUMENT_VARIABLES, PageContext, PageContexts, page_endpoint
from esante.services.record.restrictions.chosen_lines import DocumentLines
from esante.services.record.restrictions.line_names import LineSection, list_lines, names_of
from esante.services.record.restrictions.reduction import texts_with_words
from esante.services.record.restrictions.service import RestrictedDocument

_PAGE = 20
_MOST_FIELDS = 4_000
"""The most boxes of a form: documents of the largest size have fewer lines."""
_MOST_OTHERS = 20
"""The most further documents with a chosen line that are named."""
_FORM_LIMIT = 256 * 1024
_PERSONS = {name: type_.person for name, type_ in CLINICAL.items() if type_.person}
_LEVELS = (Confidentiality.HIDDEN, Confidentiality.RESTRICTED)


@dataclass(frozen=True, slots=True)
class _HiddenParts:
    """A document with restricted lines, and their names."""

    restricted: RestrictedDocument
    names: list[str]


def may_be_divided(document: Document) -> bool:
    """Return whether a page offers to restrict lines of a document: of the current one, made of coded lines."""
    is_current = document.status is Status.CURRENT
    return document.kind == "fhir" and document.author_kind != "system" and is_current


def routes(record: Record, contexts: PageContexts) -> list[Route]:
    """Return the pages."""
    pages = _LinePages(record)
    resolve = contexts.resolve_own
    address = "/record/{document_id:uuid}/lines"
    return [
        Route("/record/lines", page_endpoint(resolve, pages.show_all)),
        Route(address, page_endpoint(resolve, pages.choose)),
        Route(address, page_endpoint(resolve, pages.restrict), methods=["POST"]),
    ]


class _LinePages:
    def __init__(self, record: Record) -> None:
        self._record = record

    async def show_all(self, request: Request, page: PageContext) -> Response:
        """Show the documents of which lines are restricted."""
        found = await self._record.restrictions.list_restricted(page.requester, page.person_id)
        start = decode_offset_cursor(request.query_params.get("cursor"))
        shown = [await self._named(page, one) for one in found[start : start + _PAGE]]
        return await render(
            request,
            "record/lines_all.html",
            page=page,
            shown=shown,
            next=encode_cursor(start + _PAGE) if start + _PAGE < len(found) else None,
            **DOCUMENT_VARIABLES,
        )

    async def _named(self, page: PageContext, restricted: RestrictedDocument) -> _HiddenParts:
        _, content = await self._record.continue_reading(page.requester, page.person_id, restricted.document.id)
        names = await asyncio.to_thread(lambda: names_of(decode(content), restricted.tokens))
        return _HiddenParts(restricted, names)

    async def choose(self, request: Request, page: PageContext) -> Response:
        """Show the lines of a document, to choose among them."""
        document, bundle = await self._open(page, request.path_params["document_id"])
        tokens = await self._record.restrictions.tokens_of(document)
        level = document.restricted_lines or Confidentiality.HIDDEN
        return await self._show(request, page, document, bundle, set(tokens), level)

    async def restrict(self, request: Request, page: PageContext) -> Response:
        """Say what a choice means, or make it."""
        form = await read_form(request, _FORM_LIMIT, fields=_MOST_FIELDS)
        document_id, step = request.path_params["document_id"], read_text(form, "step")
        given = (value for name in ("line", "lines") for value in form.getlist(name) if isinstance(value, str))
        tokens = {token for value in given for token in value.split()}
        level = next((one for one in _LEVELS if one == read_text(form, "level")), Confidentiality.HIDDEN)
        document, bundle = await self._open(page, document_id)
        tokens &= DocumentLines(bundle).line_tokens()
        if step == "choose":
            return await self._show(request, page, document, bundle, tokens, level)
        confirmed = read_text(form, "risk") == "yes"
        if tokens and not (step == "save" and confirmed):
            return await self._warn(request, page, document, bundle, tokens, level, unread=step == "save")
        try:
            await self._record.restrictions.restrict(
                page.requester, page.person_id, document_id, tokens, level, risk_confirmed=bool(tokens)
            )
        except Problem as problem:
            return await self._show(request, page, document, bundle, tokens, level, shown_above_form(problem))
        return redirect(f"/record/{document_id}?saved={'parts' if tokens else 'whole'}")

    async def _open(self, page: PageContext, document_id: UUID) -> tuple[Document, Json]:
        """Return a document that can be divided, and its Bundle. Raises: `Problem` 404, also for another document."""
        document, content = await self._record.continue_reading(
            page.requester, page.person_id, document_id, matching=may_be_divided
        )
        return document, await asyncio.to_thread(decode, content)

    async def _show(
        self,
        request: Request,
        page: PageContext,
        document: Document,
        bundle: Json,
        tokens: set[str],
        level: Confidentiality,
        problem: Problem | None = None,
    ) -> Response:
        sections: tuple[LineSection, ...] = await asyncio.to_thread(list_lines, bundle)
        return await render(
            request,
            "record/lines.html",
            problem.status if problem else 200,
            page=page,
            document=document,
            sections=sections,
            chosen=tokens,
            level=level,
            problem=problem,
            formatting=formatting,
            risks=choice_terms(today()).risks,
            **DOCUMENT_VARIABLES,
        )

    async def _warn(
        self,
        request: Request,
        page: PageContext,
        document: Document,
        bundle: Json,
        tokens: set[str],
        level: Confidentiality,
        *,
        unread: bool,
    ) -> Response:
        """Say what a choice means before it counts."""
        names = await asyncio.to_thread(names_of, bundle, tokens)
        return await render(
            request,
            "record/lines_confirm.html",
            422 if unread else 200,
            page=page,
            document=document,
            names=names,
            tokens=" ".join(sorted(tokens)),
            level=level,
            risk=choice_terms(today()).risks[level.value],
            texts=await asyncio.to_thread(texts_with_words, bundle, tokens),
            others=await self._others(page, document, bundle, tokens),
            problem=Problem(422, "required", _UNREAD) if unread else None,
            **DOCUMENT_VARIABLES,
        )

    async def _others(self, page: PageContext, document: Document, bundle: Json, tokens: set[str]) -> list[Document]:
        """Return the other documents of the person that have one of the chosen lines and show it to others."""
        covered = DocumentLines(bundle).covered(tokens)
        keys = fact_keys(bundle, page.person_id, KEPT, _PERSONS)
        ids = {keys[index] for index in covered if index in keys}
        view = await self._record.clinical.load_view(page.requester, page.person_id)
        others = await self._record.clinical.other_documents(view, document.id, ids)
        if not others:
            return []
        timeline = await self._record.timeline(
            page.requester, page.person_id, limit=_MOST_OTHERS, matching=lambda one: one.id in others
        )
        return list(timeline.documents)


_UNREAD = N_("Confirm first that you have read what this can mean for you.")

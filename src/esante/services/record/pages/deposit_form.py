"""The form by which professionals add a document: fill in, check against the person, add.

The file stays on the server from the first step on (`uploads`), so that nobody has to choose it again. A document is
added in the last step only, after it was shown beside the person whose record it goes into.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Any
from uuid import UUID

from starlette.datastructures import FormData, UploadFile
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from esante.core.time_zone import today
from esante.core.types import Json
from esante.core.web import LANGUAGES, N_, NOT_FOUND, Problem, gettext_of, language_of, read_form, redirect, render
from esante.identity.access import Access, Against, Grant, GrantKind, care_opposition, choice_terms
from esante.services.record import errors
from esante.services.record.categories import type_choices
from esante.services.record.documents.content.validation_messages import FINDINGS, InvalidContent
from esante.services.record.documents.service import Record
from esante.services.record.identification.check import PersonDiffers
from esante.services.record.identification.model import TRAITS
from esante.services.record.model import MAX_CONTENT, Deposit, Document
from esante.services.record.pages import formatting
from esante.services.record.pages.content_view import ImageSources, image_routes, load_content_view
from esante.services.record.pages.form_fields import (
    declared_size,
    file_size,
    parse_uuid,
    read_confidentiality,
    read_text,
    shown_above_form,
)
from esante.services.record.pages.forms import NOTE
from esante.services.record.pages.page_context import (
    DOCUMENT_VARIABLES,
    BannerLoader,
    PageContext,
    PageContexts,
    page_endpoint,
)
from esante.services.record.pages.person_differences import difference_rows
from esante.services.record.uploads.kept_uploads import KeptUpload, new_upload

FIELDS = ("type", "title", "date", "language", "level")
OWN_TYPE = "own"
"""The type that stands in the document itself."""
_FORM_LIMIT = MAX_CONTENT + 1024 * 1024
_MEGABYTES = MAX_CONTENT // (1024 * 1024)
_NO_FILE = N_("Choose a file.")
_NOT_KEPT = N_("The file is no longer here. Choose it again.")
_NO_DAY = N_("This is not a valid day.")
_PLAIN_WORDS: Mapping[str, tuple[str, str]] = {
    "empty": (N_("The file is empty."), N_("Check the file on your device and choose it again.")),
    "too-large": (
        N_("The file is too large."),
        N_("Save it with a lower resolution, or split it into several documents."),
    ),
    "media-type-unknown": (
        N_("We cannot read this file."),
        N_("Choose a PDF, a JPEG or PNG image, a text file, or a FHIR or CDA document."),
    ),
    "type-missing": (
        N_("Choose the type of the document."),
        N_("It is not stated in the file itself."),
    ),
    "type-unknown": (N_("Documents of this type are not accepted."), N_("Choose another type.")),
    "reason-missing": (N_("Enter a reason."), N_("Explain why it is the right person although the document differs.")),
}
"""What the form says, by the key of the refusal, where software is told it in other words."""
_SAME_WORDS = {"text-not-utf8": "media-type-unknown"}
_OF_METADATA = frozenset(
    {"type-missing", "type-unknown", "category-differs", "category-changed", "future-date", "bad-text", "bad-language"}
    | {"reason-missing", "subject-differs"}
)
"""Refusals that are not about the file: it is kept while they are corrected."""
_TECHNICAL = frozenset({"fhir", "not-a-document", "xml-broken", "not-cda"})
"""Refusals whose details help whoever made the file."""
_FIELD_OF_PLACE = {"content": "file", "contentType": "file", "": "file", "securityLabel": "level"}


def routes(record: Record, access: Access, contexts: PageContexts, banner: BannerLoader) -> list[Route]:
    """Return the form, its steps, what the patient opposes, and the images of the document that is checked."""
    form, address = _DepositPages(record, access, banner), "/patients/{person_id:uuid}/deposit"
    resolve = contexts.resolve_patient
    return [
        Route(address, page_endpoint(resolve, form.show_empty), methods=["GET"]),
        Route(address, page_endpoint(resolve, form.submit), methods=["POST"]),
        Route(f"{address}/opposition", page_endpoint(resolve, form.oppose), methods=["POST"]),
        *image_routes(f"{address}/{{upload_id:uuid}}", resolve, record.previews, form.open_upload),
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Filled:
    """The form as it was sent: its fields, the file that is kept, and the document that is to be replaced."""

    values: Mapping[str, str]
    upload: KeptUpload | None = None
    replaces: Document | None = None
    reason: str = ""
    confirmed: bool = False

    def metadata(self) -> Deposit:
        """Return the metadata of the deposit. Raises: `Problem` 422 for an invalid date or confidentiality."""
        event_date = _day(self.values["date"])
        return Deposit(
            type="" if self.values["type"] == OWN_TYPE else self.values["type"],
            title=self.values["title"],
            language=self.values["language"],
            event_date=event_date,
            confidentiality=read_confidentiality(FormData(self.values)),
            confirmation=" ".join(self.reason.split()) if self.confirmed else None,
        )


class _DepositPages:
    def __init__(self, record: Record, access: Access, banner: BannerLoader) -> None:
        self._record, self._access, self._banner = record, access, banner

    async def show_empty(self, request: Request, page: PageContext) -> Response:
        """Show the form; with `?replaces=` for a new version of a document."""
        banner = await self._banner(page)
        if _is_emergency(banner["grant"]) and not banner["writable"]:
            raise errors.emergency_reads_only()
        replaces = await self._replaced_document(request, page)
        values = dict.fromkeys(FIELDS, "")
        if replaces:
            values |= {"type": replaces.type, "title": replaces.title, "language": replaces.language}
        return await _show_form(request, page, banner, _Filled(values=values, replaces=replaces))

    async def oppose(self, request: Request, page: PageContext) -> Response:
        """Record on the patient's word that documents of some days of care are not to be added."""
        form = await read_form(request)
        banner = await self._banner(page)
        try:
            care_from, care_until = _day(read_text(form, "care_from")), _day(read_text(form, "care_until"))
            opposition = care_opposition(Against.DEPOSIT, None, care_from, care_until)
            confirmed = read_text(form, "risk") == Against.DEPOSIT
            await self._access.oppositions.record_on_word(
                page.requester, page.person_id, opposition, risk_confirmed=confirmed
            )
        except Problem as problem:
            shown_above_form(problem)
            return await _show_form(request, page, banner, _Filled(values=dict.fromkeys(FIELDS, "")), problem)
        return redirect(f"{page.timeline_url}/deposit?opposed=yes")

    async def submit(self, request: Request, page: PageContext) -> Response:
        """Take a step: check the document, go back to the form, add the document, or give it up."""
        with self._record.large_bodies.upload(page.requester.id, declared_size(request, _FORM_LIMIT)):
            try:
                form = await read_form(request, _FORM_LIMIT)
            except Problem as problem:
                if problem.status != 413:
                    raise
                too_large = InvalidContent("too-large")
                too_large.headers = problem.headers
                replaces = await self._replaced_document(request, page)
                empty = _Filled(values=dict.fromkeys(FIELDS, ""), replaces=replaces)
                return await _show_form(request, page, await self._banner(page), empty, too_large)
            async with self._record.large_bodies.turn(file_size(form), page.requester.id):
                return await self._take_step(request, page, form)

    async def _take_step(self, request: Request, page: PageContext, form: FormData) -> Response:
        filled = _Filled(
            values={name: read_text(form, name) for name in FIELDS},
            replaces=await self._replaced_document(request, page),
            reason=read_text(form, "reason"),
            confirmed=read_text(form, "confirmed") == "yes",
        )
        step = read_text(form, "step")
        if step == "cancel":
            await self._discard(request, read_text(form, "kept"))
            return redirect(page.timeline_url)
        banner = await self._banner(page)
        try:
            filled = replace(filled, upload=await self._keep(request, page, form, may_keep=bool(banner["writable"])))
            if step == "edit":
                return await _show_form(request, page, banner, filled)
            return await (self._add if step == "add" else self._check)(request, page, banner, filled)
        except Problem as problem:
            shown_above_form(problem)
            if isinstance(problem, InvalidContent) and problem.key not in _OF_METADATA and filled.upload:
                await self._record.uploads.discard(await _session_key(request), filled.upload.id)
                filled = replace(filled, upload=None)  # the file itself is the problem
            return await _show_form(request, page, banner, filled, problem)

    async def _keep(self, request: Request, page: PageContext, form: FormData, *, may_keep: bool) -> KeptUpload:
        """Return the file that was sent, which is kept from now on, or else the one that is kept already.

        `may_keep`: whether the requester may write; from others nothing is kept. Raises: `Problem` 422 where there is
        no file.
        """
        key, kept, file = await _session_key(request), read_text(form, "kept"), form.get("file")
        if isinstance(file, UploadFile) and file.filename:
            await self._discard(request, kept)
            content = await file.read(MAX_CONTENT + 1)
            if not content or len(content) > MAX_CONTENT:
                raise InvalidContent("too-large" if content else "empty", place="file")
            upload = new_upload(file.filename, content)
            if may_keep:
                await self._record.uploads.keep(key, page.requester.id, page.person_id, upload)
            return upload
        if not kept:
            raise Problem(422, "required", _NO_FILE, place="file")
        found = await self._record.uploads.find(key, page.person_id, parse_uuid(kept))
        if found is None:
            raise Problem(422, "required", _NOT_KEPT, place="file")
        return found

    async def _discard(self, request: Request, kept: str) -> None:
        if kept:
            await self._record.uploads.discard(await _session_key(request), parse_uuid(kept))

    async def _check(self, request: Request, page: PageContext, banner: Json, filled: _Filled) -> Response:
        """Show the document as it would be added, and in what it differs from the person."""
        upload = _require_upload(filled)
        checked = await self._record.check_deposit(
            page.requester, page.person_id, upload.content, filled.metadata(), _key(filled.replaces)
        )
        client = page.requester.id
        body, view = await load_content_view(self._record.previews, checked.document, upload.content, client)
        return await render(
            request,
            "record/deposit-check.html",
            page=page,
            replaces=filled.replaces,
            values=filled.values,
            upload=upload,
            document=checked.document,
            images=ImageSources(f"{page.timeline_url}/deposit/{upload.id}"),
            body=body,
            view=view,
            formatting=formatting,
            severe=checked.comparison.severe,
            differences=difference_rows(checked.comparison, banner["person"], language_of(request)),
            **DOCUMENT_VARIABLES,
            **banner,
        )

    async def _add(self, request: Request, page: PageContext, banner: Json, filled: _Filled) -> Response:
        """Add the document, and show the findings of the validation."""
        upload = _require_upload(filled)
        try:
            deposited = await self._record.deposit(
                page.requester, page.person_id, upload.content, filled.metadata(), _key(filled.replaces)
            )
        except PersonDiffers:
            return await self._check(request, page, banner, filled)
        await self._record.uploads.discard(await _session_key(request), upload.id)
        findings = [finding for finding in deposited.findings if finding.key not in TRAITS]
        return await render(
            request,
            "record/deposited.html",
            201 if deposited.created else 200,
            page=page,
            document=deposited.document,
            created=deposited.created,
            findings=[(FINDINGS[finding.key], finding) for finding in findings if finding.key in FINDINGS],
            **DOCUMENT_VARIABLES,
            **banner,
        )

    async def open_upload(
        self, request: Request, page: PageContext, kinds: Collection[str]
    ) -> tuple[KeptUpload, bytes]:
        """Return a kept file of one of the kinds, for an image of it. Raises: `Problem` 404."""
        key = await _session_key(request)
        upload = await self._record.uploads.find(key, page.person_id, request.path_params["upload_id"])
        if upload is None or upload.kind not in kinds:
            raise Problem(404, "not-found", NOT_FOUND)
        return upload, upload.content

    async def _replaced_document(self, request: Request, page: PageContext) -> Document | None:
        key = request.query_params.get("replaces", "")
        return await self._record.document(page.requester, page.person_id, parse_uuid(key)) if key else None


async def _show_form(
    request: Request, page: PageContext, banner: Json, filled: _Filled, problem: Problem | None = None
) -> Response:
    key = problem.key if isinstance(problem, InvalidContent) else ""
    title, remedy = ("", "")
    if problem:
        title, remedy = _PLAIN_WORDS.get(_SAME_WORDS.get(key, key), (problem.title, problem.remedy))
    return await render(
        request,
        "record/deposit.html",
        problem.status if problem else 200,
        headers=problem.headers if problem else {},
        page=page,
        replaces=filled.replaces,
        values=filled.values,
        upload=filled.upload,
        types=type_choices(gettext_of(request), banner["writable"] - {NOTE}, besides=filled.values["type"]),
        own_type=OWN_TYPE,
        problem=problem,
        problem_title=title,
        problem_remedy=remedy,
        wrong_field=_FIELD_OF_PLACE.get(problem.place, problem.place) if problem else "",
        details=_details(problem) if problem and key in _TECHNICAL else [],
        max_bytes=MAX_CONTENT,
        max_megabytes=_MEGABYTES,
        document_languages=LANGUAGES,
        opposed=request.query_params.get("opposed") == "yes",
        today=today(),
        risks=choice_terms(today()).risks,
        **DOCUMENT_VARIABLES,
        **banner,
    )


def _day(text: str) -> date | None:
    """Return a day in the form, None for none. Raises: `Problem` 422."""
    try:
        return date.fromisoformat(text) if text else None
    except ValueError as error:
        raise Problem(422, "value", _NO_DAY, place="date") from error


def _require_upload(filled: _Filled) -> KeptUpload:
    """Return the kept file. Raises: `Problem` 422 where there is none."""
    if filled.upload is None:
        raise Problem(422, "required", _NO_FILE, place="file")
    return filled.upload


def _key(document: Document | None) -> UUID | None:
    return document.id if document else None


def _details(problem: Problem) -> list[str]:
    """Return the places and details of what is wrong in a file, the first twenty."""
    issues: tuple[Any, ...] = getattr(problem, "issues", ())
    if not issues:
        return [problem.detail] if problem.detail else []
    return [f"{issue.expression}: {issue.diagnostics}" for issue in issues[:20]]


async def _session_key(request: Request) -> bytes:
    session = await request.app.state.sessions.of(request)
    return bytes(session.key)


def _is_emergency(grant: Grant | None) -> bool:
    return grant is not None and grant.kind is GrantKind.EMERGENCY

"""The patient's access log ("who looked"), and the proof that it is complete."""

import asyncio
import base64
from collections.abc import AsyncIterator, Mapping
from tempfile import TemporaryFile
from typing import BinaryIO

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from esante.core.journal import Entry, Journal, ProofRunning, verifier_source
from esante.core.web import N_, NOT_FOUND, Problem, decode_uuid_cursor, encode_cursor, gettext_of, render
from esante.identity.access.audit.access_log import (
    KINDS,
    describe_entry,
    describe_visit,
    is_refused,
    log_types,
    matches_words,
)
from esante.identity.access.audit.log_scan import scan_visits
from esante.identity.access.events import LogRead
from esante.identity.access.model import Requester
from esante.identity.access.service import Access
from esante.identity.directory import catalogue

_PATIENT = ("patient",)
_PAGE_SIZE = 25
_MAX_TEXT_LENGTH = 100
_SENT_BYTES = 256 * 1024


def routes(access: Access, journal: Journal, categories: Mapping[str, str]) -> list[Route]:
    """Return the routes of the access log; `categories`: the names (msgids) of the categories of documents."""
    terms = {**catalogue().organization_kinds, **catalogue().professions}
    roles = {key: term.label for key, term in terms.items()}

    async def show_log(request: Request) -> Response:
        requester = await access.page_requester(request, _PATIENT)
        return await _show_log(request, requester, journal, categories, roles)

    async def download_proof(request: Request) -> Response:
        requester = await access.page_requester(request, _PATIENT)
        await access.count_proof(requester)
        return await _download_proof(requester, journal)

    async def download_verifier(request: Request) -> Response:
        await access.page_requester(request, _PATIENT)
        return _attachment(verifier_source().encode(), "verifier.py", "text/x-python")

    return [
        Route("/log", show_log),
        Route("/log/proof.json", download_proof),
        Route("/log/verifier.py", download_verifier),
    ]


async def _show_log(
    request: Request,
    requester: Requester,
    journal: Journal,
    categories: Mapping[str, str],
    roles: Mapping[str, str],
) -> Response:
    kind, text = request.query_params.get("kind", ""), request.query_params.get("q", "").strip()[:_MAX_TEXT_LENGTH]
    cursor = request.query_params.get("cursor") or None
    if kind not in KINDS:
        raise Problem(404, "not-found", NOT_FOUND)
    if cursor is None:
        await journal.append_for(requester, LogRead(face="page"), person_id=requester.id)
    words = text.casefold().split()
    translate = gettext_of(request)

    def matches(entry: Entry) -> bool:
        if kind == "refused" and not is_refused(entry.event):
            return False
        return not words or matches_words(describe_entry(entry, translate, categories, roles), words)

    page = await scan_visits(
        journal, requester.id, log_types(kind), matches, before=decode_uuid_cursor(cursor), limit=_PAGE_SIZE
    )
    return await render(
        request,
        "access/log.html",
        lines=[describe_visit(visit, translate, categories, roles) for visit in page.items],
        next=encode_cursor(page.next) if page.next else None,
        cursor=cursor,
        chosen=kind,
        kinds=KINDS,
        q=text,
        person_id=requester.id,
        head=await journal.head(),
        key=base64.b64encode(journal.signer.public).decode(),
    )


async def _download_proof(requester: Requester, journal: Journal) -> Response:
    await journal.append_for(requester, LogRead(face="proof"), person_id=requester.id)
    file = TemporaryFile()  # noqa: SIM115 - closed when it was sent
    try:
        is_sealed = await journal.write_proof(requester.id, file)
    except ProofRunning as error:
        raise Problem(
            429,
            "throttled",
            N_("Too many attempts."),
            remedy=N_("Wait a few minutes, then try again."),
            headers={"Retry-After": "30"},
        ) from error
    if not is_sealed:
        raise Problem(
            503,
            "transient",
            N_("There is no sealed audit log yet."),
            remedy=N_("Try again in a few seconds."),
            headers={"Retry-After": "2"},
        )
    headers = _headers("proof.json") | {"Content-Length": str(file.tell())}
    return StreamingResponse(_content(file), headers=headers, media_type="application/json")


async def _content(file: BinaryIO) -> AsyncIterator[bytes]:
    """Yield the bytes of a file from its beginning, and close it."""
    with file:
        file.seek(0)
        while data := await asyncio.to_thread(file.read, _SENT_BYTES):
            yield data


def _attachment(data: bytes, name: str, media_type: str) -> Response:
    return Response(data, headers=_headers(name), media_type=media_type)


def _headers(name: str) -> dict[str, str]:
    return {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}

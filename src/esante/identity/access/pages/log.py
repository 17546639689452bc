"""The patient's page "who looked", and the proof that it is complete."""

import base64
from collections.abc import Mapping

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from esante.core.journal import Entry, Journal, verifier_source
from esante.core.web import N_, NOT_FOUND, Problem, encode_cursor, gettext_of, render
from esante.identity.access.audit.access_log import (
    KINDS,
    describe_entry,
    is_refused,
    log_types,
    matches_words,
    scan_entries,
)
from esante.identity.access.events import LogRead
from esante.identity.access.model import Requester
from esante.identity.access.pages.form_fields import id_of_cursor
from esante.identity.access.service import Access
from esante.identity.directory import catalogue

_PATIENT = ("patient",)
_PAGE = 25
_MAX_TEXT = 100


def routes(access: Access, journal: Journal, categories: Mapping[str, str]) -> list[Route]:
    """The routes of "who looked"."""
    lists = catalogue()
    terms = {**lists.organization_kinds, **lists.professions}
    roles = {key: term.label for key, term in terms.items()}

    async def log(request: Request) -> Response:
        requester = await access.page_requester(request, _PATIENT)
        return await _log(request, requester, journal, categories, roles)

    async def proof(request: Request) -> Response:
        requester = await access.page_requester(request, _PATIENT)
        return await _proof(requester, journal)

    async def verifier(request: Request) -> Response:
        await access.page_requester(request, _PATIENT)
        return _download(verifier_source().encode(), "verifier.py", "text/x-python")

    return [Route("/log", log), Route("/log/proof.json", proof), Route("/log/verifier.py", verifier)]


async def _log(
    request: Request,
    requester: Requester,
    journal: Journal,
    categories: Mapping[str, str],
    roles: Mapping[str, str],
) -> Response:
    kind, text = request.query_params.get("kind", ""), request.query_params.get("q", "").strip()[:_MAX_TEXT]
    cursor = request.query_params.get("cursor") or None
    if kind not in KINDS:
        raise Problem(404, "not-found", NOT_FOUND)
    if cursor is None:
        await _tell(journal, requester, "page")
    words = text.casefold().split()
    translate = gettext_of(request)

    def wanted(entry: Entry) -> bool:
        if kind == "refused" and not is_refused(entry.event):
            return False
        return not words or matches_words(describe_entry(entry, translate, categories, roles), words)

    page = await scan_entries(journal, requester.id, log_types(kind), wanted, before=id_of_cursor(cursor), limit=_PAGE)
    return await render(
        request,
        "access/log.html",
        lines=[describe_entry(entry, translate, categories, roles) for entry in page.items],
        next=encode_cursor(page.next) if page.next else None,
        cursor=cursor,
        chosen=kind,
        kinds=KINDS,
        q=text,
        person_id=requester.id,
        head=await journal.head(),
        key=base64.b64encode(journal.signer.public).decode(),
    )


async def _proof(requester: Requester, journal: Journal) -> Response:
    await _tell(journal, requester, "proof")
    found = await journal.prove(requester.id)
    if found is None:
        raise Problem(
            503,
            "transient",
            N_("There is no sealed journal yet."),
            remedy=N_("Please try again in a few seconds."),
            headers={"Retry-After": "2"},
        )
    return _download(orjson.dumps(found, option=orjson.OPT_INDENT_2), "proof.json", "application/json")


def _download(data: bytes, name: str, media_type: str) -> Response:
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
    return Response(data, headers=headers, media_type=media_type)


async def _tell(journal: Journal, requester: Requester, face: str) -> None:
    await journal.append(LogRead(face=face), person_id=requester.id, actor=requester.actor, origin=requester.origin)

"""The pages of an authorisation: for which patient an app is opened, what it may see, and back to it.

A form that is answered by going on to another site would be held up by the pages' own policy (form-action, which
counts for what a form leads to in the end as well). So an answer to a form, and one that may follow from a form, is a
page that goes on by itself; an app that comes from its own site is sent back at once.
"""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, urlencode
from uuid import UUID

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from esante.core.web import Problem, Session, gettext_of, read_body, read_form, redirect, render
from esante.identity.access.audit.access_log import GRANT_KINDS
from esante.identity.access.matrix import policy
from esante.identity.access.model import Requester
from esante.identity.access.pages.form_fields import text_of
from esante.identity.access.service import Access
from esante.identity.access.smart.authorization import KINDS, Asked, Back, MustChoose
from esante.identity.access.smart.clients import source_of
from esante.identity.access.smart.scope_labels import in_words
from esante.identity.directory import Directory

PATH = "/oauth/authorize"
_DECISION = f"{PATH}/decision"
_FORM_LIMIT = 64 * 1024
_ANYBODY = (*KINDS, "organization", "operator")
Endpoint = Callable[[Request], Awaitable[Response]]


def routes(access: Access, directory: Directory) -> list[Route]:
    """The routes of an authorisation."""

    async def ask(request: Request) -> Response:
        return await _ask(request, access, directory)

    async def decide(request: Request) -> Response:
        return await _decide(request, access)

    async def nothing(request: Request) -> Response:
        return redirect("/")

    return [
        Route(PATH, _answering(ask)),
        Route(PATH, _answering(_posted(access)), methods=["POST"]),
        Route(_DECISION, nothing),
        Route(_DECISION, _answering(decide), methods=["POST"]),
    ]


async def onward(request: Request, url: str, name: str = "") -> Response:
    """A page that goes on to an app at `url` by itself; without `name` the app's place is named."""
    return await render(request, "access/onward.html", url=url, name=name or source_of(url).rpartition("/")[2])


def _answering(endpoint: Endpoint) -> Endpoint:
    """An endpoint that answers the app at its own address when it must."""

    async def answer(request: Request) -> Response:
        try:
            return await endpoint(request)
        except Back as back:
            own = request.headers.get("sec-fetch-site", "cross-site") in ("same-origin", "same-site")
            if own or request.url.path == _DECISION:
                return await onward(request, back.url)
            return RedirectResponse(back.url, 303)

    return answer


def _posted(access: Access) -> Endpoint:
    """A request sent as a form, from another site and so without anybody's cookies: it goes on as an address."""

    async def endpoint(request: Request) -> Response:
        body = (await read_body(request, _FORM_LIMIT)).decode("ascii", "replace")
        asked = await access.apps.asked(parse_qsl(body, keep_blank_values=True))
        return redirect(_address(asked.params))

    return endpoint


async def _ask(request: Request, access: Access, directory: Directory) -> Response:
    """What the app asks for; before it, who is signed in and for which patient; nothing where all is settled."""
    asked = await access.apps.asked(request.query_params.multi_items())
    if await access.sessions.of(request) is None:
        return redirect(f"/signin?{urlencode({'next': f'{PATH}?{request.url.query}'})}")
    requester, session = await _who(request, access, asked)
    try:
        person_id = await access.apps.patient_for(requester, session, asked, _id(request.query_params.get("patient")))
    except MustChoose:
        return await _choose(request, access, requester, asked)
    known, settled = await access.apps.before(requester, asked, person_id)
    if known is not None and settled:
        raise await access.apps.allow_again(requester, session, asked, known)
    offered = access.apps.offered(asked)
    left_out = known.asked - known.scopes if known else frozenset()
    person = await directory.person(person_id) if person_id and person_id != requester.id else None
    return await render(
        request,
        "access/consent.html",
        asked=asked,
        params=asked.params | ({"patient": str(person.id)} if person else {}),
        decision=_DECISION,
        wordings=in_words(offered, requester.kind, gettext_of(request)),
        left_out=left_out,
        known=known,
        person=person,
        place=source_of(asked.redirect_uri).rpartition("/")[2],
        staying="offline" if "offline_access" in offered else "online" if "online_access" in offered else "",
        terms=policy(datetime.now(UTC).date()),
        problem=request.query_params.get("nothing") == "yes",
    )


async def _decide(request: Request, access: Access) -> Response:
    """What the person answered."""
    if await access.sessions.of(request) is None:
        return redirect("/signin")
    form = await read_form(request)
    asked = await access.apps.asked([(name, value) for name, value in form.multi_items() if isinstance(value, str)])
    requester, session = await _who(request, access, asked)
    chosen = _id(text_of(form, "patient"))
    try:
        person_id = await access.apps.patient_for(requester, session, asked, chosen)
    except MustChoose:
        return redirect(_address(asked.params))
    if text_of(form, "decision") != "allow":
        raise await access.apps.refuse(requester, asked)
    grants = [value for value in form.getlist("grant") if isinstance(value, str)]
    try:
        raise await access.apps.allow(requester, session, asked, person_id, grants)
    except Problem as problem:
        if problem.place != "grant":
            raise
        patient = {"patient": str(chosen)} if chosen else {}
        return redirect(_address(asked.params | patient | {"nothing": "yes"}))


async def _who(request: Request, access: Access, asked: Asked) -> tuple[Requester, Session]:
    """Who is signed in, and may use apps."""
    requester = await access.page_requester(request, _ANYBODY)
    session = await access.sessions.of(request)
    assert session is not None
    if requester.kind not in KINDS:
        raise access.apps.back(asked, error="access_denied", error_description="this account cannot use apps")
    return requester, session


async def _choose(request: Request, access: Access, requester: Requester, asked: Asked) -> Response:
    """The patients for whom a professional can open the app."""
    text = request.query_params.get("q", "").strip()[:100]
    cursor = request.query_params.get("cursor") or None
    return await render(
        request,
        "access/choose.html",
        asked=asked,
        page=await access.grants.list_patients(requester, text, cursor),
        q=text,
        cursor=cursor,
        kinds=GRANT_KINDS,
        address=lambda person_id: _address(asked.params | {"patient": str(person_id)}),
    )


def _address(params: dict[str, Any]) -> str:
    return f"{PATH}?{urlencode(params)}"


def _id(text: str | None) -> UUID | None:
    """The id in a text; None for what is none."""
    try:
        return UUID(text or "")
    except ValueError:
        return None

"""Pages of the authorization endpoint: selection of a patient, consent, and the way back to the client.

The Content Security Policy of the pages (form-action, which also applies to redirects after a form) would block a form
whose response redirects to another site. So a response to a form, and one that may follow from a form, is a page that
forwards by itself; a request that comes from the client's own site is redirected at once.
"""

from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import parse_qsl, urlencode
from uuid import UUID

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from esante.core.time_zone import today
from esante.core.web import N_, Problem, Session, gettext_of, read_body, read_form, redirect, render
from esante.identity.access.audit.access_log import GRANT_KINDS
from esante.identity.access.model import Requester
from esante.identity.access.pages.form_fields import form_text
from esante.identity.access.regulation.policy_set import policy
from esante.identity.access.service import Access
from esante.identity.access.smart.authorization import APP_USER_KINDS, PatientSelectionRequired
from esante.identity.access.smart.authorization_request import (
    AuthorizationRequest,
    AuthorizationResponse,
    grantable_scopes,
)
from esante.identity.access.smart.clients import uri_origin
from esante.identity.access.smart.scope_labels import label_scopes
from esante.identity.directory import Directory

PATH = "/oauth/authorize"
_DECISION_PATH = f"{PATH}/decision"
_FORM_LIMIT = 64 * 1024
_ALL_KINDS = (*APP_USER_KINDS, "organization", "operator")
Endpoint = Callable[[Request], Awaitable[Response]]


def routes(access: Access, directory: Directory) -> list[Route]:
    """Return the routes of the authorization endpoint."""

    async def show_consent(request: Request) -> Response:
        return await _show_consent(request, access, directory)

    async def decide(request: Request) -> Response:
        return await _decide(request, access)

    async def go_home(request: Request) -> Response:
        return redirect("/")

    return [
        Route(PATH, _answering_client(show_consent)),
        Route(PATH, _answering_client(_forwarding_form(access)), methods=["POST"]),
        Route(_DECISION_PATH, go_home),
        Route(_DECISION_PATH, _answering_client(decide), methods=["POST"]),
    ]


async def render_redirect_page(request: Request, url: str) -> Response:
    """Render a page that forwards to a client at `url` by itself and names the host of the client."""
    return await render(request, "access/onward.html", url=url, name=uri_origin(url).rpartition("/")[2])


async def require_session(request: Request, access: Access) -> Session:
    """Return the session of a request. Raises: `Problem` 303 to the sign-in page when there is none (any more)."""
    session = await access.sessions.of(request)
    if session is None:
        raise Problem(
            303,
            "login",
            N_("You need to sign in."),
            remedy=N_("Sign in, then try again."),
            headers={"Location": "/signin"},
        )
    return session


def _answering_client(endpoint: Endpoint) -> Endpoint:
    """Return an endpoint that sends an `AuthorizationResponse` to the client at its redirect URI."""

    async def answer(request: Request) -> Response:
        try:
            return await endpoint(request)
        except AuthorizationResponse as response:
            same_site = request.headers.get("sec-fetch-site", "cross-site") in ("same-origin", "same-site")
            if same_site or request.url.path == _DECISION_PATH:
                return await render_redirect_page(request, response.url)
            return RedirectResponse(response.url, 303)

    return answer


def _forwarding_form(access: Access) -> Endpoint:
    """Return an endpoint for requests sent as a form: redirect to the same request in a query.

    Such a form comes from another site and so without cookies.
    """

    async def endpoint(request: Request) -> Response:
        body = (await read_body(request, _FORM_LIMIT)).decode("ascii", "replace")
        authorization = await access.apps.parse_request(parse_qsl(body, keep_blank_values=True))
        return redirect(_request_url(authorization.parameters))

    return endpoint


async def _show_consent(request: Request, access: Access, directory: Directory) -> Response:
    """Show what the client requests, after sign-in and selection of a patient; answer at once where it is settled."""
    authorization = await access.apps.parse_request(request.query_params.multi_items())
    if await access.sessions.of(request) is None:
        return redirect(f"/signin?{urlencode({'next': f'{PATH}?{request.url.query}'})}")
    requester, session = await _require_app_user(request, access, authorization)
    try:
        person_id = await access.apps.resolve_patient(
            requester, session, authorization, _parse_uuid(request.query_params.get("patient"))
        )
    except PatientSelectionRequired:
        return await _show_patients(request, access, requester, authorization)
    previous, settled = await access.apps.find_previous(requester, authorization, person_id)
    if previous is not None and settled:
        raise await access.apps.allow_again(requester, session, authorization, previous)
    grantable = grantable_scopes(authorization)
    deselected = previous.requested - previous.scopes if previous else frozenset()
    person = await directory.person(person_id) if person_id and person_id != requester.id else None
    access_mode = "offline" if "offline_access" in grantable else "online" if "online_access" in grantable else ""
    return await render(
        request,
        "access/consent.html",
        client=authorization.client,
        params=authorization.parameters | ({"patient": str(person.id)} if person else {}),
        decision=_DECISION_PATH,
        labels=label_scopes(grantable, requester.kind, gettext_of(request)),
        deselected=deselected,
        previous=previous,
        person=person,
        place=uri_origin(authorization.redirect_uri).rpartition("/")[2],
        access_mode=access_mode,
        terms=policy(today()),
        problem=request.query_params.get("nothing") == "yes",
    )


async def _decide(request: Request, access: Access) -> Response:
    """Apply the decision of the person in the consent form."""
    if await access.sessions.of(request) is None:
        return redirect("/signin")
    form = await read_form(request)
    pairs = [(name, value) for name, value in form.multi_items() if isinstance(value, str)]
    authorization = await access.apps.parse_request(pairs)
    requester, session = await _require_app_user(request, access, authorization)
    selected = _parse_uuid(form_text(form, "patient"))
    try:
        person_id = await access.apps.resolve_patient(requester, session, authorization, selected)
    except PatientSelectionRequired:
        return redirect(_request_url(authorization.parameters))
    if form_text(form, "decision") != "allow":
        raise await access.apps.refuse(requester, authorization)
    grants = [value for value in form.getlist("grant") if isinstance(value, str)]
    try:
        raise await access.apps.allow(requester, session, authorization, person_id, grants)
    except Problem as problem:
        if problem.place != "grant":
            raise
        patient = {"patient": str(selected)} if selected else {}
        return redirect(_request_url(authorization.parameters | patient | {"nothing": "yes"}))


async def _require_app_user(
    request: Request, access: Access, authorization: AuthorizationRequest
) -> tuple[Requester, Session]:
    """Return who is signed in, and their session.

    Raises: `AuthorizationResponse` (access_denied) when this kind of requester cannot use apps.
    """
    requester = await access.page_requester(request, _ALL_KINDS)
    session = await require_session(request, access)
    if requester.kind not in APP_USER_KINDS:
        raise authorization.respond(error="access_denied", error_description="this account cannot use apps")
    return requester, session


async def _show_patients(
    request: Request, access: Access, requester: Requester, authorization: AuthorizationRequest
) -> Response:
    """Show the patients for whom a professional can open the app."""
    text = request.query_params.get("q", "").strip()[:100]
    cursor = request.query_params.get("cursor") or None
    return await render(
        request,
        "access/choose.html",
        client=authorization.client,
        params=authorization.parameters,
        page=await access.grants.list_patients(requester, text, cursor),
        q=text,
        kinds=GRANT_KINDS,
        address=lambda person_id: _request_url(authorization.parameters | {"patient": str(person_id)}),
    )


def _request_url(parameters: dict[str, Any]) -> str:
    return f"{PATH}?{urlencode(parameters)}"


def _parse_uuid(text: str | None) -> UUID | None:
    """Return the UUID in a text; None for any other text."""
    try:
        return UUID(text or "")
    except ValueError:
        return None

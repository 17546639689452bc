"""The pages of apps in the portal: which have access, how it ends, and opening one."""

from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from esante.core.web import NOT_FOUND, Problem, gettext_of, read_form, redirect, render
from esante.identity.access.pages.form_fields import id_of, text_of
from esante.identity.access.pages.oauth import onward
from esante.identity.access.service import Access
from esante.identity.access.smart.authorization import KINDS
from esante.identity.access.smart.scope_labels import in_words
from esante.identity.directory import Directory

_PRACTITIONER = ("practitioner",)


def routes(access: Access, directory: Directory) -> list[Route]:
    """The routes of apps."""

    async def mine(request: Request) -> Response:
        return await _mine(request, access)

    async def revoke(request: Request) -> Response:
        requester = await access.page_requester(request, KINDS)
        form = await read_form(request)
        await access.apps.revoke(requester, id_of(form, "authorization"))
        return redirect("/apps")

    async def launch(request: Request) -> Response:
        return await _launch(request, access)

    async def patient(request: Request) -> Response:
        return await _patient(request, access, directory)

    return [
        Route("/apps", mine),
        Route("/apps/revoke", revoke, methods=["POST"]),
        Route("/apps/open", launch, methods=["POST"]),
        Route("/patients/{person_id:uuid}/apps", patient),
    ]


async def _mine(request: Request, access: Access) -> Response:
    """What somebody allows apps, and for a patient the apps that she can open."""
    requester = await access.page_requester(request, KINDS)
    _, kind = gettext_of(request), requester.kind
    allowed = await access.apps.allowed(requester)
    return await render(
        request,
        "access/apps.html",
        allowed=[(one, in_words(one.authorization.scopes, kind, _)) for one in allowed],
        launchable=await access.clients.launchable() if kind == "patient" else [],
        person_id=requester.id,
        own=kind == "patient",
    )


async def _patient(request: Request, access: Access, directory: Directory) -> Response:
    """The apps that a professional can open for a patient."""
    requester = await access.page_requester(request, _PRACTITIONER)
    person_id: UUID = request.path_params["person_id"]
    await access.apps.must_open(requester, person_id)
    person = await directory.person(person_id)
    if person is None:
        raise Problem(404, "not-found", NOT_FOUND)
    launchable = await access.clients.launchable()
    return await render(request, "access/launch.html", person=person, launchable=launchable)


async def _launch(request: Request, access: Access) -> Response:
    """Open an app for a person."""
    requester = await access.page_requester(request, KINDS)
    form = await read_form(request)
    session = await access.sessions.of(request)
    assert session is not None
    url = await access.apps.launch(requester, session, text_of(form, "app"), id_of(form, "person"))
    return await onward(request, url)

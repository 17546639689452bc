"""Pages of apps in the portal: the list of authorized apps, revocation, and launch."""

from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from esante.core.web import NOT_FOUND, Problem, gettext_of, read_form, redirect, render
from esante.identity.access.pages.form_fields import form_text, form_uuid
from esante.identity.access.pages.oauth import render_redirect_page, require_session
from esante.identity.access.service import Access
from esante.identity.access.smart.authorization import APP_USER_KINDS
from esante.identity.access.smart.scope_labels import label_scopes
from esante.identity.directory import Directory

_PRACTITIONER = ("practitioner",)


def routes(access: Access, directory: Directory) -> list[Route]:
    """Return the routes of apps."""

    async def show_authorized(request: Request) -> Response:
        return await _show_authorized(request, access)

    async def revoke(request: Request) -> Response:
        requester = await access.page_requester(request, APP_USER_KINDS)
        form = await read_form(request)
        await access.apps.revoke(requester, form_uuid(form, "authorization"))
        return redirect("/apps")

    async def launch(request: Request) -> Response:
        return await _launch(request, access)

    async def show_launchable(request: Request) -> Response:
        return await _show_launchable(request, access, directory)

    return [
        Route("/apps", show_authorized),
        Route("/apps/revoke", revoke, methods=["POST"]),
        Route("/apps/open", launch, methods=["POST"]),
        Route("/patients/{person_id:uuid}/apps", show_launchable),
    ]


async def _show_authorized(request: Request, access: Access) -> Response:
    """Show the apps that the requester authorized, and to a patient also the apps they can launch."""
    requester = await access.page_requester(request, APP_USER_KINDS)
    _, kind = gettext_of(request), requester.kind
    authorized = await access.apps.list_authorized(requester)
    return await render(
        request,
        "access/apps.html",
        authorized=[(app, label_scopes(app.authorization.scopes, kind, _)) for app in authorized],
        launchable=await access.clients.launchable() if kind == "patient" else [],
        person_id=requester.id,
        own=kind == "patient",
    )


async def _show_launchable(request: Request, access: Access, directory: Directory) -> Response:
    """Show the apps that a professional can launch for a patient."""
    requester = await access.page_requester(request, _PRACTITIONER)
    person_id: UUID = request.path_params["person_id"]
    await access.apps.require_open_record(requester, person_id)
    person = await directory.person(person_id)
    if person is None:
        raise Problem(404, "not-found", NOT_FOUND)
    launchable = await access.clients.launchable()
    return await render(request, "access/launch.html", person=person, launchable=launchable)


async def _launch(request: Request, access: Access) -> Response:
    """Launch an app for a person."""
    requester = await access.page_requester(request, APP_USER_KINDS)
    form = await read_form(request)
    session = await require_session(request, access)
    url = await access.apps.create_launch_url(requester, session, form_text(form, "app"), form_uuid(form, "person"))
    return await render_redirect_page(request, url)

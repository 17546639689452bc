"""An application for tests of authentication: the API of access, sessions of a doctor, and the requester of a token."""

from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

from esante.core.web import HANDLERS
from esante.identity.access import api_routes
from tests.identity.access.conftest import BASE


def authentication_app(house, journal):
    """Return the application.

    /fhir/whoami: the requester, whose token must cover DocumentReference; /fhir/whoami/RESOURCE: the queries of the
    token; /become and /leave: start and end a session of the doctor; /page: a page of practitioners.
    """

    async def whoami(request):
        requester = await house.access.authenticate(request)
        await house.access.require_scope(requester, "DocumentReference", "rs")
        return JSONResponse(
            {
                "kind": requester.kind,
                "id": str(requester.id),
                "client": requester.client,
                "organization": str(requester.organization_id),
                "profession": requester.profession,
            }
        )

    async def queries(request):
        _, found = await house.access.authorize_queries(request, request.path_params["resource"], "rs")
        return JSONResponse(found)

    async def become(request):
        return await house.access.sign_in(request, house.doctor, method="demo")

    async def leave(request):
        return await house.access.sign_out(request)

    async def page(request):
        await house.access.page_requester(request, kinds=("practitioner",))
        return JSONResponse({})

    routes = [
        Route("/fhir/whoami", whoami, methods=["GET", "POST"]),
        Route("/fhir/whoami/{resource}", queries),
        Route("/become", become, methods=["POST"]),
        Route("/leave", leave, methods=["POST"]),
        Route("/page", page),
        *api_routes(house.access, journal, house.directory, BASE),
    ]
    app = Starlette(routes=routes, exception_handlers=HANDLERS)
    app.state.sessions = house.access.sessions
    return app

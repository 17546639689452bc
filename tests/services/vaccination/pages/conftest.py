"""An application with the pages of the card, and browsers that are signed in."""

import pytest
from starlette.applications import Starlette
from starlette.routing import Mount, Route

from esante.core.web import HANDLERS, SecurityHeaders
from esante.services.vaccination.pages import public_pages
from esante.services.vaccination.pages.card_pages import CardPages
from esante.services.vaccination.pages.entry_pages import EntryPages
from esante.services.vaccination.pages.proof_pages import ProofPages
from tests.support.record import BASE
from tests.support.record_pages import sign_in


@pytest.fixture(scope="module")
def app(world, cards, proofs, links):
    """The pages of the card, and a way to sign in as anybody."""
    asking = {}

    async def become(request):
        return await world.access.sign_in(request, asking["requester"], method="demo")

    routes = [
        Route("/become", become, methods=["POST"]),
        *CardPages(cards, world.record, world.access, world.directory, f"{BASE}/fhir").routes(),
        *EntryPages(cards, world.record, world.access, world.directory).routes(),
        *ProofPages(proofs, links, world.journal, world.access, BASE).routes(),
        *public_pages.routes(proofs, []),
        Mount("/static", Starlette()),
    ]
    app = Starlette(routes=routes, exception_handlers=HANDLERS)
    app.add_middleware(SecurityHeaders)
    app.state.sessions, app.state.asking = world.access.sessions, asking
    return app


@pytest.fixture
async def browse(app):
    """`await browse(requester)` returns a client in which the requester is signed in."""
    clients = []

    async def visit(requester):
        clients.append(await sign_in(app, requester))
        return clients[-1]

    yield visit
    for client in clients:
        await client.aclose()

"""An application with the pages of fee notes, and browsers that are signed in."""

import pytest
from starlette.applications import Starlette
from starlette.routing import Mount, Route

from esante.core.web import HANDLERS, SecurityHeaders
from esante.services.billing.adjudication.engine import adjudicate
from esante.services.billing.adjudication.rule_set import current_rules
from esante.services.billing.flow.service import NoteFlow
from esante.services.billing.pages.doctor_pages import DoctorPages
from esante.services.billing.pages.operator_pages import OperatorPages
from esante.services.billing.pages.patient_pages import PatientPages
from esante.services.billing.pid.cases import Cases
from esante.services.billing.ra.consents import NoteConsents
from esante.services.billing.ra.service import Reimbursements
from esante.services.billing.statements.billed_notes import BilledNotes
from esante.services.billing.statements.service import Statements
from tests.support.immediate_payment import open_billing
from tests.support.portal_browser import PortalBrowser
from tests.support.record_pages import sign_in


@pytest.fixture(scope="module")
async def world(db, journal, objects):
    """The services of billing with a bank in the same process, and accelerated reimbursement (`ra`)."""
    async with open_billing(db, journal, objects) as world:
        world.consents = NoteConsents(db, journal)
        world.ra = Reimbursements(db, journal, world.directory, world.notes, world.consents)
        yield world


@pytest.fixture(scope="module")
def app(world):
    """The pages of fee notes, and a way to sign in as anybody."""
    asking, db, directory = {}, world.db, world.directory

    async def become(request):
        return await world.access.sign_in(request, asking["requester"], method="demo")

    cases = Cases(db, world.journal, directory, world.notes, world.insurance)
    billed = BilledNotes(db, directory, world.notes, world.payments)
    statements = Statements(
        db,
        directory,
        world.notes,
        world.payments,
        world.insurance,
        cases,
        lambda case: adjudicate(case, current_rules()),
    )
    operators = OperatorPages(
        NoteFlow(db), world.payments, world.payees, world.pid.contestations, world.ra, world.access
    )
    routes = [
        Route("/become", become, methods=["POST"]),
        *DoctorPages(billed, world.pid, world.ra, world.payees, directory, world.access).routes(),
        *PatientPages(statements, world.ra, world.consents, world.access).routes(),
        *operators.routes(),
        Mount("/static", Starlette()),
    ]
    app = Starlette(routes=routes, exception_handlers=HANDLERS)
    app.add_middleware(SecurityHeaders)
    app.state.sessions, app.state.asking = world.access.sessions, asking
    return app


@pytest.fixture
async def browse(app):
    """`await browse(requester)` returns a browser in which the requester is signed in."""
    browsers = []

    async def visit(requester):
        browsers.append(PortalBrowser(await sign_in(app, requester)))
        return browsers[-1]

    yield visit
    for browser in browsers:
        await browser.http.aclose()

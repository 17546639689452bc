"""Browsers on the pages of secondary use, signed in or not."""

import pytest

from esante.services.research.opt_out.own_use import OwnUse
from esante.services.research.pages import (
    account_pages,
    application_pages,
    decision_pages,
    opt_out_pages,
    permit_pages,
)
from tests.support.signed_in_pages import application_of, browsers_of


@pytest.fixture
def app(db, access, accounts, applications, decisions, permits, opt_outs):
    """The pages of researchers, the access body, patients and the public."""
    routes = [
        *account_pages.routes(accounts, access),
        *application_pages.routes(applications, access),
        *decision_pages.routes(decisions, access),
        *permit_pages.routes(permits, accounts, access),
        *opt_out_pages.routes(opt_outs, OwnUse(db, permits), access),
    ]
    return application_of(access, routes)


@pytest.fixture
async def browse(app):
    """`await browse(requester)` returns a browser in which the requester (None: nobody) is signed in."""
    async with browsers_of(app) as visit:
        yield visit

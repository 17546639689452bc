"""The pages of incentives, and browsers that are signed in or not."""

import pytest

from esante.identity.access import Access
from esante.services.incentives.pages.operator_pages import OperatorPages
from esante.services.incentives.pages.own_pages import OwnPages
from esante.services.incentives.pages.page_words import PageWords
from esante.services.incentives.pages.payment_pages import PaymentPages
from esante.services.incentives.pages.public_pages import public_routes
from tests.support.signed_in_pages import BASE, application_of, browsers_of


@pytest.fixture
def app(world):
    """The pages."""
    access = Access(world.db, world.journal, world.directory, base_url=BASE)
    words = PageWords(world.schemes, world.directory)
    shared = world.claims, world.appeals
    routes = [
        *OwnPages(world.own, *shared, world.payments, access, world.directory, words).routes(),
        *OperatorPages(world.decisions, *shared, world.budgets, world.payments, access, words).routes(),
        *PaymentPages(world.payments, access, words).routes(),
        *public_routes(world.budgets, words),
    ]
    return application_of(access, routes)


@pytest.fixture
async def browse(app):
    """`await browse(requester)` returns a browser in which the requester (None: nobody) is signed in."""
    async with browsers_of(app) as visit:
        yield visit

"""Fixtures of the tests of subscriptions."""

import pytest
from starlette.applications import Starlette
from starlette.routing import Route

from esante.core.web import HANDLERS
from esante.services.subscriptions import (
    page_routes,
)
from tests.support.record import open_world
from tests.support.rest_hook_receiver import receiving
from tests.support.subscriptions import SubscriptionPlatform, fast_policy, make_subscriptions


@pytest.fixture(scope="module")
async def world(db, journal, objects):
    """The record's world on this module's database."""
    async with open_world(db, journal, objects) as world:
        yield world


@pytest.fixture(scope="module")
def platform(world):
    """The subscription service in this world."""
    return SubscriptionPlatform(world, make_subscriptions(world, fast_policy()))


@pytest.fixture
async def receiver():
    """A receiver that accepts everything."""
    async with receiving() as receiver:
        yield receiver


@pytest.fixture
def pages(platform):
    """The application with the pages of subscriptions; `/become/{name}` signs one of the people in."""

    async def become(request):
        requester = platform.people[request.path_params["name"]]
        return await platform.world.access.sign_in(request, requester, method="demo")

    access = platform.world.access
    routes = [Route("/become/{name}", become, methods=["POST"]), *page_routes(platform.subscriptions, access)]
    app = Starlette(routes=routes, exception_handlers=HANDLERS)
    app.state.sessions = access.sessions
    return app

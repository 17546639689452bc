"""An application with the pages of the record, and browsers in it."""

import pytest

from tests.support.record_pages import page_app, sign_in


@pytest.fixture(scope="module")
def app(world):
    """An application with the pages of the record and of access."""
    return page_app(world)


@pytest.fixture
async def browse(app):
    """A function that signs in as a requester and returns an HTTP client (see `sign_in`)."""
    clients = []

    async def signed_in(requester, *, with_token=False):
        clients.append(await sign_in(app, requester, with_token=with_token))
        return clients[-1]

    yield signed_in
    for client in clients:
        await client.aclose()

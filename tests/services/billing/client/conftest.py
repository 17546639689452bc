"""A served platform behind a proxy that cuts, and a client of it."""

import httpx
import pytest

from esante.services.billing.client import FeeNoteClient, NoteQueue, PlatformApi
from tests.support.billing_server import EHEALTH_ID, build_billing, mock
from tests.support.cutting_proxy import cutting_proxy


@pytest.fixture(scope="module")
async def billing(tmp_path_factory):
    """A served platform, with mocks of insurance and bank; afterwards its ledger is balanced."""
    folder = tmp_path_factory.mktemp("billing")
    with mock("cns", log=folder / "cns.log") as cns, mock("bank", log=folder / "bank.log") as bank:
        built = await build_billing(folder, cns, bank)
        with built.server:
            yield built
        assert "balanced" in built.ledger()


@pytest.fixture
def proxy(billing):
    """The network between client and platform."""
    with cutting_proxy(billing.server.port) as proxy:
        yield proxy


@pytest.fixture
def api(proxy, billing):
    """The calls to the platform, through the proxy."""
    with httpx.Client(timeout=httpx.Timeout(8.0, connect=3.0)) as http:
        yield PlatformApi(proxy.base, billing.token, EHEALTH_ID, http, "en")


@pytest.fixture
def client(api, tmp_path):
    """A client with an empty queue."""
    return FeeNoteClient(api, NoteQueue(tmp_path / "queue.db"))

"""The exchange format over the services of a record."""

from contextlib import asynccontextmanager
from datetime import timedelta

import httpx
import pytest
from starlette.applications import Starlette

from esante.core.web import HANDLERS
from esante.services.ehds.formats import Formats, Intake, api
from esante.services.record.documents import mhd_api
from tests.support.record import BASE, open_world


@pytest.fixture(scope="module")
async def world(db, journal, objects):
    """A world over this module's database."""
    async with open_world(db, journal, objects) as world:
        yield world


@pytest.fixture(scope="module")
def formats(world):
    """The documents over the world's record."""
    return Formats(world.db, world.record, world.directory, f"{BASE}/fhir")


@pytest.fixture
def client(world, formats):
    """A function that opens an HTTP client of a requester, for the record and the documents made from it."""

    @asynccontextmanager
    async def open_client(requester, scopes=""):
        level = {"organization": "system", "patient": "patient"}.get(requester.kind, "user")
        token = await world.access.issue_token(
            requester, frozenset((scopes or f"{level}/*.cruds").split()), timedelta(hours=1)
        )
        routes = [
            *api.routes(formats, Intake(world.record, world.journal), world.access, f"{BASE}/fhir"),
            *mhd_api.routes(world.record, world.directory, world.access, f"{BASE}/fhir"),
        ]
        transport = httpx.ASGITransport(Starlette(routes=routes, exception_handlers=HANDLERS))
        headers = {"Authorization": f"Bearer {token}"}
        async with httpx.AsyncClient(transport=transport, base_url=BASE, headers=headers) as client:
            yield client

    return open_client

"""The endpoints for systems of hospitals, over a world of people."""

import asyncio
import contextlib
from datetime import timedelta

import httpx
import pytest
import uvicorn
from starlette.applications import Starlette

from esante.core.web import HANDLERS, Sessions
from esante.services.exchange.hospital.api import PATH, HospitalEndpoints
from esante.services.exchange.hospital.certificates import OrganizationCertificates
from esante.services.exchange.hospital.identification import Identification
from esante.services.exchange.hospital.patients import Patients, community_oid
from esante.services.exchange.hospital.provide import Recipient
from esante.services.exchange.hospital.registry import Registry
from esante.services.exchange.hospital.repository import Repository
from esante.services.exchange.hospital.users.callers import Callers
from tests.support.record import BASE, open_world

COMMUNITY = community_oid(BASE)


class HospitalSystems:
    """The endpoints, and clients of them."""

    def __init__(self, world) -> None:
        self.world = world
        self.certificates = OrganizationCertificates(world.db, world.journal, world.directory)
        self.patients = Patients(world.db, world.directory, COMMUNITY)
        self.registry = Registry(world.db, world.record, world.directory, self.patients)
        self.recipient = Recipient(world.db, world.record, world.directory, self.patients)

    def app(self, base: str = BASE) -> Starlette:
        """Return an application with the endpoints at an address."""
        world, patients = self.world, self.patients
        audiences = [BASE, BASE + PATH]
        endpoints = HospitalEndpoints(
            Callers(world.access, world.directory, self.certificates, patients, audiences),
            self.registry,
            Repository(world.db, world.record, COMMUNITY),
            self.recipient,
            Identification(world.db, world.journal, world.directory, patients),
            world.record.large_bodies,
            base,
        )
        app = Starlette(routes=endpoints.routes(), exception_handlers=HANDLERS)
        app.state.sessions = Sessions(world.db)
        return app

    async def token(self, requester, scopes: str = "") -> str:
        """Return a token of a requester."""
        level = {"organization": "system", "patient": "patient"}.get(requester.kind, "user")
        found = frozenset((scopes or f"{level}/*.cruds").split())
        return await self.world.access.issue_token(requester, found, timedelta(hours=1))

    @contextlib.asynccontextmanager
    async def client(self, requester=None, scopes: str = ""):
        """Yield a client in this process, with a token of a requester, or without one."""
        headers = {"Authorization": f"Bearer {await self.token(requester, scopes)}"} if requester else {}
        transport = httpx.ASGITransport(self.app(), raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url=BASE, headers=headers) as client:
            yield client

    @contextlib.asynccontextmanager
    async def serving(self):
        """Serve at a free port of this machine; yield the address."""
        server = uvicorn.Server(uvicorn.Config(self.app(), port=0, log_level="error", lifespan="off"))
        task = asyncio.create_task(server.serve())
        while not server.started:
            await asyncio.sleep(0.01)
        port = server.servers[0].sockets[0].getsockname()[1]
        try:
            yield f"http://127.0.0.1:{port}{PATH}"
        finally:
            server.should_exit = True
            server.force_exit = True
            await task


@pytest.fixture(scope="module")
async def world(db, journal, objects):
    """A world over this module's database."""
    async with open_world(db, journal, objects) as world:
        yield world


@pytest.fixture(scope="module")
def systems(world):
    """The endpoints."""
    return HospitalSystems(world)


@pytest.fixture
async def person(world):
    """A person whose record the doctor may open."""
    person = await world.person()
    await world.into_circle(person, world.people["doctor_entry"])
    return person

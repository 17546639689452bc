"""Image sharing over XDS-I.b, served for SOAP clients that others wrote."""

import asyncio
import contextlib

import pytest
import uvicorn

from esante.services.imaging.federation.manifest_deposit import ManifestDeposits
from esante.services.imaging.manifest.identifiers import location_uid
from esante.services.imaging.xdsi.api import routes
from esante.services.imaging.xdsi.provide import ImagingDocumentRecipient
from esante.services.imaging.xdsi.retrieve import ImagingDocumentSource
from tests.services.imaging.federation.conftest import Federated, hospital, manifest_for
from tests.support.record import BASE

REPOSITORY = location_uid(f"{BASE}/dicomweb")

__all__ = ["hospital", "manifest_for"]


class WithXdsI(Federated):
    """Image sharing with archives of hospitals and XDS-I.b."""

    def app(self, base: str = BASE):
        """Return an application with the routes of both."""
        world, app = self.world, super().app(base)
        deposits = ManifestDeposits(world.db, world.record, world.directory, world.access, self.locations)
        source = ImagingDocumentSource(self.archive, REPOSITORY)
        recipient = ImagingDocumentRecipient(deposits, world.directory)
        app.routes.extend(routes(source, recipient, world.record, world.access, base))
        return app

    @contextlib.asynccontextmanager
    async def serving_soap(self):
        """Serve at a free port of this machine; yield the address of XDS-I.b."""
        config = uvicorn.Config(self.app(), port=0, log_level="error", lifespan="off")
        server = uvicorn.Server(config)
        task = asyncio.create_task(server.serve())
        while not server.started:
            await asyncio.sleep(0.01)
        port = server.servers[0].sockets[0].getsockname()[1]
        try:
            yield f"http://127.0.0.1:{port}/api/xds-i"
        finally:
            server.should_exit = True
            server.force_exit = True
            await task


@pytest.fixture(scope="module")
async def imaging(world, objects):
    """Image sharing of all persons."""
    imaging = WithXdsI(world, objects)
    yield imaging
    await imaging.holdings.close()
    await imaging.renderer.close()


@pytest.fixture
async def soap(imaging):
    """The address of XDS-I.b."""
    async with imaging.serving_soap() as address:
        yield address

"""Image sharing with its manifests."""

import pytest

from esante.services.imaging.manifest.api import routes
from esante.services.imaging.manifest.service import Manifests
from tests.support.dicom import Imaging
from tests.support.record import BASE


class _WithManifests(Imaging):
    def app(self, base: str = BASE):
        app = super().app(base)
        manifests = Manifests(self.world.db, self.archive, self.world.directory, base)
        app.routes.extend(routes(manifests, self.world.access))
        return app


@pytest.fixture(scope="module")
async def imaging(world, objects):
    """Image sharing of all persons, with manifests."""
    imaging = _WithManifests(world, objects)
    yield imaging
    await imaging.renderer.close()

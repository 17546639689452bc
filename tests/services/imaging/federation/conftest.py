"""Image sharing with a hospital that keeps its images."""

import ipaddress
from dataclasses import replace

import pytest

from esante.core.outbound import AddressPolicy
from esante.services.imaging.archive.service import Archive
from esante.services.imaging.federation import hospital_client
from esante.services.imaging.federation.api import routes as deposit_routes
from esante.services.imaging.federation.hospital_client import HospitalClient
from esante.services.imaging.federation.locations import Locations
from esante.services.imaging.federation.manifest_deposit import ManifestDeposits
from esante.services.imaging.federation.remote_instances import Holdings
from esante.services.imaging.manifest.api import routes as manifest_routes
from esante.services.imaging.manifest.model import RetrieveLocation
from esante.services.imaging.manifest.service import Manifests
from tests.support.dicom import Imaging
from tests.support.hospital_archive import LOCATION, HospitalArchive
from tests.support.manifests import manifest_of_files
from tests.support.record import BASE

LOOPBACK = AddressPolicy([ipaddress.ip_network("127.0.0.0/8")])
LIMIT = 8 * 1024 * 1024


class Federated(Imaging):
    """Image sharing with archives of hospitals."""

    def __init__(self, world, objects, limit: int = LIMIT, policy: AddressPolicy = LOOPBACK) -> None:
        super().__init__(world, objects)
        self.locations = Locations(world.db, world.journal)
        self.client_of_hospitals = HospitalClient(policy, read_seconds=0.5)
        self.holdings = Holdings(world.db, objects, self.locations, world.directory, self.client_of_hospitals, limit)
        self.archive = Archive(world.db, objects, world.record, self.holdings)

    def app(self, base: str = BASE):
        """Return an application with the routes of DICOMweb and manifests."""
        world, app = self.world, super().app(base)
        deposits = ManifestDeposits(world.db, world.record, world.directory, world.access, self.locations)
        manifests = Manifests(world.db, self.archive, world.directory, base)
        app.routes.extend(manifest_routes(manifests, world.access))
        app.routes.extend(deposit_routes(deposits, world.record, world.access, world.directory, base))
        return app


@pytest.fixture(scope="module")
async def imaging(world, objects):
    """Image sharing of all persons, with archives of hospitals."""
    imaging = Federated(world, objects)
    yield imaging
    await imaging.holdings.close()
    await imaging.renderer.close()


@pytest.fixture
async def hospital(world, imaging, monkeypatch):
    """The archive of the hospital, in the directory; an archive that failed is asked again at once."""
    monkeypatch.setattr(hospital_client, "PAUSE_SECONDS", 0.0)
    async with HospitalArchive().serving() as hospital:
        await imaging.locations.set(LOCATION, world.people["hospital"].id, "Hôpital du Nord", hospital.url)
        yield hospital


@pytest.fixture
def manifest_for():
    """Make the manifest of files, at the hospital's location."""

    def make(person, files, **changes):
        found = manifest_of_files(person, files)
        series = tuple(
            replace(one, location=RetrieveLocation(LOCATION, "http://127.0.0.1:1/")) for one in found.series
        )
        return replace(found, series=series, **changes)

    return make

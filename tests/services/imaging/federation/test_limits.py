"""What is held of other archives is bounded, and only addresses that are allowed are called."""

import ipaddress

import pytest

from esante.core.outbound import AddressPolicy
from esante.core.storage import NIL
from esante.services.imaging.federation.model import LocationRemoved, LocationSet
from tests.services.imaging.federation.conftest import Federated
from tests.services.imaging.federation.test_remote_studies import ONE, deposit, url
from tests.support.dicom import study_files
from tests.support.hospital_archive import LOCATION


@pytest.fixture
async def small(world, objects, hospital):
    """Image sharing that holds 16 KiB."""
    small = Federated(world, objects, limit=16 * 1024)
    yield small
    await small.holdings.close()
    await small.renderer.close()


async def test_what_is_held_stays_within_the_limit_and_is_asked_for_again(
    small, world, person, hospital, manifest_for
):
    files = study_files(person, instances=12)
    hospital.hold(files)
    assert (await deposit(small, world.people["hospital"], manifest_for(person, files))).status_code == 201
    async with small.client(world.people["doctor"]) as client:
        for file in (*files, *files):
            assert (await client.get(url(file), headers=ONE)).content == file
            assert small.holdings.size <= 8 * 1024
    assert len(files) < len(hospital.requests) <= 2 * len(files)


async def test_instance_that_is_larger_than_the_limit_is_not_retrieved(small, world, person, hospital, manifest_for):
    files = study_files(person, instances=1, Rows=64, Columns=64, PixelData=bytes(8192))
    hospital.hold(files)
    await deposit(small, world.people["hospital"], manifest_for(person, files))
    async with small.client(world.people["doctor"]) as client:
        assert (await client.get(url(files[0]), headers=ONE)).status_code == 503
    assert small.holdings.size == 0


async def test_archive_at_an_address_that_is_not_allowed_is_not_called(world, objects, person, hospital, manifest_for):
    elsewhere = Federated(world, objects, policy=AddressPolicy([ipaddress.ip_network("127.1.0.0/16")]))
    files = study_files(person, instances=1)
    hospital.hold(files)
    await deposit(elsewhere, world.people["hospital"], manifest_for(person, files))
    async with elsewhere.client(world.people["doctor"]) as client:
        assert (await client.get(url(files[0]), headers=ONE)).status_code == 503
    assert hospital.requests == []
    await elsewhere.holdings.close()
    await elsewhere.renderer.close()


async def test_removed_archive_is_not_asked_and_the_change_is_journalled(
    imaging, world, person, hospital, manifest_for
):
    files = study_files(person, instances=1)
    hospital.hold(files)
    await deposit(imaging, world.people["hospital"], manifest_for(person, files))
    assert await imaging.locations.remove(LOCATION)
    assert not await imaging.locations.remove(LOCATION)
    async with imaging.client(world.people["doctor"]) as client:
        assert (await client.get(url(files[0]), headers=ONE)).status_code == 503
    assert hospital.requests == []
    removed, *_ = await world.journal.entries_of(NIL, [LocationRemoved], limit=1)
    added, *_ = await world.journal.entries_of(NIL, [LocationSet], limit=1)
    assert removed.event.location_uid == added.event.location_uid == LOCATION


@pytest.mark.parametrize(
    "address", ["", "ftp://a.example/", "https://", "https://u:p@a.example/", "https://a.example/?x=1"]
)
async def test_what_is_no_address_is_refused(imaging, world, address):
    with pytest.raises(ValueError, match="address"):
        await imaging.locations.set("1.2.3", world.people["hospital"].id, "x", address)

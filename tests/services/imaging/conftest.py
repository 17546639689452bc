"""Image sharing over this module's database: a world of people, the archive, clients."""

import pytest

from tests.support.dicom import Imaging
from tests.support.record import open_world


@pytest.fixture(scope="module")
async def world(db, journal, objects):
    """A world over this module's database."""
    async with open_world(db, journal, objects) as world:
        yield world


@pytest.fixture(scope="module")
async def imaging(world, objects):
    """Image sharing of all persons."""
    imaging = Imaging(world, objects)
    yield imaging
    await imaging.renderer.close()


@pytest.fixture
async def person(world):
    """A person whose record the doctor may open."""
    person = await world.person()
    await world.into_circle(person, world.people["doctor_entry"])
    return person

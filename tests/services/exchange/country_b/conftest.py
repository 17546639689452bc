"""A contact point abroad for the tests of this folder, and a world whose professionals ask it."""

import pytest

from tests.support.contact_points import trial_keys
from tests.support.encounters import build_world, recorded
from tests.support.foreign_contact_point import ForeignContactPoint


@pytest.fixture(scope="module")
def process(tmp_path_factory):
    """The contact point abroad."""
    folder = tmp_path_factory.mktemp("there") / "point"
    started = ForeignContactPoint(folder, trial_keys("PT"), trial_keys("LU") / "tls.crt")
    yield started
    started.stop()


@pytest.fixture(scope="module")
async def built(db, journal, process, tmp_path_factory):
    """The world of this module."""
    return await build_world(db, journal, tmp_path_factory.mktemp("here"), process)


@pytest.fixture
async def world(db, built, process, shared_data):
    """A world without encounters, in which the patient of the recorded messages is found."""
    for table in ("exchange_encounter", "exchange_step"):
        await db.fetch(f"DELETE FROM {table}")
    process.fail("")
    for file in (*(process.folder / "received").iterdir(), *(process.folder / "taken").iterdir()):
        file.unlink()
    process.answer("ITI-55", recorded(shared_data, "PRPA_IN201306UV02.xml"))
    process.answer("ITI-38", recorded(shared_data, "AdhocQueryResponsePSA.xml"))
    return built

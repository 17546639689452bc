"""Hunts and the archive over this module's database and object store."""

import pytest

from esante.services.soc.hunting.archive import Archive
from esante.services.soc.hunting.hunts import Hunts
from esante.services.soc.hunting.search import HuntSearch
from esante.services.soc.storage.service import EventStore


@pytest.fixture
async def events(db):
    """The events in the database: none at first, and no files."""
    store = EventStore(db)
    for day in await store.days():
        await store.drop(day)
    await db.fetch("DELETE FROM soc_archive_file")
    return store


@pytest.fixture
def archive(db, objects, journal, events):
    """The archive, with one day that stays in the database beside today."""
    return Archive(db, objects, journal, events, 1)


@pytest.fixture
def search(db, objects, events, tmp_path):
    """The search over database and files."""
    return HuntSearch(db, objects, events, tmp_path)


@pytest.fixture
async def hunts(world, search):
    """The use cases of hunts."""
    service = Hunts(world.db, world.journal, world.tenants, search)
    yield service
    await service.close()

"""Threat intelligence over this module's database."""

import pytest

from esante.core.outbound import AddressPolicy, parse_networks
from esante.services.soc.hunting.search import HuntSearch
from esante.services.soc.intelligence.feeds import FeedReader
from esante.services.soc.intelligence.service import Intelligence
from esante.services.soc.intelligence.warning_lists import load_warning_lists
from esante.services.soc.storage.service import EventStore


@pytest.fixture
async def intelligence(world, objects, tmp_path):
    """Threat intelligence without feeds over an empty set of indicators."""
    await world.db.fetch("DELETE FROM soc_indicator")
    await world.db.fetch("DELETE FROM soc_past_search")
    search = HuntSearch(world.db, objects, EventStore(world.db), tmp_path)
    reader = FeedReader(AddressPolicy(parse_networks("127.0.0.0/8")))
    return Intelligence(world.db, world.journal, world.alerts, search, reader, (), load_warning_lists())

"""The register of sites learns from the controller which agents have enrolled, with which key."""

from types import SimpleNamespace

import pytest

from esante.services.healthnet.controller.site_follower import Following
from esante.services.healthnet.sites.model import SiteState
from tests.support.healthnet_world import HealthnetWorld, a_key


@pytest.fixture
async def world(db, journal):
    """A world without sites."""
    found = HealthnetWorld(db, journal)
    await found.clear()
    return found


class Connections:
    """The connections of the controller, as far as the register is concerned."""

    def __init__(self):
        self.found, self.put_facts = [], []

    async def has_policy(self):
        return True

    async def all(self):
        return self.found

    async def put(self, facts):
        self.put_facts.append(facts)

    async def set_quarantine(self, site, is_quarantined):
        pass

    async def set_suspended(self, site, is_suspended):
        pass

    def enrolled(self, facts, *keys, identity=b"x" * 32, is_revoked=False):
        """The agent of a site has enrolled, with keys by generation."""
        by_generation = dict(enumerate(keys))
        self.found = [SimpleNamespace(facts=facts, identity=identity, is_revoked=is_revoked, keys=by_generation)]


async def test_site_is_active_when_its_agent_has_enrolled_and_has_its_last_key(world):
    site, _ = await world.approved()
    connections = Connections()
    following = Following(connections, world.sites, world.addresses)
    await following.follow()
    (facts,) = connections.put_facts
    connections.enrolled(facts, identity=None)
    await following.follow()
    assert (await world.sites.by_id(site.site_id)).state is SiteState.APPROVED
    first, second = a_key(), a_key()
    for keys in ((first,), (first,), (first, second)):
        connections.enrolled(facts, *keys)
        await following.follow()
        found = await world.sites.by_id(site.site_id)
        assert (found.state, found.wireguard_key) == (SiteState.ACTIVE, keys[-1])
    assert (await world.events(site.key)).count("site_enrolled") == 2


async def test_key_that_the_register_refuses_does_not_stop_the_others(world):
    other, _ = await world.active()
    one, _ = await world.approved()
    two, _ = await world.approved()
    connections = Connections()
    following = Following(connections, world.sites, world.addresses)
    await following.follow()
    facts = {entry.site: entry for entry in connections.put_facts}
    connections.enrolled(facts[one.key], other.wireguard_key)
    before = connections.found
    connections.enrolled(facts[two.key], a_key())
    connections.found += before
    await following.follow()
    assert [(await world.sites.by_id(site.site_id)).state for site in (one, two)] == [
        SiteState.APPROVED,
        SiteState.ACTIVE,
    ]

"""Relays as operators name them, and what their sites get."""

from datetime import timedelta

import pytest

from esante.core import clock
from esante.services.healthnet.bundles.relays import SILENT_AFTER, silent_relays
from esante.services.healthnet.controller.model import ControlRefused


async def take_all(agent):
    """Take every bundle that there is; the peer L1 in the last one, or A1."""
    while await agent.fetch():
        await agent.receipt()
    return agent.bundle.parts["peers"]["L1/1.1" if agent.site != "L1" else "A1/1.1"]


@pytest.fixture
async def agents(world):
    """A practice and a laboratory behind NAT, and a platform that can be reached."""
    found = await world.connect("A1", "L1", "P1")
    for site in ("A1", "L1"):
        await world.controller.connections.set_endpoint(site, "")
    await world.settle()
    return found


async def test_sites_behind_nat_get_a_relay_when_one_is_named_and_lose_it_with_its_endpoint(world, agents):
    connections = world.controller.connections
    assert "relay" not in await take_all(agents.A1)
    await connections.set_relay("P1", True)
    await world.settle()
    assert [(await take_all(agent))["relay"] for agent in (agents.A1, agents.L1)] == ["P1", "P1"]
    await connections.set_endpoint("P1", "")
    await world.settle()
    assert "relay" not in await take_all(agents.A1)


@pytest.mark.parametrize("act", ["suspend", "revoke", "end"])
async def test_relay_that_is_off_relays_no_more(world, agents, act):
    connections = world.controller.connections
    await connections.set_relay("P1", True)
    await world.settle()
    await take_all(agents.A1)
    if act == "suspend":
        await connections.set_suspended("P1", True)
    elif act == "revoke":
        await connections.revoke("P1")
    else:
        await connections.set_relay("P1", False)
    await world.settle()
    assert "relay" not in await take_all(agents.A1)
    assert "carried6" not in agents.A1.bundle.parts


async def test_relay_is_a_site_of_the_agency_with_an_endpoint(world, agents):
    await world.controller.connections.set_endpoint("P1", "")
    for site in ("A1", "P1"):
        with pytest.raises(ControlRefused, match="cannot relay"):
            await world.controller.connections.set_relay(site, True)


async def test_relay_that_falls_silent_hands_its_tunnels_over_until_it_is_heard_again(world):
    agents = await world.connect("A1", "L1", "P1", "P2")
    connections = world.controller.connections
    for site in ("A1", "L1"):
        await connections.set_endpoint(site, "")
    for site in ("P1", "P2"):
        await connections.set_relay(site, True)
        await getattr(agents, site).beat()
    await world.settle()
    first = (await take_all(agents.A1))["relay"]
    other = {"P1": "P2", "P2": "P1"}[first]
    later = clock.now() + SILENT_AFTER + timedelta(seconds=30)

    async def look():
        """Look at the relays, as half a minute later."""
        world.controller.compilation._renew_at = world.controller.compilation._began = float("-inf")
        await world.settle()
        return (await take_all(agents.A1))["relay"]

    with clock.use_clock(lambda: later):
        assert await look() == first, "all are silent: nothing is known"
        await getattr(agents, other).beat()
        await world.settle()
        assert await look() == other
        world.restart()
        await world.controller.connections.set_quarantine("A1", True)
        await world.settle()
        assert (await take_all(agents.A1))["relay"] == other, "a controller that starts again knows it"
        await getattr(agents, first).beat()
        await world.settle()
        assert await look() == first


async def test_relay_that_was_never_heard_is_no_silent_one(world):
    now = clock.now()
    assert silent_relays({"P1": None, "P2": now}, now) == frozenset()
    assert silent_relays({"P1": now - SILENT_AFTER * 2, "P2": now}, now) == {"P1"}
    assert silent_relays({"P1": now - SILENT_AFTER * 2}, now) == silent_relays({}, now) == frozenset()

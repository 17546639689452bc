"""Bundles, quarantine, rotation, revocation, roll-outs, backup: what the controller does with agents."""

import asyncio
from types import SimpleNamespace

import orjson
import pytest

from esante.services.healthnet.controller.backup import read_backup, write_backup
from esante.services.healthnet.controller.model import ControlRefused
from esante.services.healthnet.controller.rollout import rollout_store
from esante.services.healthnet.policy.faults import PolicyError
from tests.services.healthnet.lab.test_agents import POLICY
from tests.support.healthnet_agents import FakeAgent, facts

NEW_POLICY = POLICY.replace("tcp/8443", "tcp/9443")


async def test_only_sites_with_an_edge_to_a_changed_site_get_bundles_and_as_changes(world):
    agents = await world.connect("A1", "A2", "L1", "P1")
    for agent in vars(agents).values():
        await agent.fetch()
    await world.controller.connections.set_quarantine("A1", True)
    await world.settle()
    assert await agents.A2.fetch() is None and await agents.L1.fetch() is None
    envelope = await agents.P1.fetch()
    assert "changes" in envelope and len(orjson.dumps(envelope)) < 2_500
    assert await agents.A1.fetch() is not None
    assert not any(name.startswith("P1/") for name in agents.A1.bundle.parts["peers"])
    assert any(name.startswith("L1/") for name in agents.A1.bundle.parts["peers"])


async def test_agent_without_a_kept_bundle_gets_the_whole_one(world):
    agents = await world.connect("A1", "L1")
    agents.A1.bundle = None
    assert "parts" in await agents.A1.fetch()


async def test_long_poll_answers_as_soon_as_there_is_a_bundle(world):
    agents = await world.connect("A1", "P1")
    while await agents.A1.fetch():
        pass
    serial = agents.A1.bundle.head.serial
    waiting = asyncio.create_task(agents.A1.ask("GET", f"/bundle?have={serial}&after={serial}&wait=30"))
    await asyncio.sleep(0.1)
    assert not waiting.done()
    await world.controller.connections.set_quarantine("A1", True)
    await world.settle()
    assert (await asyncio.wait_for(waiting, 10)).status_code == 200


async def test_rotation_keeps_both_keys_until_the_new_tunnels_work(world):
    agents = await world.connect("A1", "L1")
    answer = await agents.A1.ask("POST", "/keys", {"generation": 2, "public": agents.A1.state.tunnel_public(2)})
    assert answer.status_code == 200
    await world.settle()
    await agents.L1.fetch()
    assert set(agents.L1.bundle.parts["peers"]) == {"A1/1.1", "A1/1.2"}
    busy = await agents.A1.ask("POST", "/keys", {"generation": 3, "public": agents.A1.state.tunnel_public(3)})
    assert busy.status_code == 409
    await agents.A1.beat(
        paths=[
            {"site": "L1", "own": 1, "rank": 2, "handshake_age_s": 5},
            {"site": "L1", "own": 2, "rank": 3, "handshake_age_s": None},
        ]
    )
    await world.settle()
    await world.settle()
    assert (await world.controller.connections.site("A1")).keys.keys() == {1, 2}
    await agents.A1.beat(
        paths=[
            {"site": "L1", "own": 1, "rank": 2, "handshake_age_s": 5},
            {"site": "L1", "own": 2, "rank": 3, "handshake_age_s": 2},
        ]
    )
    await world.settle()
    await world.settle()
    await agents.L1.fetch()
    assert set(agents.L1.bundle.parts["peers"]) == {"A1/1.2"}


async def test_revoked_site_is_refused_and_its_peers_lose_it(world):
    agents = await world.connect("A1", "L1")
    await agents.L1.fetch()
    await world.controller.connections.revoke("A1")
    await world.settle()
    assert (await agents.A1.beat()).status_code == 401
    await agents.L1.fetch()
    assert "peers" not in agents.L1.bundle.parts
    with pytest.raises(ControlRefused):
        await world.controller.connections.put(facts("A1"))
    assert (await FakeAgent(world, "A1", agents.A1.token).enrol()).status_code == 403


async def test_suspended_site_comes_back_with_its_keys(world):
    agents = await world.connect("A1", "L1")
    await world.controller.connections.set_suspended("A1", True)
    await world.settle()
    await agents.L1.fetch()
    assert "peers" not in agents.L1.bundle.parts
    await world.controller.connections.set_suspended("A1", False)
    await world.settle()
    await agents.L1.fetch()
    assert "A1/1.1" in agents.L1.bundle.parts["peers"]


async def start(world, agents, canary, **given):
    """A roll-out of which the agents were heard before."""
    for agent in vars(agents).values():
        while await agent.fetch():
            await agent.receipt()
        await agent.beat()
    await world.controller.refresh()
    await world.controller.rollouts.begin(NEW_POLICY, canary, **{"stages": (100,), "soak": 0, "patience": 60, **given})
    await world.settle()


def port(agent):
    return agent.bundle.parts["checks"]["target"]["port"]


async def newest(world):
    return await rollout_store.fetch_newest(world.db)


async def test_roll_out_goes_on_when_the_canary_group_has_applied_it(world):
    agents = await world.connect("A1", "A2", "L1")
    await start(world, agents, ["A1"])
    assert await agents.A1.fetch() is not None and await agents.A2.fetch() is None
    await world.settle()
    assert (await newest(world)).stage == 0
    await agents.A1.receipt()
    await world.settle()
    await world.settle()
    for agent in (agents.A2, agents.L1):
        assert await agent.fetch() is not None
        await agent.receipt()
    await world.settle()
    await world.settle()
    assert (await newest(world)).state == "done"
    assert await rollout_store.version_in_force(world.db) == 2


@pytest.mark.parametrize("outcome", ["rolled_back", "refused"])
async def test_roll_out_is_undone_when_a_site_of_the_canary_group_fails(world, outcome):
    agents = await world.connect("A1", "A2", "L1")
    await start(world, agents, ["A1"])
    before = agents.A1.bundle
    await agents.A1.fetch()
    await agents.A1.receipt(outcome, reason="the check target does not answer")
    await world.settle()
    found = await newest(world)
    assert found.state == "undone" and "A1" in found.reason
    await agents.A1.fetch()
    assert agents.A1.bundle.parts == before.parts
    assert agents.A1.bundle.head.restores == before.head.serial
    assert await agents.A2.fetch() is None
    assert await rollout_store.version_in_force(world.db) == 1


async def test_roll_out_is_undone_when_a_site_falls_silent(world):
    agents = await world.connect("A1", "A2", "L1")
    await start(world, agents, ["A1"], patience=1)
    await agents.A1.fetch()
    await asyncio.sleep(1.2)
    await world.settle()
    assert (await newest(world)).state == "undone"


@pytest.mark.parametrize(("heard", "stage"), [("A2", 1), ("", 0)])
async def test_stage_with_silent_sites_ends_only_when_another_has_applied_the_policy(world, heard, stage):
    agents = await world.connect("A1", "A2", "L1")
    some = {name: getattr(agents, name) for name in [heard] if name}
    await start(world, SimpleNamespace(**some), ["A1", "A2"], patience=1)
    for agent in some.values():
        await agent.fetch()
        await agent.receipt()
    await asyncio.sleep(1.2)
    await world.settle()
    await world.settle()
    found = await newest(world)
    assert (found.state, found.stage) == ("running", stage)


async def test_controller_that_is_killed_in_a_roll_out_goes_on_with_it(world):
    agents = await world.connect("A1", "A2", "L1")
    await start(world, agents, ["A1"])
    world.restart()
    await world.settle()
    await agents.A1.fetch()
    await agents.A1.receipt()
    await world.settle()
    world.restart()
    await world.settle()
    await world.settle()
    for agent in (agents.A2, agents.L1):
        await agent.fetch()
        await agent.receipt()
    await world.settle()
    await world.settle()
    assert (await newest(world)).state == "done"
    assert port(agents.A2) == 9443


async def test_failure_while_bundles_are_made_changes_nothing(world, monkeypatch):
    agents = await world.connect("A1", "P1")
    await agents.P1.fetch()
    await world.controller.connections.set_quarantine("A1", True)

    async def fail(*_):
        raise ArithmeticError

    with monkeypatch.context() as context:
        context.setattr("esante.services.healthnet.controller.rollout.bundle_store.advance_number", fail)
        with pytest.raises(ArithmeticError):
            await world.controller.compilation.advance()
    await world.controller.refresh()
    assert await agents.P1.fetch() is None
    await world.settle()
    assert await agents.P1.fetch() is not None


async def test_policy_that_is_refused_or_a_second_roll_out_changes_nothing(world):
    agents = await world.connect("A1", "L1")
    with pytest.raises(PolicyError):
        await world.controller.rollouts.begin(POLICY.replace("practices, by", "nobody, by"), ["A1"])
    await start(world, agents, ["A1"])
    with pytest.raises(ControlRefused):
        await world.controller.rollouts.begin(POLICY, ["A1"])
    await world.controller.rollouts.stop("changed our mind")
    await world.settle()
    assert (await newest(world)).state == "undone"


async def test_restored_controller_goes_on_with_agents_that_are_ahead_of_it(world):
    agents = await world.connect("A1", "P1")
    path = world.folder / "backup.gz"
    assert await write_backup(world.db, world.controller.signer, path) > 5
    for state in (True, False, True, False):
        await world.controller.connections.set_quarantine("A1", state)
        await world.settle()
        await agents.A1.fetch()
        await agents.A1.receipt()
    ahead = agents.A1.bundle.head.serial
    assert bytes(range(64)).hex() not in path.read_bytes().hex()
    await read_backup(world.db, world.controller.signer, path)
    world.restart()
    await world.settle()
    await agents.A1.fetch()
    await world.settle()
    assert await agents.A1.fetch() is not None
    assert agents.A1.bundle.head.serial > ahead
    await world.controller.connections.set_quarantine("A1", True)
    await world.settle()
    assert await agents.A1.fetch() is not None


async def test_damaged_backup_is_refused_and_changes_nothing(world, tmp_path):
    await world.connect("A1", "P1")
    path = tmp_path / "backup.gz"
    await write_backup(world.db, world.controller.signer, path)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(ControlRefused, match="damaged"):
        await read_backup(world.db, world.controller.signer, path)
    assert len(await world.controller.connections.all()) == 2


async def test_heartbeats_of_a_moment_are_one_write_and_an_old_one_replaces_no_later_one(world):
    agents = await world.connect("A1", "A2")
    old, body = agents.A1.signed("POST", "/heartbeats", {"version": "old", "serial": 1})
    await agents.A1.beat(), await agents.A2.beat()
    await world.controller.heartbeats.flush()
    assert (await world.http.post("/healthnet/agent/v1/heartbeats", headers=old, content=body)).status_code == 200
    await world.controller.heartbeats.flush()
    rows = await world.db.fetch("SELECT site, version FROM healthnet_status ORDER BY site")
    assert [tuple(row) for row in rows] == [("A1", "1.0.0"), ("A2", "1.0.0")]

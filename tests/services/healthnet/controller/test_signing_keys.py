"""The key that signs bundles is exchanged: announced by the old one, both for a time, then the new one alone."""

import time
from datetime import timedelta

import orjson
import pytest

from esante.core import clock
from esante.services.healthnet.bundles.format import BundleRefused, canonical, open_envelope
from esante.services.healthnet.bundles.signer import BundleSigner, head_of, whole_envelope
from esante.services.healthnet.controller.model import ControlRefused
from esante.services.healthnet.controller.rollout import signing_keys
from tests.support.healthnet_agents import FakeAgent, facts


async def take_all(*agents):
    """Every agent takes what there is and confirms it."""
    for agent in agents:
        while await agent.fetch():
            await agent.receipt()


def signed_by(envelope):
    return [one["key"] for one in envelope["signatures"]]


async def test_new_key_is_announced_by_the_old_one_and_ends_it_when_all_sites_know_it(world):
    agents = await world.connect("A1", "L1")
    await take_all(agents.A1, agents.L1)
    (old,) = agents.A1.bundle.parts["trusted"]
    assert await world.controller.signing_keys.rotate() == 2
    await world.settle()
    envelope = await agents.A1.fetch()
    new = next(key for key in agents.A1.bundle.parts["trusted"] if key != old)
    assert signed_by(envelope) == [old, new]
    await agents.A1.receipt()
    with pytest.raises(ControlRefused, match="1 sites do not know the new key yet: L1"):
        await world.controller.signing_keys.end_old()
    await take_all(agents.L1)
    await world.controller.signing_keys.end_old()
    await world.settle()
    for agent in (agents.A1, agents.L1):
        envelope = await agent.fetch()
        assert (signed_by(envelope), list(agent.bundle.parts["trusted"])) == ([new], [new])
    assert len(await world.events("healthnet.signing_key_changed")) >= 2


async def test_old_key_ends_by_itself_after_a_time_and_not_while_a_site_is_silent(world):
    agents = await world.connect("A1", "L1")
    await world.controller.signing_keys.rotate()
    await world.settle()
    await take_all(agents.A1)
    later = clock.now() + signing_keys.OVERLAP + timedelta(minutes=1)
    with clock.use_clock(lambda: later):
        world.restart()
        await world.settle()
        assert len((await world.controller.signing_keys.signers()).trusted) == 2
    await take_all(agents.L1)
    world.restart()
    await world.settle()
    assert len((await world.controller.signing_keys.signers()).trusted) == 2
    with clock.use_clock(lambda: later):
        world.restart()
        await world.settle()
        assert len((await world.controller.signing_keys.signers()).trusted) == 1


async def test_bundle_of_a_key_that_ended_is_refused_and_of_a_key_that_announces_itself_too(world):
    agents = await world.connect("A1", "L1")
    await take_all(agents.A1, agents.L1)
    stranger = BundleSigner(b"x" * 32)
    parts = {**agents.A1.bundle.parts, "trusted": {**agents.A1.bundle.parts["trusted"], **stranger.trusted}}
    head = head_of("A1", agents.A1.bundle.head.serial + 1, parts, time.time()).encoded()

    def opened(signer):
        envelope = whole_envelope(head.decode(), [signer.sign(head)], parts)
        return open_envelope(envelope, agents.A1.bundle.parts["trusted"], "A1", time.time(), agents.A1.bundle)

    with pytest.raises(BundleRefused, match="trusted key"):
        opened(stranger)
    await world.controller.signing_keys.rotate()
    await world.settle()
    await take_all(agents.A1, agents.L1)
    await world.controller.signing_keys.end_old()
    await world.settle()
    await take_all(agents.A1)
    head = head_of("A1", agents.A1.bundle.head.serial + 1, parts, time.time()).encoded()
    with pytest.raises(BundleRefused, match="trusted key"):
        opened(world.controller.signer)


async def test_site_that_was_silent_when_the_old_key_was_ended_by_force_is_enrolled_again(world):
    agents = await world.connect("A1", "L1")
    await world.controller.signing_keys.rotate()
    await world.settle()
    await take_all(agents.L1)
    await world.controller.signing_keys.end_old(is_forced=True)
    await world.settle()
    with pytest.raises(BundleRefused):
        await agents.A1.fetch()
    again = FakeAgent(world, "A1", await world.controller.connections.issue_token("A1"))
    assert (await again.enrol()).status_code == 200
    await world.settle()
    assert await again.fetch() is not None


async def test_agent_that_enrols_meanwhile_trusts_both_keys(world):
    await world.connect("L1")
    await world.controller.signing_keys.rotate()
    await world.controller.connections.put(facts("A1"))
    agent = FakeAgent(world, "A1", await world.controller.connections.issue_token("A1"))
    answer = orjson.loads((await agent.enrol()).content)["content"]
    assert len(answer["trusted"]) == 2 and canonical(answer["trusted"]) == canonical(agent.trusted)


async def test_second_exchange_before_the_first_has_ended_and_an_end_without_one_are_refused(world):
    with pytest.raises(ControlRefused, match="announce one first"):
        await world.controller.signing_keys.end_old()
    await world.controller.signing_keys.rotate()
    with pytest.raises(ControlRefused, match="announced already"):
        await world.controller.signing_keys.rotate()


async def test_controller_restored_from_before_an_exchange_reaches_its_agents_by_announcing_the_key_again(world):
    from esante.services.healthnet.controller.backup import read_backup, write_backup

    agents = await world.connect("A1", "L1")
    await take_all(agents.A1, agents.L1)
    path = world.folder / "backup.gz"
    await write_backup(world.db, world.controller.signer, path)
    await world.controller.signing_keys.rotate()
    await world.settle()
    await take_all(agents.A1, agents.L1)
    await world.controller.signing_keys.end_old()
    await world.settle()
    await take_all(agents.A1, agents.L1)
    await read_backup(world.db, world.controller.signer, path)
    world.restart()
    await world.controller.signing_keys.rotate()
    await world.settle()
    await agents.A1.ask(
        "GET", f"/bundle?have={agents.A1.bundle.head.serial}&after={agents.A1.bundle.head.serial}&wait=0"
    )
    await world.settle()
    assert await agents.A1.fetch() is not None

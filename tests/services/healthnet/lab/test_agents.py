"""Real agents at four sites with a real controller: enrol, talk, forbid, quarantine, rotate, lose it, recover."""

import asyncio
import contextlib
import signal
import time
from datetime import UTC, datetime, timedelta

import orjson
import pytest

from esante.core.storage import insert
from esante.services.healthnet.agent.archive import agent_file
from esante.services.healthnet.bundles.format import canonical
from esante.services.healthnet.bundles.signer import head_of
from esante.services.healthnet.controller.backup import read_backup, write_backup
from esante.services.healthnet.controller.model import ControlRefused
from esante.services.healthnet.controller.rollout import bundle_store, rollout_store
from tests.conftest import create_database, open_journal
from tests.support.agents_lab import AgentsLab, wait_until
from tests.support.healthnet_controller import open_controller

POLICY = """\
language: 1
title: Lab
groups:
  practices: {kind: practice}
  dentists: {kind: practice, profession: dentist}
  laboratories: {kind: laboratory}
  core: {kind: platform}
services:
  results: {title: R, offered-by: laboratories, ports: [tcp/8443], traffic: clinical}
  names: {title: N, offered-by: core, ports: [tcp/5353], traffic: administrative}
rules:
  fetch: {allow: practices, by: results}
  not-dentists: {forbid: dentists, by: results, overrides: fetch}
  names: {allow: [practices, laboratories], by: names}
quarantine:
  still-reaches: results
  still-offers: results
"""
SITES = {"A0": ("practice", "doctor"), "A1": ("practice", "dentist"), "L0": ("laboratory", ""), "P0": ("platform", "")}


@pytest.fixture(scope="module")
async def country(tunnels, server, tmp_path_factory):
    """Four sites that are enrolled, with their agents at work; `acts` is a controller for the acts of operators."""
    folder = tmp_path_factory.mktemp("country")
    dsn = await create_database(server)
    async with open_journal(dsn, folder / "acts") as journal:
        with AgentsLab(folder, dsn, SITES) as lab:
            lab.acts = open_controller(journal.db, journal, folder)
            lab.acts.db = journal.db
            await lab.acts.rollouts.begin(POLICY)
            for site in SITES:
                await lab.acts.connections.put(lab.facts(site))
            lab.start_controller()
            for site in SITES:
                lab.token = await lab.acts.connections.issue_token(site)
                lab.enrol(site, lab.token)
                lab.start_agent(site)
            yield lab


async def test_enrolled_sites_talk_as_the_policy_says(country):
    wait_until(lambda: country.reaches("A0", "L0"))
    wait_until(lambda: country.reaches("A1", "P0", 5353))
    assert country.reaches("A0", "L0", version=4)
    assert not country.reaches("A1", "L0")
    assert not country.reaches("A0", "A1")
    assert not country.reaches("A0", "L0", 9102)


def set_of(country, site, name):
    """The elements of a set of nftables at a site."""
    return country.show(site, "nft", "list", "set", "inet", "healthnet", name)


async def test_quarantine_keeps_chosen_flows_only_and_ends(country):
    await country.acts.connections.set_quarantine("A0", True)
    wait_until(lambda: not country.reaches("A0", "P0", 5353, timeout=2.0))
    assert country.reaches("A0", "L0")
    await country.acts.connections.set_quarantine("A0", False)
    wait_until(lambda: country.reaches("A0", "P0", 5353))


async def test_key_rotates_without_a_lost_connection(country):
    before = country.show("L0", "wg", "show", "all", "peers")
    old = country.show("A0", "wg", "show", "all", "public-key").split()[1]
    await country.acts.connections.ask_rotation("A0")

    def is_over():
        assert country.reaches("A0", "L0")
        return old not in country.show("L0", "wg", "show", "all", "peers")

    wait_until(is_over)
    assert country.show("L0", "wg", "show", "all", "peers") != before
    assert old not in country.show("A0", "wg", "show", "all", "public-key")
    assert country.reaches("A0", "P0", 5353)
    wait_until(lambda: not (country.home("A0") / "tunnel-1.key").exists())


@pytest.mark.long
async def test_change_by_hand_is_found_and_mended(country):
    country.show("A0", "nft", "flush", "chain", "inet", "healthnet", "input")
    country.show("L0", "wg", "set", interfaces(country, "L0")[0], "listen-port", "40000")
    country.show("A1", "ip", "-6", "route", "delete", str(country.addresses("P0").v6))
    wait_until(lambda: "jump incoming" in country.show("A0", "nft", "list", "chain", "inet", "healthnet", "input"))
    wait_until(lambda: country.reaches("A1", "P0", 5353))
    wait_until(lambda: country.reaches("A0", "L0"))


def interfaces(country, site):
    return country.show(site, "wg", "show", "interfaces").split()


@pytest.mark.long
async def test_bundle_that_cuts_a_site_off_is_undone_by_its_agent(country):
    restart(country, "A0", patience=5.0)
    db, before = country.acts.db, country.serial("A0")
    row = await bundle_store.fetch_bundle(db, "A0", before)
    parts = orjson.loads(row["parts"])
    for peer in parts["peers"].values():
        peer["key"] = "A" * 43 + "="
    head = head_of("A0", before + 1, parts, time.time()).encoded()
    signatures = canonical([country.acts.signer.sign(head)])
    values = ("A0", before + 1, head.decode(), signatures, canonical(parts), datetime.now(UTC) + timedelta(days=1))
    async with db.transaction() as conn:
        await insert(conn, [(bundle_store.BUNDLE, values)])
        await bundle_store.keep_serials(conn, {"A0": before + 1})
    wait_until(lambda: (country.home("A0") / "refused.json").exists())
    wait_until(lambda: country.reaches("A0", "L0"))
    assert country.serial("A0") != before + 1
    wait_until(lambda: f"bundle {before + 1}: the check target does not answer" in country.log("A0"))
    restart(country, "A0")


def restart(country, site, **given):
    """End an agent and start it again."""
    country.stop_agent(site)
    country.start_agent(site, **given)


async def test_network_goes_on_without_controller_and_agents_recover_alone(country):
    country.kill_controller()
    country.stop_agent("A0", signal.SIGKILL)
    for name in interfaces(country, "A0"):
        country.show("A0", "ip", "link", "delete", name)
    country.show("A0", "nft", "delete", "table", "inet", "healthnet")
    country.start_agent("A0")
    wait_until(lambda: country.reaches("A0", "L0"))
    assert country.reaches("A1", "P0", 5353)
    assert not country.reaches("A1", "L0", timeout=2.0)
    country.start_controller()
    await country.acts.connections.set_quarantine("A0", True)
    wait_until(lambda: not country.reaches("A0", "P0", 5353, timeout=2.0))
    await country.acts.connections.set_quarantine("A0", False)
    wait_until(lambda: country.reaches("A0", "P0", 5353))


@pytest.mark.long
async def test_controller_killed_in_a_roll_out_ends_it_after_its_return(country):
    open_policy = POLICY.replace("  not-dentists: {forbid: dentists, by: results, overrides: fetch}\n", "")
    await country.acts.rollouts.begin(open_policy, ["A0"], stages=(50, 100), soak=1, patience=120)
    country.kill_controller()
    assert country.reaches("A0", "L0")
    country.start_controller()
    wait_until(lambda: country.reaches("A1", "L0", timeout=2.0))
    newest = await rollout_store.fetch_newest(country.acts.db)
    async with asyncio.timeout(240):
        while newest.state == "running":
            await asyncio.sleep(0.2)
            newest = await rollout_store.fetch_newest(country.acts.db)
    assert newest.state == "done", newest.reason


@pytest.mark.long
async def test_key_that_signs_bundles_is_exchanged_and_agents_go_on(country):
    keys = country.acts.signing_keys
    await keys.rotate()

    async def try_end():
        with contextlib.suppress(ControlRefused):
            await keys.end_old()
        return len((await keys.signers()).trusted) == 1

    async with asyncio.timeout(240):
        while not await try_end():
            await asyncio.sleep(0.3)
    await country.acts.connections.set_quarantine("A0", True)
    wait_until(lambda: not country.reaches("A0", "P0", 5353, timeout=2.0))
    await country.acts.connections.set_quarantine("A0", False)
    wait_until(lambda: country.reaches("A0", "P0", 5353))


@pytest.mark.long
async def test_controller_that_is_restored_from_a_backup_goes_on_with_its_agents(country, tmp_path):
    """The drill: a backup, changes after it, the controller lost with its database, restored, used."""
    await write_backup(country.acts.db, country.acts.signer, tmp_path / "backup.gz")
    for state in (True, False):
        await country.acts.connections.set_quarantine("A0", state)
        wait_until(lambda state=state: country.reaches("A0", "P0", 5353, timeout=2.0) != state)
    ahead = country.serial("A0")
    country.kill_controller()
    await read_backup(country.acts.db, country.acts.signer, tmp_path / "backup.gz")
    assert country.reaches("A0", "L0")
    country.start_controller()
    wait_until(lambda: country.serial("A0") > ahead)
    await country.acts.connections.set_quarantine("A0", True)
    wait_until(lambda: not country.reaches("A0", "P0", 5353, timeout=2.0))
    await country.acts.connections.set_quarantine("A0", False)
    wait_until(lambda: country.reaches("A0", "P0", 5353))


async def test_revoked_site_is_cut_off_within_seconds(country):
    key = country.show("A1", "wg", "show", "all", "public-key").split()[1]
    assert key in country.show("P0", "wg", "show", "all", "peers")
    await country.acts.connections.revoke("A1")
    wait_until(lambda: key not in country.show("P0", "wg", "show", "all", "peers"))
    assert not country.reaches("A1", "P0", 5353, timeout=2.0)
    wait_until(lambda: "401" in country.log("A1") or "signature" in country.log("A1"))


@pytest.mark.long
async def test_update_that_does_not_work_is_undone_and_a_good_one_stays(country):
    country.stop_agent("P0")
    country.start_agent("P0", "supervise")
    home = country.home("P0")
    await country.acts.releases.release(b"raise SystemExit(3)\n")
    wait_until(lambda: (home / "bad_release.json").exists())
    await country.acts.releases.release(agent_file())
    wait_until(
        lambda: '"current": 2' in text_of(home / "release.json") and "true" in text_of(home / "release.json"), 30
    )
    assert country.reaches("A0", "P0", 5353)


def text_of(path):
    return path.read_text() if path.exists() else ""

"""Twenty sites over lines with 200 ms of delay and 5 % loss, some of which flap."""

import asyncio
import signal
from itertools import product

import pytest

from esante.services.healthnet.controller.heartbeats import parse_heartbeat
from tests.conftest import create_database, open_journal
from tests.services.healthnet.lab.test_agents import POLICY
from tests.support.agents_lab import AgentsLab, wait_until
from tests.support.healthnet_controller import open_controller

SITES = {
    **{f"A{number}": ("practice", ("doctor", "dentist")[number % 2]) for number in range(14)},
    **{f"L{number}": ("laboratory", "") for number in range(4)},
    **{f"P{number}": ("platform", "") for number in range(2)},
}


def is_allowed(source, target, port):
    """What the policy of the lab says, read from it by hand."""
    is_doctor = source[0] == "A" and SITES[source][1] == "doctor"
    return (port == 8443 and target[0] == "L" and is_doctor) or (
        port == 5353 and target[0] == "P" and source[0] in "AL"
    )


@pytest.mark.long
async def test_twenty_sites_over_bad_lines_reach_what_the_policy_says(tunnels, server, tmp_path):
    """Enrol, talk, forbid, flap, rotate, quarantine, lose the controller, recover: each over 200 ms and 5 % loss."""
    dsn = await create_database(server)
    async with open_journal(dsn, tmp_path / "acts") as journal:
        with AgentsLab(tmp_path / "country", dsn, SITES, relay=(0.2, 0.05)) as lab:
            acts = open_controller(journal.db, journal, lab.folder)
            await acts.rollouts.begin(POLICY)
            for site in SITES:
                await acts.connections.put(lab.facts(site))
            lab.start_controller()
            for site in SITES:
                lab.enrol(site, await acts.connections.issue_token(site))
                lab.start_agent(site, patience=60)
            await reach_what_they_may(lab)
            for _ in range(3):
                for state in ("down", "up"):
                    lab.show("L0", "ip", "link", "set", "eth0", state)
                    await asyncio.sleep(3)
            lab.show("L0", "ip", "route", "replace", "default", "via", f"100.64.{lab.numbers['L0']}.1")
            wait_until(lambda: lab.reaches("A0", "L0"))
            await rotate_without_an_outage(lab, acts, "L1")
            lab.kill_controller()
            assert reaches_soon(lab, "A2", "L1")
            lab.stop_agent("A2", signal.SIGKILL)
            lab.start_agent("A2", patience=60)
            assert reaches_soon(lab, "A2", "L1")
            lab.start_controller()
            await acts.connections.set_quarantine("A4", True)
            wait_until(lambda: not reaches_soon(lab, "A4", "P0", 5353))
            assert reaches_soon(lab, "A4", "L3")
            await acts.connections.set_quarantine("A4", False)
            wait_until(lambda: lab.reaches("A4", "P0", 5353))
            await wait_for_latency(journal.db, "A0", "L0", 350)


async def reach_what_they_may(lab):
    """Every allowed pair connects, and every other one is refused."""
    pairs = [(a, b, port) for a, b, port in product(SITES, SITES, (8443, 5353)) if a != b]
    for one in (pair for pair in pairs if is_allowed(*pair)):
        wait_until(lambda one=one: lab.reaches(*one))
    for one in (pair for pair in pairs if not is_allowed(*pair)):
        assert not lab.reaches(*one, timeout=1.5), one


def reaches_soon(lab, source, target, port=8443):
    """Whether one of three attempts to connect succeeds: a line that loses packets is no outage."""
    return any(lab.reaches(source, target, port) for _ in range(3))


async def rotate_without_an_outage(lab, acts, site):
    """The key of a site changes while others connect to it all the time."""
    old = lab.show(site, "wg", "show", "all", "public-key").split()[1]
    await acts.connections.ask_rotation(site)

    def is_over():
        assert reaches_soon(lab, "A0", site), "an outage in a rotation"
        return old not in lab.show("A0", "wg", "show", "all", "peers")

    wait_until(is_over, 400)
    assert reaches_soon(lab, "A2", site)


async def wait_for_latency(db, source, target, least):
    """Wait until an agent says of a path that an answer takes so many milliseconds at least."""
    async with asyncio.timeout(240):
        while True:
            content = await db.fetchval("SELECT content FROM healthnet_status WHERE site = $1", source)
            paths = parse_heartbeat(content).paths if content else ()
            if any(path.site == target and (path.latency_ms or 0) >= least for path in paths):
                return
            await asyncio.sleep(1)

"""Twenty sites over lines with 200 ms of delay and 5 % loss, some of which flap."""

import asyncio
from itertools import product

import pytest

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
                lab.start_agent(site, patience=40)
            pairs = [(a, b, port) for a, b, port in product(SITES, SITES, (8443, 5353)) if a != b]
            allowed = [one for one in pairs if is_allowed(*one)]
            for one in allowed:
                wait_until(lambda one=one: lab.reaches(*one, timeout=6.0), 180)
            for one in [pair for pair in pairs if not is_allowed(*pair)][::19]:
                assert not lab.reaches(*one, timeout=1.5), one
            for _ in range(3):
                for state in ("down", "up"):
                    lab.show("L0", "ip", "link", "set", "eth0", state)
                    await asyncio.sleep(3)
            lab.show("L0", "ip", "route", "replace", "default", "via", f"100.64.{lab.numbers['L0']}.1")
            await acts.connections.ask_rotation("L1")
            wait_until(lambda: lab.reaches("A0", "L0", timeout=6.0), 120)
            lab.kill_controller()
            wait_until(lambda: lab.reaches("A2", "L1", timeout=6.0), 60)
            lab.start_controller()
            await acts.connections.set_quarantine("A4", True)
            wait_until(lambda: not lab.reaches("A4", "P0", 5353, timeout=3.0), 120)
            wait_until(lambda: lab.reaches("A4", "L3", timeout=6.0), 60)

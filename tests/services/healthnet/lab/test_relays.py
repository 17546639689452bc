"""Sites behind NAT over a relay, and paths that lose large packets, with real tunnels."""

import re

import pytest

from tests.conftest import create_database, open_journal
from tests.services.healthnet.lab.test_agents import POLICY
from tests.support.agents_lab import AgentsLab, wait_until
from tests.support.healthnet_controller import open_controller

SITES = {"A0": ("practice", "doctor"), "A1": ("practice", "dentist"), "L0": ("laboratory", ""), "P0": ("platform", "")}
BULK = 6000
LAB_POLICY = POLICY.replace("tcp/8443", f"tcp/8443, tcp/{BULK}").replace("tcp/5353", "tcp/5353, tcp/6001")


@pytest.fixture(scope="module")
async def country(tunnels, server, tmp_path_factory):
    """Four sites at work, all behind NAT but the platform."""
    folder = tmp_path_factory.mktemp("relays")
    dsn = await create_database(server)
    async with open_journal(dsn, folder / "acts") as journal:
        with AgentsLab(folder, dsn, SITES, nat=("A0", "A1", "L0")) as lab:
            lab.acts = open_controller(journal.db, journal, folder)
            await lab.acts.rollouts.begin(LAB_POLICY)
            for site in SITES:
                await lab.acts.connections.put(lab.facts(site))
            lab.start_controller()
            for site in SITES:
                lab.enrol(site, await lab.acts.connections.issue_token(site))
                lab.start_agent(site)
            wait_until(lambda: lab.reaches("A0", "P0", 5353))
            yield lab


async def test_two_sites_behind_nat_reach_each_other_when_a_site_relays_and_no_more_than_the_policy_says(country):
    assert not country.reaches("A0", "L0", timeout=2.0)
    await country.acts.connections.set_relay("P0", True)
    wait_until(lambda: country.reaches("A0", "L0"))
    assert country.reaches("A0", "L0", version=4)
    assert country.sends("A0", "L0", BULK)
    assert str(country.addresses("L0").relay6) in country.show("A0", "wg", "show", "all", "endpoints")
    assert not country.reaches("A1", "L0")
    assert not country.reaches("A0", "L0", 9102)
    assert not country.reaches("A0", "A1")


def dropped(country):
    """Packets between tunnels that the relay refused."""
    rule = country.show("P0", "nft", "list", "chain", "inet", "healthnet", "forward")
    return int(re.search(r'oifname "hn\*" counter packets (\d+)', rule)[1])


async def test_relay_forwards_nothing_for_two_sites_without_an_edge(country):
    """A gateway in wrong hands: its own rules are gone, and it sends through its relay to a site of its choice."""
    await country.acts.connections.set_relay("P0", True)
    wait_until(lambda: country.reaches("A0", "L0"))
    target, key = country.addresses("A1").relay6, country.show("P0", "wg", "show", "all", "public-key").split()[1]
    before = dropped(country)
    country.show("A0", "nft", "flush", "chain", "inet", "healthnet", "output")
    shown = country.show("A0", "wg", "show", "all", "allowed-ips").splitlines()
    interface, _, allowed = next(line for line in shown if key in line).split("\t")
    allowed = ",".join([*allowed.split(), f"{target}/128"])
    country.show("A0", "wg", "set", interface, "peer", key, "allowed-ips", allowed)
    source = country.addresses("A0").relay6
    country.show("A0", "ip", "route", "replace", f"{target}/128", "dev", interface, "src", source)
    script = (
        "import socket, sys\ns = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)\n"
        "s.bind((sys.argv[1], 51823))\n"
        "[s.sendto(b'x', (sys.argv[2], 51820)) for _ in range(5)]"
    )
    country.show("A0", country.python, "-c", script, source, target)
    wait_until(lambda: dropped(country) >= before + 5)


@pytest.mark.long
async def test_path_that_loses_large_packets_gets_a_smaller_mtu_at_both_ends(country):
    """1400 bytes pass, and 4 more towards the Internet (a VLAN's), of which a tunnel needs 60."""
    country.narrow("A1", 1400)
    assert not country.sends("A1", "P0", 6001, timeout=4.0)
    for one, other in (("A1", "P0"), ("P0", "A1")):
        wait_until(lambda one=one, other=other: 1280 < mtu(country, one, other) <= 1344)
    assert country.sends("A1", "P0", 6001)
    wait_until(lambda: country.show("A0", "ip", "-6", "route", "show", country.addresses("L0").v6).count("mtu 13"))


def mtu(country, one, other):
    """The MTU of the route from one site to another, 0 for that of the interface."""
    shown = country.show(one, "ip", "-6", "route", "show", country.addresses(other).v6)
    found = re.search(r" mtu (\d+)", shown)
    return int(found[1]) if found else 0

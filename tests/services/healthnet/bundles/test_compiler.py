"""What a site gets, compared with the writer of nftables; a change compared with a fresh compilation."""

import random
from dataclasses import replace
from ipaddress import IPv4Network, IPv6Network
from uuid import UUID

import pytest

from esante.services.healthnet.addresses.model import SiteAddresses
from esante.services.healthnet.agent.wanted_state import check_parts
from esante.services.healthnet.bundles.compiler import interface_of
from esante.services.healthnet.bundles.format import BundleRefused, canonical
from esante.services.healthnet.bundles.secrets import Secrets
from esante.services.healthnet.controller.country import Country
from esante.services.healthnet.controller.model import Connection, SiteFacts
from esante.services.healthnet.firewall.ruleset import flow_sets
from esante.services.healthnet.policy.parser import parse_policy
from tests.services.healthnet.lab.test_real_packets import POLICY
from tests.support.healthnet import WORDS

SECRETS = Secrets(b"r" * 64)
TRUSTED = {"k": {"algorithm": "Ed25519", "public": "00"}}
LABORATORY = "S24"


def key_of(number, generation):
    """A WireGuard public key that nobody has."""
    import base64

    return base64.b64encode(bytes([number, generation] * 16)).decode()


def connection(number, **changes):
    """A site of a country of thirty."""
    kind = "practice" if number < 20 else ("hospital", "laboratory", "platform")[number % 3 if number < 29 else 2]
    facts = SiteFacts(
        site=f"S{number}",
        kind=kind,
        profession=("doctor", "dentist")[number % 2] if kind == "practice" else "",
        addresses=SiteAddresses(
            IPv6Network((int(IPv6Network("fd0e:5a17::/48")[0]) + ((number + 1) << 64), 64)),
            IPv4Network((int(IPv4Network("10.99.0.0/16")[0]) + (number + 1) * 8, 29)) if number % 5 else None,
        ),
        endpoint="" if number % 3 else f"192.0.2.{number}",
    )
    given = {
        "facts": facts, "is_quarantined": False, "is_revoked": False, "is_suspended": False, "identity": b"i",
        "token_id": UUID(int=number), "policy_version": 1, "serial": 1, "receipt_serial": 0, "outcome": "",
        "in_force": 0, "keys": {1: key_of(number, 1)},
    }  # fmt: skip
    return Connection(**{**given, **changes})


POLICIES = {1: parse_policy("lab.yaml", POLICY, WORDS)}


def country(connections):
    return Country(POLICIES, connections, SECRETS, TRUSTED)


def all_parts(one):
    return {key: canonical(one.parts(key)) for key in one.connections}


def test_elements_are_those_of_the_writer_of_nftables():
    made = country([connection(number) for number in range(30)])
    addresses = {key: one.facts.addresses for key, one in made.connections.items()}
    for key in made.connections:
        parts = made.parts(key)
        edges = made._networks[1].edges(key)
        for name, elements in flow_sets(key, edges, POLICIES[1].services, addresses).named():
            assert set(parts.get(name, {})) == {str(one) for one in elements}


def test_changes_one_by_one_end_as_a_fresh_compilation_and_name_every_changed_site():
    rng = random.Random(7)
    now = {number: connection(number) for number in range(30)}
    made = country(now.values())
    before = all_parts(made)
    for _ in range(120):
        number = rng.randrange(30)
        what = rng.choice(("quarantine", "key", "endpoint", "nat", "suspend", "revoke", "relay"))
        if what == "relay":
            number = rng.choice((20, 23, 26, 29))
        one = now.get(number) or connection(number)
        if what == "quarantine":
            one = replace(one, is_quarantined=not one.is_quarantined)
        elif what == "key":
            newest = max(one.keys) + 1
            one = replace(
                one, keys={newest: key_of(number, newest), **({1: key_of(number, 1)} if newest == 2 else {})}
            )
        elif what == "endpoint":
            one = replace(one, facts=replace(one.facts, endpoint=f"198.51.100.{rng.randrange(250)}"))
        elif what == "nat":
            one = replace(one, facts=replace(one.facts, endpoint=""))
        elif what == "relay":
            one = replace(one, facts=replace(one.facts, is_relay=not one.facts.is_relay, endpoint="192.0.2.9"))
        elif what == "suspend":
            one = replace(one, is_suspended=not one.is_suspended)
        now[number] = one
        if what == "revoke":
            del now[number]
        affected = made.change(f"S{number}", now.get(number))
        after = all_parts(made)
        assert after == all_parts(country(now.values()))
        assert {key for key in after if before.get(key) != after[key]} <= affected
        before = after


def test_agent_accepts_what_is_compiled_and_opens_the_pre_shared_keys_of_both_ends():
    made = country([connection(number, keys={1: key_of(number, 1), 2: key_of(number, 2)}) for number in range(30)])
    found = {}
    for key, one in made.connections.items():
        checked = check_parts(made.parts(key), SECRETS.sealing_key(one.token_id))
        for name, peers in checked.peers.items():
            assert len({network for peer in peers for network in peer.networks}) == sum(len(p.networks) for p in peers)
            for peer in peers:
                found[key, peer.site, checked.interfaces[name][0], peer.rank[0] - peer.rank[1]] = peer.psk
    assert len(set(found.values())) == len(found) // 2
    assert all(found[other, key, theirs, own] == psk for (key, other, own, theirs), psk in found.items())
    assert len(found) > 100


def test_pre_shared_key_opens_with_the_sealing_key_of_its_site_only():
    made = country([connection(number) for number in range(30)])
    with pytest.raises(BundleRefused):
        check_parts(made.parts("S1"), SECRETS.sealing_key(UUID(int=2)))


def test_tunnels_between_two_sites_never_share_an_interface():
    for own in range(1, 6):
        for other in range(1, 6):
            pairs = [(own + a, other + b) for a in (0, 1) for b in (0, 1)]
            assert len({interface_of(*pair) for pair in pairs}) == 4


HOSTILE = {
    "command in an address": {"site": {"addresses": ["::1; reboot"]}},
    "include": {"firewall": {"table": 'table inet healthnet\ndelete table inet healthnet\ntable inet healthnet {\n include "/etc/passwd"\n}\n'}},
    "another table": {"firewall": {"table": "table inet healthnet\ndelete table inet healthnet\ntable inet healthnet {\n}\ntable inet x {\n}\n"}},
    "flush": {"firewall": {"table": "flush ruleset\n"}},
    "element": {"outgoing6": {"::/0 . tcp . 1 } ; flush ruleset": 1}},
    "name": {"names": {"a b\n127.0.0.1 bank": ["::1"]}},
    "class": {"classes": {"x": {"priority": 1, "percentage": 5, "ports": ["tcp/1 } drop"]}}},
    "mtu": {"site": {"mtu": "1420; reboot"}},
    "end of relayed tunnels": {"carried6": {"::1 }; flush ruleset": 1}},
    "relayed pair": {"relayed6": {"::1 . ::2, ::/0": 1}},
    "relay": {"peers": {"L1/1.1": {"interface": "hn2", "key": "A" * 43 + "=", "networks": [], "keepalive": 25,
                                   "relay": "P1\nEndpoint = 192.0.2.1:1"}}},
    "carried network": {"peers": {"L1/1.1": {"interface": "hn2", "key": "A" * 43 + "=", "networks": [],
                                             "keepalive": 25, "carries": ["::/0"]}}},
    "interface": {"interfaces": {"eth0": {"generation": 1, "port": 51820}}},
    "port": {"checks": {"target": {"address": "::1", "port": 70_000}}},
}  # fmt: skip


@pytest.mark.parametrize("what", HOSTILE)
def test_value_that_is_more_than_a_value_is_refused_by_the_agent(what):
    parts = country([connection(number) for number in range(30)]).parts("S0")
    for section, values in HOSTILE[what].items():
        parts[section] = {**parts.get(section, {}), **values}
    with pytest.raises(BundleRefused):
        check_parts(parts, SECRETS.sealing_key(UUID(int=0)))

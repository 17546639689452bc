"""The network of another operator with real packets: it reaches what its agreement names, through its gateway only."""

import random
from dataclasses import replace
from ipaddress import IPv4Network, IPv6Network

import pytest

from esante.services.healthnet.addresses.model import SiteAddresses
from esante.services.healthnet.federation.rules import federation_faults
from esante.services.healthnet.policy.model import FEDERATION, Site
from esante.services.healthnet.policy.network import Network
from esante.services.healthnet.policy.parser import parse_policy
from tests.services.healthnet.lab.test_real_packets import Country, addresses_of, made_sites
from tests.support.federations import terms
from tests.support.healthnet import WORDS
from tests.support.network_lab import NetworkLab, Probe

POLICY = """\
language: 1
title: Lab
groups:
  practices: {kind: practice}
  hospitals: {kind: hospital}
  laboratories: {kind: laboratory}
  core: {kind: platform}
  luxith: {federation: luxith}
services:
  results: {title: R, offered-by: laboratories, ports: [tcp/8443]}
  names: {title: N, offered-by: core, ports: [udp/5353-5354]}
  images: {title: I, offered-by: luxith, ports: [tcp/11112, udp/5400-5402]}
rules:
  fetch: {allow: [practices, luxith], by: results}
  names: {allow: [practices, laboratories], by: names}
  images: {allow: hospitals, reach: luxith, by: images}
quarantine:
  still-reaches: results
"""
PORTS = [("tcp", 8443), ("tcp", 11112), ("udp", 5353), ("udp", 5400), ("udp", 5402), ("udp", 5403)]
FOREIGN = "F1"


@pytest.fixture(scope="module")
def country(firewalls):
    """Nine sites of ours, and the network of another operator with a machine behind its gateway."""
    sites = [*made_sites(3, 2, 2), Site(key=FOREIGN, kind=FEDERATION + "luxith")]
    own = SiteAddresses(IPv6Network("fd77:1::/48"), IPv4Network("10.120.0.0/16"))
    addresses = addresses_of(sites) | {FOREIGN: own}
    policy = parse_policy("lab.yaml", POLICY, WORDS)
    assert federation_faults(policy, {"luxith": terms()}, WORDS.kinds, WORDS.professions) == []
    with NetworkLab(addresses) as lab:
        for key in (FOREIGN, "A2", "L1"):
            lab.add_host(key)
        lab.serve([*lab.names], PORTS)
        found = Country(lab, Network(policy, sites), addresses)
        found.load_all()
        yield found


def probes(country, seed, number=400):
    """Probes from and to the foreign network, and some between our sites."""
    made, ends = random.Random(seed), [*country.lab.names]
    found, edges = set(), sorted(country.network.all_edges())
    while len(found) < number:
        source, target = made.sample(ends, 2)
        port, chance = made.choice(PORTS), made.random()
        if edges and chance < 0.3:
            edge = made.choice(edges)
            source, target = edge.source, edge.target
            ports = country.network.policy.services[edge.service].ports
            port = made.choice([(one.protocol, one.first) for one in ports])
        elif chance < 0.7:
            source, target = made.choice([(made.choice((FOREIGN, f"{FOREIGN}+")), target), (source, FOREIGN)])
        if source.removesuffix("+") != target.removesuffix("+"):
            found.add(Probe(source, target, *port, made.choice((4, 6))))
    return sorted(found, key=repr)


def test_real_packets_of_the_foreign_network_arrive_exactly_where_the_model_says(country):
    assert country.compare(probes(country, 1)) > 20
    assert country.allows(Probe(f"{FOREIGN}+", "L1+", "tcp", 8443))
    assert not country.allows(Probe(FOREIGN, "A2", "tcp", 8443))


def test_nobody_else_sends_with_an_address_of_the_foreign_network(country):
    """Its gateway is the only way: a site of ours that claims one of its addresses gets nothing."""
    foreign = country.addresses[FOREIGN].v6[9]
    assert not country.lab.spoofed("A2", foreign, "P0", 5354)
    assert country.lab.spoofed("A2", country.addresses["A2"].v6[7], "P0", 5354)


def test_network_that_is_cut_off_reaches_nothing_and_everything_else_goes_on(country):
    site = country.network.site(FOREIGN)
    country.update(country.network.remove(FOREIGN))
    try:
        some = [one for one in probes(country, 2) if FOREIGN in (one.source.rstrip("+"), one.target.rstrip("+"))]
        assert country.lab.reached(some) == set()
        own = [one for one in probes(country, 3) if FOREIGN not in (one.source.rstrip("+"), one.target.rstrip("+"))]
        assert country.compare(own) > 5
    finally:
        country.update(country.network.put(replace(site)) - {FOREIGN})
    assert country.compare(probes(country, 4)) > 10

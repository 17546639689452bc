"""The model against real nftables: what it says of random pairs is what happens to real packets."""

import random
from dataclasses import replace
from ipaddress import IPv4Network, IPv6Network
from itertools import product

import pytest

from esante.services.healthnet.addresses.model import SiteAddresses
from esante.services.healthnet.firewall.ruleset import FlowSets, changes, flow_sets, ruleset
from esante.services.healthnet.policy.model import Site
from esante.services.healthnet.policy.network import Network
from esante.services.healthnet.policy.parser import parse_policy
from tests.support.healthnet import WORDS
from tests.support.network_lab import NetworkLab, Probe

POLICY = """\
language: 1
title: Lab
groups:
  practices: {kind: practice}
  dentists: {kind: practice, profession: dentist}
  hospitals: {kind: hospital}
  laboratories: {kind: laboratory}
  core: {kind: platform}
services:
  results: {title: R, offered-by: laboratories, ports: [tcp/8443, tcp/9100-9103]}
  names: {title: N, offered-by: core, ports: [udp/5353-5354, tcp/5353]}
  images: {title: I, offered-by: hospitals, ports: [tcp/11112, udp/5400-5402]}
rules:
  fetch: {allow: [practices, hospitals], by: results}
  not-dentists: {forbid: dentists, by: results, overrides: fetch}
  names: {allow: [practices, hospitals, laboratories], by: names}
  images: {allow: hospitals, by: images}
quarantine:
  still-reaches: results
  still-offers: results
"""
PORTS = [*product(["tcp"], [8443, 9100, 9103, 9104, 5353, 11112]), *product(["udp"], [5353, 5400, 5402, 5403, 8443])]
"""Those of the services, their limits, and others that no service has."""


def made_sites(practices, hospitals, laboratories):
    """Sites of each kind, some in quarantine."""
    found = [Site(key=f"A{n}", kind="practice", profession=("doctor", "dentist")[n % 2]) for n in range(practices)]
    found += [Site(key=f"H{n}", kind="hospital") for n in range(hospitals)]
    found += [Site(key=f"L{n}", kind="laboratory") for n in range(laboratories)]
    found.append(Site(key="P0", kind="platform"))
    quarantined = {"A0", "A1", "H0", "L0"}
    return [replace(site, is_quarantined=site.key in quarantined) for site in found]


def addresses_of(sites):
    """A network of 64 bits and an IPv4 network for each site, by a plan of the test."""
    return {
        site.key: SiteAddresses(
            IPv6Network((int(IPv6Network("fd0e:5a17::/48")[0]) + ((number + 1) << 64), 64)),
            IPv4Network((int(IPv4Network("10.99.0.0/16")[0]) + (number + 1) * 8, 29)),
        )
        for number, site in enumerate(sites)
    }


class Country:
    """Sites with their compiled rules in a lab."""

    def __init__(self, lab, network, addresses):
        self.lab, self.network, self.addresses = lab, network, addresses
        self.loaded = {}

    def sets(self, key):
        return flow_sets(key, self.network.edges(key), self.network.policy.services, self.addresses)

    def load_all(self):
        for site in self.network.sites:
            self.loaded[site.key] = self.sets(site.key)
            self.lab.load(site.key, ruleset(self.addresses[site.key], self.loaded[site.key]))

    def update(self, keys):
        """Load what changed at some sites, as changes of their sets."""
        for key in keys:
            now = self.sets(key)
            self.lab.load(key, changes(self.loaded[key], now))
            self.loaded[key] = now

    def allows(self, probe):
        """What the model says of a probe."""
        source, target = probe.source.removesuffix("+"), probe.target.removesuffix("+")
        return any(
            self.network.reach(source, target, key).is_allowed
            for key, service in self.network.policy.services.items()
            if any(p.protocol == probe.protocol and p.first <= probe.port <= p.last for p in service.ports)
        )

    def random_probes(self, seed, number):
        """Probes between any two ends, and a quarter of them along edges."""
        made, ends, edges = random.Random(seed), [*self.lab.names], sorted(self.network.all_edges())
        found = set()
        for _ in range(number // 3):
            edge = made.choice(edges)
            port = made.choice(self.network.policy.services[edge.service].ports)
            if (port.protocol, port.last) in PORTS:
                found.add(Probe(edge.source, edge.target, port.protocol, port.last, made.choice((4, 6))))
        while len(found) < number:
            source, target = made.sample(ends, 2)
            if source.removesuffix("+") != target.removesuffix("+"):
                found.add(Probe(source, target, *made.choice(PORTS), made.choice((4, 6))))
        return sorted(found, key=repr)

    def compare(self, probes):
        """Send probes, a few hundred at a time, and compare with the model; how many were allowed."""
        allowed = 0
        for start in range(0, len(probes), 400):
            some = probes[start : start + 400]
            expected = {probe for probe in some if self.allows(probe)}
            found = self.lab.reached(some, expected)
            assert found == expected, (found - expected, expected - found)
            allowed += len(expected)
        return allowed


def open_country(sites):
    """A lab with these sites, machines behind four of them, and the rules loaded."""
    addresses = addresses_of(sites)
    lab = NetworkLab(addresses)
    lab.__enter__()
    try:
        for key in ("A2", "H1", "L1", "P0"):
            lab.add_host(key)
        lab.serve([*lab.names], PORTS)
        country = Country(lab, Network(parse_policy("lab.yaml", POLICY, WORDS), sites), addresses)
        country.load_all()
    except BaseException:
        lab.__exit__()
        raise
    return country


@pytest.fixture(scope="module")
def country(firewalls):
    """Twelve sites."""
    found = open_country(made_sites(5, 3, 3))
    yield found
    found.lab.__exit__()


def test_real_packets_arrive_exactly_where_the_model_says(country):
    allowed = country.compare(country.random_probes(1, 1_000))
    assert 100 < allowed < 600


@pytest.mark.long
@pytest.mark.parametrize("seed", range(8))
def test_thousands_of_packets_between_forty_sites_arrive_where_the_model_says(firewalls, seed):
    country = open_country(made_sites(24, 8, 8))
    try:
        assert country.compare(country.random_probes(seed, 3_000)) > 400
    finally:
        country.lab.__exit__()


def test_everything_arrives_without_rules_so_that_refusals_are_those_of_nftables(country):
    probes = country.random_probes(2, 200)
    try:
        for site in country.network.sites:
            country.lab.load(site.key, "delete table inet healthnet\n")
        assert country.lab.reached(probes, probes) == set(probes)
    finally:
        country.load_all()


@pytest.mark.parametrize("open_end", ["sources", "targets"])
def test_one_end_without_rules_opens_nothing(country, open_end):
    """A gateway in wrong hands, whose rules are gone: the other end refuses alone."""
    probes = [probe for probe in country.random_probes(3, 600) if probe.source[:2] == "A2" or probe.target[:2] == "A2"]
    probes = [probe for probe in probes if (probe.source[:2] == "A2") == (open_end == "sources")]
    assert len(probes) > 20
    country.lab.load("A2", "delete table inet healthnet\n")
    try:
        country.compare(probes)
    finally:
        country.load_all()


def test_change_of_a_site_is_loaded_as_changes_of_the_affected_sites_only(country):
    site = country.network.site("A2")
    affected = country.network.put(replace(site, is_quarantined=True))
    try:
        assert affected == {"A2", "P0"}
        country.update(affected)
        country.compare(country.random_probes(4, 500))
    finally:
        country.update(country.network.put(site))
    country.compare(country.random_probes(5, 500))
    for other in country.network.sites:
        listed = country.lab.nft(other.key, "list", "table", "inet", "healthnet")
        country.lab.load(other.key, ruleset(country.addresses[other.key], country.loaded[other.key]))
        assert without_counters(country.lab.nft(other.key, "list", "table", "inet", "healthnet")) == without_counters(
            listed
        )


def without_counters(listed):
    """What nft lists, without its counters and in one order of elements."""
    return sorted(word for line in listed.splitlines() if "counter" not in line for word in line.split())


@pytest.mark.parametrize("changed", ["A4", "L1"])
def test_established_connection_ends_with_its_edge_at_either_end_alone(country, changed):
    talk = country.lab.talk("A4", "L1", 9102)
    assert talk.answers("before")
    site = country.network.site("A4")
    try:
        country.network.put(replace(site, profession="dentist"))
        country.update([changed])
        assert not talk.answers("reply", backwards=True)
        assert not talk.answers("after")
    finally:
        country.network.put(site)
        country.update([changed])
    assert talk.answers("again", within=60)
    talk.close()


def test_source_that_is_not_an_address_of_the_site_is_dropped(country):
    """A machine behind the gateway of one site that claims the address of another."""
    assert country.allows(Probe("A3", "P0", "udp", 5353))
    assert not country.lab.spoofed("A3", country.addresses["H1"].v6[7], "P0", 5354)
    assert country.lab.spoofed("H1", country.addresses["H1"].v6[7], "P0", 5354)


def test_ingress_drops_what_egress_let_out(country):
    """Open gateways at all other ends: a laboratory still gets nothing but what the model allows."""
    others = [site.key for site in country.network.sites if site.key != "L1"]
    for key in others:
        country.lab.load(key, "delete table inet healthnet\n")
    try:
        probes = [Probe(key, "L1", *port, version) for key in others for port in PORTS for version in (4, 6)]
        assert country.compare(probes) > 20
    finally:
        country.load_all()


def test_empty_sets_are_accepted_and_let_nothing_through(country):
    country.lab.load("A3", ruleset(country.addresses["A3"], FlowSets()))
    try:
        assert country.lab.reached([Probe("A3", "P0", *port) for port in PORTS]) == set()
    finally:
        country.load_all()

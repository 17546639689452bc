"""Addresses of sites: no overlap whatever happens at the same time, no early reuse, NetBox's files."""

import asyncio
from datetime import timedelta
from ipaddress import IPv4Network, IPv6Network
from itertools import combinations

import pytest
from asyncpg import ExclusionViolationError

from esante.core import clock
from esante.core.storage import Database
from esante.core.web import Problem
from esante.services.healthnet.addresses.netbox import ExchangeError, parse_prefixes, to_csv, to_json
from esante.services.healthnet.addresses.plan import REUSE_AFTER
from tests.support.healthnet_world import HealthnetWorld

REASON = "A reason that is long enough."


def overlaps(addresses):
    """The pairs of networks that overlap."""
    networks = [network for own in addresses.values() for network in own.networks]
    return [(a, b) for a, b in combinations(networks, 2) if a.version == b.version and a.overlaps(b)]


async def test_sites_approved_at_once_over_several_servers_get_networks_without_overlap(world, journal):
    requested = []
    for _ in range(24):
        provider, code = await world.provider()
        requested.append(await world.request(provider, code))
    other = await Database.open(journal.dsn)
    try:
        worlds = [world, HealthnetWorld(other, journal)]
        await asyncio.gather(
            *(
                worlds[number % 2].sites.decide(world.ann, site.site_id, approved=True)
                for number, site in enumerate(requested)
            )
        )
    finally:
        await other.close()
    found = await world.addresses.all()
    assert (len(found), overlaps(found)) == (24, [])
    assert {own.v6 for own in found.values()} == {world.addresses.plan.network6(n) for n in range(1, 25)}


@pytest.mark.parametrize(
    "network", ["fd5a:4c58:e540:1:8000::/65", "fd5a:4c58:e540:1::/72", "fd5a:4c58:e540::/48", "10.96.0.8/30"]
)
async def test_database_refuses_a_network_that_overlaps(world, network):
    site, _ = await world.approved()
    other, code = await world.provider()
    another = await world.request(other, code)
    assert site.site_id != another.site_id
    with pytest.raises(ExclusionViolationError):
        await world.db.fetch(
            "INSERT INTO healthnet_address VALUES ($1, $2, now(), NULL)",
            IPv4Network(network) if "." in network else IPv6Network(network),
            another.site_id,
        )


async def test_network_that_was_given_up_rests_before_another_site_gets_it(world, monkeypatch):
    site, provider = await world.approved()
    first = (await world.addresses.all())[site.site_id]
    await world.sites.end(provider, site.site_id, REASON)
    soon, _ = await world.approved()
    assert (await world.addresses.all())[soon.site_id].v6 != first.v6
    now = clock.now()
    monkeypatch.setattr(clock, "now", lambda: now + REUSE_AFTER + timedelta(hours=1))
    await world.journal.ensure_months(clock.now(), clock.now())
    late, _ = await world.approved()
    assert (await world.addresses.all())[late.site_id] == first


async def test_plan_without_a_network_left_refuses_and_leaves_the_request(db, journal):
    world = HealthnetWorld(db, journal, prefix4="10.96.0.0/24")
    await world.clear()
    for _ in range(31):
        await world.approved()
    provider, code = await world.provider()
    site = await world.request(provider, code)
    with pytest.raises(Problem, match="no addresses left"):
        await world.sites.decide(world.ann, site.site_id, approved=True)
    assert (await world.sites.find(provider, site.site_id)).state == "requested"


async def test_export_to_netbox_comes_back_as_no_change(world):
    sites = [(await world.approved())[0] for _ in range(3)]
    by_id = await world.addresses.all()
    addresses = {site.key: by_id[site.site_id] for site in sites}
    names = {site.key: site.name for site in sites}
    ids = {site.key: site.site_id for site in sites}
    for text in (to_csv(addresses, names), to_json(addresses, names)):
        assert await world.addresses.take(world.ann, parse_prefixes(text), ids) == 0


async def test_networks_of_netbox_replace_those_of_sites(world):
    site, _ = await world.approved()
    before = (await world.addresses.all())[site.site_id]
    text = f"prefix,description\nfd5a:4c58:e540:77::/64,{site.key} moved by hand\n"
    assert await world.addresses.take(world.ann, parse_prefixes(text), {site.key: site.site_id}) == 1
    after = (await world.addresses.all())[site.site_id]
    assert (after.v6, after.v4) == (IPv6Network("fd5a:4c58:e540:77::/64"), before.v4)
    assert (await world.events(site.key))[-1] == "addresses_assigned"


async def test_file_with_one_fault_changes_nothing(world):
    site, _ = await world.approved()
    other, _ = await world.approved()
    before = await world.addresses.all()
    taken = before[other.site_id].v6
    ids = {site.key: site.site_id}
    for text, place in [
        (f"prefix,description\nfd5a:4c58:e540:78::/64,{site.key}\nfd00::/64,{site.key}\n", "line 3: fd00::/64 is no /64 of"),
        (f"prefix,description\nfd5a:4c58:e540:78::/64,{site.key}\nfd5a:4c58:e540:79::/64,S99999\n", "line 3: 'S99999' is no site"),
        (f"prefix,description\n{taken},{site.key}\n", "line 2: a network of"),
    ]:  # fmt: skip
        with pytest.raises(ExchangeError, match=place.replace("/", ".")):
            await world.addresses.take(world.ann, parse_prefixes(text), ids)
        assert await world.addresses.all() == before

"""The plan, the files of NetBox and the zones, without a database."""

import json
import re
import shutil
import subprocess
from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from esante.services.healthnet.addresses.netbox import ExchangeError, parse_prefixes
from esante.services.healthnet.addresses.plan import AddressPlan, PlanExhausted
from esante.services.healthnet.addresses.zone_file import zone_files

PLAN = AddressPlan.parse("fd5a:4c58:e540::/48", "10.96.0.0/16")


@pytest.mark.parametrize(
    ("six", "four", "reason"),
    [
        ("fd00::/64", "", "take a /32 to /56"),
        ("fe80::/48", "", "take a /32 to /56"),
        ("ff00::/48", "", "take a /32 to /56"),
        ("fd00::1/48", "", "host bits set"),
        ("10.0.0.0/8", "", "write prefixes like"),
        ("fd00::/48", "8.8.8.0/24", "take a /8 to /24 of private"),
        ("fd00::/48", "10.0.0.0/30", "take a /8 to /24"),
        ("", "", "write prefixes like"),
    ],
)
def test_prefix_that_is_none_for_sites_is_refused_with_a_remedy(six, four, reason):
    with pytest.raises(ValueError, match=reason):
        AddressPlan.parse(six, four)


@given(st.lists(st.sampled_from(["next", "drop"]), max_size=40), st.randoms())
def test_next_free_networks_never_overlap(acts, made):
    taken = []
    for act in acts:
        if act == "drop" and taken:
            taken.remove(made.choice(taken))
        else:
            own = PLAN.next_free({network for one in taken for network in one.networks})
            assert all(not own.v6.overlaps(one.v6) and not own.v4.overlaps(one.v4) for one in taken)
            assert own.v6.subnet_of(PLAN.prefix6) and own.v4.subnet_of(PLAN.prefix4)
            taken.append(own)


def test_last_network_is_followed_by_none():
    small = AddressPlan.parse("fd00::/56", "")
    assert small.next_free([small.network6(number) for number in range(1, 255)]).v6 == small.network6(255)
    with pytest.raises(PlanExhausted):
        small.next_free([small.network6(number) for number in range(1, 256)])


@pytest.mark.parametrize(
    "text",
    ["fd5a:4c58:e540::/64", "10.96.0.0/29", "fd5a:4c58:e541:1::/64", "fd5a:4c58:e540:1::/65", "10.97.0.0/29", "x"],
)
def test_network_that_is_none_of_a_site_is_not_accepted(text):
    with pytest.raises(ValueError, match=r".+(: |; ).+"):
        PLAN.accept(text)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("prefix\nfd00::/64\n", "line 1: the columns prefix and description are missing"),
        ("prefix,description\n,S00001\n", "line 2: has no prefix; fill"),
        ("prefix,description\nfd00::/64,\n", "line 2: names no site; write"),
        ('prefix,description\n"fd00"x,S1\n', ": is no CSV"),
        ("{", "is no JSON"),
        ("[" * 100_000, "is no JSON"),
        ('{"a": 1}', "there is no list of prefixes; export"),
        ('{"results": [], "next": "http://x"}', "first page of several; export"),
        ('[1, {"prefix": 3, "description": "S1"}]', "results[0]: is no object"),
        ('[{"prefix": "fd00::/64", "description": ""}]', "results[0]: names no site"),
    ],
)  # fmt: skip
def test_file_that_is_none_of_netbox_is_refused_with_place_and_remedy(text, reason):
    with pytest.raises(ExchangeError, match=re.escape(reason)):
        parse_prefixes(text)


def test_site_is_found_by_description_scope_or_site_and_inactive_prefixes_are_left_out():
    rows = [
        {"prefix": "a", "description": "S00001 Practice", "scope": {"name": "other"}},
        {"prefix": "b", "description": "", "scope": {"name": "S00002"}, "status": {"value": "active"}},
        {"prefix": "c", "site": {"name": "S00003"}, "status": "active"},
        {"prefix": "d", "site": {"name": "S00004"}, "status": {"value": "deprecated"}},
    ]
    assert [(one.site, one.network) for one in parse_prefixes(json.dumps({"results": rows}))] == [
        ("S00001", "a"), ("S00002", "b"), ("S00003", "c"),
    ]  # fmt: skip


def made_zones(plan=PLAN):
    """Zones of three sites, of which two are laboratories."""
    addresses, taken = {}, set()
    for key in ("S00001", "S00002", "S00003"):
        addresses[key] = plan.next_free(taken)
        taken |= {*addresses[key].networks}
    return addresses, zone_files("healthnet.internal", 7, plan, addresses, {"results": ["S00002", "S00003"]})


def records_of(zone):
    """The records of a zone file by full name."""
    found = {}
    for line in zone.text.splitlines():
        if " IN " in line:
            name, _, type_, value = line.split(" ", 3)
            found.setdefault((zone.name if name == "@" else f"{name}.{zone.name}", type_), []).append(value)
    return found


@pytest.mark.parametrize(
    ("six", "four"),
    [
        ("fd5a:4c58:e540::/48", "10.96.0.0/16"),
        ("fd00:1::/36", "10.0.0.0/12"),
        ("fd00::/50", "192.168.4.0/22"),
        ("fd00::/48", ""),
    ],
)
def test_every_address_has_a_name_and_every_pointer_leads_back(six, four):
    addresses, (zone, *reverse) = made_zones(AddressPlan.parse(six, four))
    forward = records_of(zone)
    pointers = {name: values for one in reverse for (name, kind), values in records_of(one).items() if kind == "PTR"}
    for key, own in addresses.items():
        name = f"{key.lower()}.healthnet.internal"
        assert forward[name, "AAAA"] == [str(own.gateway6)]
        for address in filter(None, (own.gateway6, own.gateway4)):
            assert pointers[address.reverse_pointer] == [f"{name}."]
    assert {*map(ip_address, forward["results.healthnet.internal", "AAAA"])} == {
        addresses["S00002"].gateway6, addresses["S00003"].gateway6,
    }  # fmt: skip
    assert forward["results.s00002.healthnet.internal", "CNAME"] == ["s00002"]


def test_service_with_the_name_of_a_site_is_refused():
    addresses, _ = made_zones()
    with pytest.raises(ValueError, match="service s00001 has the name of a site"):
        zone_files("healthnet.internal", 7, PLAN, addresses, {"s00001": ["S00002"]})


def test_zone_files_are_accepted_by_bind(tmp_path):
    if not (checker := shutil.which("named-checkzone")):
        pytest.skip("named-checkzone is not installed: apt-get install bind9-utils")
    for zone in made_zones()[1]:
        (tmp_path / "zone").write_text(zone.text)
        done = subprocess.run(
            [checker, "-k", "fail", zone.name, tmp_path / "zone"], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout

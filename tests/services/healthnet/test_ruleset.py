"""The text for nftables: changes lead from one table to another, names of interfaces are bounded."""

from ipaddress import IPv4Network, IPv6Network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from esante.services.healthnet.addresses.model import SiteAddresses
from esante.services.healthnet.firewall.ruleset import Element, FlowSets, changes, flow_sets, ruleset
from esante.services.healthnet.policy.model import Edge, NetworkService, PortRange

OWN = SiteAddresses(IPv6Network("fd00:1::/64"), IPv4Network("10.0.0.0/29"))
NEWER = SiteAddresses(IPv6Network("fd00:2::/64"))
SERVICE = NetworkService(
    key="s",
    title="S",
    offered_by=frozenset(),
    ports=(PortRange("tcp", 1, 1), PortRange("udp", 5, 9)),
    traffic="",
    line=1,
)
elements = st.builds(
    lambda number, protocol, port: Element(IPv6Network((number << 64, 64)), protocol, port, port),
    st.integers(0, 9),
    st.sampled_from(["tcp", "udp"]),
    st.integers(1, 3),
)
flows = st.builds(FlowSets, st.frozensets(elements), st.frozensets(elements))


@given(flows, flows)
def test_changes_lead_from_one_table_to_the_other(before, after):
    sets = {name: {str(one) for one in content} for name, content in before.named()}
    for line in changes(before, after).splitlines():
        verb, word, family, table, name, brace, *rest = line.split(" ", 6)
        assert (word, family, table, brace) == ("element", "inet", "healthnet", "{")
        named = set(rest[0].removesuffix(" }").split(", "))
        if verb == "delete":
            assert named <= sets[name]
            sets[name] -= named
        else:
            assert not named & sets[name]
            sets[name] |= named
    assert sets == {name: {str(one) for one in content} for name, content in after.named()}


def test_no_change_is_no_input():
    assert changes(FlowSets(), FlowSets()) == ""


def test_site_without_ipv4_has_flows_over_ipv6_only():
    edges = [Edge("own", "newer", "s", "r"), Edge("newer", "own", "s", "r")]
    sets = flow_sets("own", edges, {"s": SERVICE}, {"own": OWN, "newer": NEWER})
    assert {str(one) for one in sets.outgoing} == {"fd00:2::/64 . tcp . 1", "fd00:2::/64 . udp . 5-9"}
    assert sets.incoming == sets.outgoing
    assert "10.0.0" not in ruleset(NEWER, sets)


@pytest.mark.parametrize("name", ["", 'hn0" accept', "hn0; flush", "a" * 16, "HN0", "0hn"])
def test_name_that_no_interface_has_is_refused(name):
    with pytest.raises(ValueError, match="is no name of an interface"):
        ruleset(OWN, FlowSets(), name)

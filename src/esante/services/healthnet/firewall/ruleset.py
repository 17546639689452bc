"""Rules of nftables for the gateway of a site: default deny, sets of flows that edges allow, and their changes.

Every packet is compared with the sets, those of established connections too: a flow ends with its edge, in both
directions, and not with the connection. Connection tracking only tells replies from new connections. Source (egress)
and target (ingress) enforce the same edges, so that one gateway in wrong hands opens nothing.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network
from typing import NamedTuple

from esante.services.healthnet.addresses.model import SiteAddresses
from esante.services.healthnet.policy.model import Edge, NetworkService

TABLE = "inet healthnet"
PROBE_PORT = 51829
"""The UDP port at which agents measure paths to each other, from gateway to gateway."""
TUNNEL_PORTS = "51820-51823"
"""The UDP ports of WireGuard."""
_INTERFACE = re.compile(r"[a-z][a-z0-9]{0,14}")


class Element(NamedTuple):
    """An element of a set: the network at the other end, protocol, and ports of the service."""

    network: IPv4Network | IPv6Network
    protocol: str
    first: int
    last: int

    def __str__(self) -> str:
        ports = f"{self.first}" if self.first == self.last else f"{self.first}-{self.last}"
        return f"{self.network} . {self.protocol} . {ports}"


@dataclass(frozen=True, slots=True)
class FlowSets:
    """The sets of a site: `incoming` flows (who may reach its services) and `outgoing` ones (what it may reach)."""

    incoming: frozenset[Element] = frozenset()
    outgoing: frozenset[Element] = frozenset()

    def named(self) -> Iterator[tuple[str, frozenset[Element]]]:
        """Yield the name of each set of the table and its elements."""
        for name, elements in (("incoming", self.incoming), ("outgoing", self.outgoing)):
            for version in (4, 6):
                yield f"{name}{version}", frozenset(one for one in elements if one.network.version == version)


def flow_sets(
    site: str,
    edges: Iterable[Edge],
    services: Mapping[str, NetworkService],
    addresses: Mapping[str, SiteAddresses],
) -> FlowSets:
    """Return the sets of a site for its edges. Raises: KeyError for an edge with a site that has no addresses."""
    incoming: set[Element] = set()
    outgoing: set[Element] = set()
    own = addresses[site]
    for edge in edges:
        is_incoming = edge.target == site
        other = addresses[edge.source if is_incoming else edge.target]
        into = incoming if is_incoming else outgoing
        for port in services[edge.service].ports:
            into.add(Element(other.v6, port.protocol, port.first, port.last))
            if other.v4 and own.v4:
                into.add(Element(other.v4, port.protocol, port.first, port.last))
    return FlowSets(frozenset(incoming), frozenset(outgoing))


def ruleset(own: SiteAddresses, sets: FlowSets, interface: str = "hn0") -> str:
    """Return the whole table of a site as input of `nft -f -`, which replaces the one before in one transaction.

    Beside flows of edges it lets pass, by sets that are empty here: packets of tunnels that others relay (`carried6`:
    the addresses at their other ends), and those of others that this site relays (`relayed6`: pairs of addresses).
    Both are encrypted for their other end, where the flows inside are compared with the sets.
    Raises: ValueError for a name that no interface has.
    """
    if not _INTERFACE.fullmatch(interface):
        raise ValueError(f"{interface!r} is no name of an interface: small letters and digits, at most 15")
    declared = "\n".join(_set(name, elements) for name, elements in sets.named())
    gateway, end = own.gateway6, own.relay6
    probes = f"udp sport {PROBE_PORT} udp dport {PROBE_PORT}"
    tunnels = f"udp sport {TUNNEL_PORTS} udp dport {TUNNEL_PORTS}"
    own4 = f"\n        ip daddr {own.v4} jump incoming_v4" if own.v4 else ""
    from4 = f"\n        ip saddr {own.v4} jump outgoing_v4" if own.v4 else ""
    return f"""\
table {TABLE}
delete table {TABLE}
table {TABLE} {{
{declared}
    set carried6 {{
        type ipv6_addr
    }}
    set relayed6 {{
        type ipv6_addr . ipv6_addr
    }}
    chain incoming {{
        ct state invalid drop
        ct state related meta l4proto {{ icmp, ipv6-icmp }} accept
        ip6 daddr {gateway} {probes} limit rate 1000/second burst 1000 packets accept
        ip6 daddr {end} ip6 saddr @carried6 {tunnels} accept
        ip6 daddr {own.v6} jump incoming_v6{own4}
        counter drop
    }}
    chain incoming_v6 {{
        ct direction original ip6 saddr . meta l4proto . th dport @incoming6 accept
        ct direction reply ct state established ip6 saddr . meta l4proto . th sport @outgoing6 accept
    }}
    chain incoming_v4 {{
        ct direction original ip saddr . meta l4proto . th dport @incoming4 accept
        ct direction reply ct state established ip saddr . meta l4proto . th sport @outgoing4 accept
    }}
    chain outgoing {{
        ct state invalid drop
        ct state related meta l4proto {{ icmp, ipv6-icmp }} accept
        ip6 saddr {gateway} {probes} accept
        ip6 saddr {end} ip6 daddr @carried6 {tunnels} accept
        ip6 saddr {own.v6} jump outgoing_v6{from4}
        counter reject with icmpx admin-prohibited
    }}
    chain outgoing_v6 {{
        ct direction original ip6 daddr . meta l4proto . th dport @outgoing6 accept
        ct direction reply ct state established ip6 daddr . meta l4proto . th sport @incoming6 accept
    }}
    chain outgoing_v4 {{
        ct direction original ip daddr . meta l4proto . th dport @outgoing4 accept
        ct direction reply ct state established ip daddr . meta l4proto . th sport @incoming4 accept
    }}
    chain input {{
        type filter hook input priority filter; policy accept;
        iifname "{interface}" jump incoming
    }}
    chain output {{
        type filter hook output priority filter; policy accept;
        oifname "{interface}" jump outgoing
    }}
    chain forward {{
        type filter hook forward priority filter; policy accept;
        iifname "{interface}" oifname "{interface}" ip6 saddr . ip6 daddr @relayed6 {tunnels} accept
        iifname "{interface}" oifname "{interface}" counter drop
        iifname "{interface}" jump incoming
        oifname "{interface}" jump outgoing
    }}
}}
"""


def changes(before: FlowSets, after: FlowSets) -> str:
    """Return what makes the sets of a table those of `after`, as input of `nft -f -`; empty when they are the same."""
    lines = []
    for (name, old), (_, new) in zip(before.named(), after.named(), strict=True):
        for verb, elements in (("delete", old - new), ("add", new - old)):
            if elements:
                lines.append(f"{verb} element {TABLE} {name} {{ {_joined(elements)} }}\n")
    return "".join(lines)


def _set(name: str, elements: frozenset[Element]) -> str:
    kind = "ipv4_addr" if name.endswith("4") else "ipv6_addr"
    content = f"\n        elements = {{ {_joined(elements)} }}" if elements else ""
    return f"""\
    set {name} {{
        type {kind} . inet_proto . inet_service
        flags interval{content}
    }}"""


def _joined(elements: Iterable[Element]) -> str:
    return ", ".join(str(one) for one in sorted(elements))

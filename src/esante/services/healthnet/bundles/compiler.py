"""Compile what a site gets: parts of a bundle from its addresses, keys and edges.

**Tunnels.** A site has a key pair for each generation, two of them for the time of a rotation. Two sites have a tunnel
for each pair of generations, so a new key gets tunnels of its own while those of the old one still carry traffic. The
interface of a tunnel is `hn` and `2 * (own generation % 2) + (own + other generation) % 2`: tunnels to one site never
share an interface, which WireGuard needs, as an interface knows one peer for an address.

**Relays.** Two sites that are both behind routers which translate addresses cannot reach each other. Their tunnel runs
inside their tunnels with a relay, between addresses that they have for that: the relay forwards packets that it cannot
read, and only those of pairs that have an edge.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import Any

from cryptography.hazmat.primitives.ciphers.aead import AESSIV

from esante.services.healthnet.addresses.model import SiteAddresses
from esante.services.healthnet.bundles.format import Parts
from esante.services.healthnet.bundles.secrets import Secrets, seal
from esante.services.healthnet.firewall.ruleset import PROBE_PORT, FlowSets, ruleset
from esante.services.healthnet.policy.model import Edge, NetworkService

NOTHING: Mapping[str, Any] = MappingProxyType({})
BASE_PORT = 51820
"""The UDP port of the interface hn0; those of hn1 to hn3 follow."""
KEEPALIVE = 25
"""Seconds between packets that keep the mapping of a router in front of a site open."""
TRAFFIC_SHARES = {"emergency": (1, 30), "clinical": (2, 40), "administrative": (3, 20), "bulk": (4, 10)}
"""Priority of each class of traffic (1 is served first), and the percentage of the bandwidth that it is sure of."""


@dataclass(frozen=True, kw_only=True)
class ConnectedSite:
    """A site as far as bundles are concerned.

    `endpoint`: the address at which others reach it from the Internet, "" behind a router that translates addresses.
    `keys`: WireGuard public keys (base64) by generation. `token_id`: that of the token with which it enrolled, None
    before.
    """

    key: str
    addresses: SiteAddresses
    endpoint: str = ""
    rate_kbit: int = 100_000
    mtu: int = 1420
    keys: Mapping[int, str] = field(default_factory=dict)
    sealing_key: bytes = b""
    is_relay: bool = False

    @cached_property
    def networks(self) -> list[str]:
        """Its networks as texts."""
        own = self.addresses
        return [str(own.v6)] + ([str(own.v4)] if own.v4 else [])

    @cached_property
    def table(self) -> str:
        """Its table of nftables without elements, for all of its interfaces."""
        return ruleset(self.addresses, FlowSets(), "hn0").replace('"hn0"', '"hn*"')

    @cached_property
    def relay_address(self) -> str:
        """The address at which its relayed tunnels end."""
        return str(self.addresses.relay6)

    @cached_property
    def gateways(self) -> list[str]:
        """The addresses of its gateway."""
        own = self.addresses
        return [str(own.gateway6)] + ([str(own.gateway4)] if own.v4 else [])


def interface_of(own: int, other: int) -> int:
    """Return the number of the interface of a tunnel for the generations of its ends."""
    return 2 * (own % 2) + (own + other) % 2


@dataclass(frozen=True, kw_only=True)
class Compiler:
    """Compiles parts; `trusted` are the keys whose signatures agents accept, `zone` ends the names of sites."""

    services: Mapping[str, NetworkService]
    sites: Mapping[str, ConnectedSite]
    secrets: Secrets
    trusted: Mapping[str, Mapping[str, str]]
    zone: str = "healthnet.internal"
    check_service: str = ""
    """The service by which an agent checks that a new bundle did not cut it off; "": the first one that it reaches."""

    def parts(
        self,
        key: str,
        edges: Iterable[Edge],
        relayed: Mapping[str, str] = NOTHING,
        clients: Mapping[str, frozenset[str]] = NOTHING,
    ) -> Parts:
        """Return the parts of a site's bundle for its edges.

        `relayed`: the site that relays the tunnel with another one; `clients`: sites whose tunnels this one relays,
        with those at the other ends. Raises: KeyError for an unknown site.
        """
        site, edges = self.sites[key], sorted(edges)
        others = sorted({edge.source if edge.target == key else edge.target for edge in edges})
        peers = dict(self._peers(site, others, relayed, clients))
        parts: Parts = {
            "site": {
                "addresses": site.gateways,
                "networks": site.networks,
                "mtu": site.mtu,
                "rate_kbit": site.rate_kbit,
                "zone": self.zone,
                "probe_port": PROBE_PORT,
                **({"relay_address": site.relay_address} if relayed else {}),
            },
            "interfaces": {
                f"hn{number}": {"generation": generation, "port": BASE_PORT + number}
                for generation in site.keys
                for number in (2 * (generation % 2), 2 * (generation % 2) + 1)
                if any(peer["interface"] == f"hn{number}" for peer in peers.values())
            },
            "peers": peers,
            "firewall": {"table": site.table},
            **self._elements(site, edges),
            "carried6": {self.sites[other].relay_address: 1 for other in relayed},
            "relayed6": {
                f"{self.sites[one].relay_address} . {self.sites[other].relay_address}": 1
                for one, others_of in clients.items()
                for other in others_of
            },
            "classes": self._classes({edge.service for edge in edges}),
            "names": {f"{other}.{self.zone}".lower(): self.sites[other].gateways for other in [key, *others]},
            "checks": self._checks(site, edges),
            "trusted": dict(self.trusted),
        }
        return {section: values for section, values in parts.items() if values}

    def _peers(
        self,
        site: ConnectedSite,
        neighbours: list[str],
        relayed: Mapping[str, str],
        clients: Mapping[str, frozenset[str]],
    ) -> Iterator[tuple[str, dict[str, object]]]:
        """Yield tunnels: with sites that there are edges with, with own relays, with sites that this one relays."""
        sealer = AESSIV(site.sealing_key) if site.sealing_key else None
        carries: dict[str, list[str]] = {client: [self.sites[client].relay_address] for client in clients}
        for partner, relay in relayed.items():
            carries.setdefault(relay, []).append(self.sites[partner].relay_address)
        direct = {*neighbours}
        for name in sorted(direct | carries.keys()) if carries else neighbours:
            other = self.sites[name]
            for own_generation in site.keys:
                for generation, public in other.keys.items():
                    number = interface_of(own_generation, generation)
                    peer: dict[str, object] = {
                        "interface": f"hn{number}",
                        "key": public,
                        "networks": other.networks if name in direct else [],
                        "keepalive": KEEPALIVE,
                    }
                    if name in carries:
                        peer["carries"] = sorted(carries[name])
                    if name in relayed:
                        peer["relay"] = relayed[name]
                    if end := other.relay_address if name in relayed else other.endpoint:
                        port = BASE_PORT + interface_of(generation, own_generation)
                        peer["endpoint"] = f"[{end}]:{port}" if ":" in end else f"{end}:{port}"
                    tunnel = f"{name}/{own_generation}.{generation}"
                    if sealer:
                        shared = self.secrets.pre_shared_key((site.key, own_generation), (name, generation))
                        peer["psk"] = seal(sealer, tunnel, shared)
                    yield tunnel, peer

    @cached_property
    def _ports(self) -> dict[str, list[str]]:
        """The ends of elements of sets for each service: protocol and ports."""
        return {
            key: [
                f" . {port.protocol} . {port.first}" + ("" if port.first == port.last else f"-{port.last}")
                for port in service.ports
            ]
            for key, service in self.services.items()
        }

    def _elements(self, site: ConnectedSite, edges: Iterable[Edge]) -> Parts:
        """Return the elements of the sets of the table, as `firewall.ruleset.flow_sets` has them, as texts.

        Elements of a whole country as objects of networks would cost seconds.
        """
        found: Parts = {name: {} for name in ("incoming4", "incoming6", "outgoing4", "outgoing6")}
        for edge in edges:
            is_incoming = edge.target == site.key
            direction = "incoming" if is_incoming else "outgoing"
            networks = self.sites[edge.source if is_incoming else edge.target].networks
            for network, version in zip(networks[: len(site.networks)], ("6", "4"), strict=False):
                into = found[direction + version]
                for port in self._ports[edge.service]:
                    into[network + port] = 1
        return found

    def _classes(self, services: Iterable[str]) -> dict[str, dict[str, object]]:
        ports: dict[str, set[str]] = {}
        for key in services:
            service = self.services[key]
            ports.setdefault(service.traffic, set()).update(str(port) for port in service.ports)
        found: dict[str, dict[str, object]] = {}
        for name in sorted(ports):
            priority, percentage = TRAFFIC_SHARES.get(name, TRAFFIC_SHARES["administrative"])
            found[name] = {"priority": priority, "percentage": percentage, "ports": sorted(ports[name])}
        return found

    def _checks(self, site: ConnectedSite, edges: Iterable[Edge]) -> dict[str, dict[str, object]]:
        for edge in edges:
            if edge.source == site.key and self.check_service in ("", edge.service):
                for port in self.services[edge.service].ports:
                    if port.protocol == "tcp" and self.sites[edge.target].keys:
                        return {"target": {"address": self.sites[edge.target].gateways[0], "port": port.first}}
        return {}

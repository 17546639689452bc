"""Compile what a site gets: parts of a bundle from its addresses, keys and edges.

**Tunnels.** A site has a key pair for each generation, two of them for the time of a rotation. Two sites have a tunnel
for each pair of generations, so a new key gets tunnels of its own while those of the old one still carry traffic. The
interface of a tunnel is `hn` and `2 * (own generation % 2) + (own + other generation) % 2`: tunnels to one site never
share an interface, which WireGuard needs, as an interface knows one peer for an address.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from cryptography.hazmat.primitives.ciphers.aead import AESSIV

from esante.services.healthnet.addresses.model import SiteAddresses
from esante.services.healthnet.bundles.format import Parts
from esante.services.healthnet.bundles.secrets import Secrets, seal
from esante.services.healthnet.firewall.ruleset import FlowSets, ruleset
from esante.services.healthnet.policy.model import Edge, NetworkService

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

    @cached_property
    def networks(self) -> list[str]:
        """Its networks as texts."""
        own = self.addresses
        return [str(own.v6)] + ([str(own.v4)] if own.v4 else [])

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

    def parts(self, key: str, edges: Iterable[Edge]) -> Parts:
        """Return the parts of a site's bundle for its edges. Raises: KeyError for an edge with an unknown site."""
        site, edges = self.sites[key], sorted(edges)
        others = sorted({edge.source if edge.target == key else edge.target for edge in edges})
        peers = dict(self._peers(site, others))
        parts: Parts = {
            "site": {
                "addresses": site.gateways,
                "networks": site.networks,
                "mtu": site.mtu,
                "rate_kbit": site.rate_kbit,
                "zone": self.zone,
            },
            "interfaces": {
                f"hn{number}": {"generation": generation, "port": BASE_PORT + number}
                for generation in site.keys
                for number in (2 * (generation % 2), 2 * (generation % 2) + 1)
                if any(peer["interface"] == f"hn{number}" for peer in peers.values())
            },
            "peers": peers,
            "firewall": {"table": _table(site)},
            **self._elements(site, edges),
            "classes": self._classes({edge.service for edge in edges}),
            "names": {f"{other}.{self.zone}".lower(): self.sites[other].gateways for other in [key, *others]},
            "checks": self._checks(site, edges),
            "trusted": dict(self.trusted),
        }
        return {section: values for section, values in parts.items() if values}

    def _peers(self, site: ConnectedSite, others: Iterable[str]) -> Iterator[tuple[str, dict[str, object]]]:
        sealer = AESSIV(site.sealing_key) if site.sealing_key else None
        for name in others:
            other = self.sites[name]
            for own_generation in site.keys:
                for generation, public in other.keys.items():
                    number = interface_of(own_generation, generation)
                    peer: dict[str, object] = {
                        "interface": f"hn{number}",
                        "key": public,
                        "networks": other.networks,
                        "keepalive": KEEPALIVE,
                    }
                    if other.endpoint:
                        port = BASE_PORT + interface_of(generation, own_generation)
                        host = f"[{other.endpoint}]" if ":" in other.endpoint else other.endpoint
                        peer["endpoint"] = f"{host}:{port}"
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


def _table(site: ConnectedSite) -> str:
    """Return the table of a site without elements, for all of its interfaces."""
    return ruleset(site.addresses, FlowSets(), "hn0").replace('"hn0"', '"hn*"')

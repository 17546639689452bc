"""Zones of the private names of the network, as zone files (RFC 1035, section 5; RFC 3596 for IPv6). Pure.

`<site>.<zone>` is the gateway of a site, `<service>.<site>.<zone>` a service there, `<service>.<zone>` all sites that
offer it. The name server is the first address of network number 0.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address

from esante.services.healthnet.addresses.model import SiteAddresses
from esante.services.healthnet.addresses.plan import AddressPlan

TTL = 300
"""Seconds: a site that moved is found again within five minutes."""


@dataclass(frozen=True, slots=True)
class ZoneFile:
    """A zone: its name without the last dot, and the text of its file."""

    name: str
    text: str


def zone_files(
    zone: str,
    serial: int,
    plan: AddressPlan,
    addresses: Mapping[str, SiteAddresses],
    offered: Mapping[str, Sequence[str]],
) -> list[ZoneFile]:
    """Return the zone and its reverse zones. `offered`: the keys of the sites that offer each service.

    `serial`: larger than the one before, at most 32 bits.
    Raises: ValueError for a service that has the name of a site.
    """
    server6 = plan.network6(0)[1]
    server4 = plan.network4(0)[1] if plan.prefix4 else None
    names: dict[str, list[IPv6Address | IPv4Address]] = {"ns": [server6, *([server4] if server4 else [])]}
    for key, own in addresses.items():
        names[key.lower()] = [own.gateway6, *([own.gateway4] if own.gateway4 else [])]
    if clash := sorted(names.keys() & offered.keys()):
        raise ValueError(
            f"service {clash[0]} has the name of a site or name server: give it another key in the policy"
        )
    forward = [*_address_records(names.items())]
    for service, keys in sorted(offered.items()):
        sites = [key.lower() for key in sorted(keys) if key in addresses]
        forward += [f"{service}.{site} IN CNAME {site}" for site in sites]
        forward += _address_records((service, names[site]) for site in sites)
    files = [ZoneFile(zone, _file(zone, zone, serial, forward))]
    pointers: dict[str, list[str]] = {name: [] for name in _reverse_zones(plan)}
    for name, found in sorted(names.items()):
        for address in found:
            pointer = address.reverse_pointer
            owner = next(one for one in pointers if pointer.endswith(f".{one}"))
            pointers[owner].append(f"{pointer.removesuffix(f'.{owner}')} IN PTR {name}.{zone}.")
    return [*files, *(ZoneFile(name, _file(name, zone, serial, lines)) for name, lines in pointers.items() if lines)]


def _address_records(named: Iterable[tuple[str, Sequence[IPv6Address | IPv4Address]]]) -> list[str]:
    return [
        f"{name} IN {'AAAA' if address.version == 6 else 'A'} {address}" for name, found in named for address in found
    ]


def _reverse_zones(plan: AddressPlan) -> list[str]:
    """Return the names of the reverse zones: at limits of four bits of the IPv6 prefix, of eight of the IPv4 one."""
    six = plan.prefix6.supernet(new_prefix=plan.prefix6.prefixlen - plan.prefix6.prefixlen % 4)
    found = [".".join(six.network_address.reverse_pointer.split(".")[32 - six.prefixlen // 4 :])]
    if plan.prefix4:
        bits = -(-plan.prefix4.prefixlen // 8) * 8
        found += [_reverse4(one) for one in plan.prefix4.subnets(new_prefix=bits)]
    return found


def _reverse4(network: IPv4Network) -> str:
    return ".".join(network.network_address.reverse_pointer.split(".")[4 - network.prefixlen // 8 :])


def _file(name: str, zone: str, serial: int, records: Sequence[str]) -> str:
    head = (
        f"$ORIGIN {name}.\n$TTL {TTL}\n"
        f"@ IN SOA ns.{zone}. hostmaster.{zone}. {serial} 3600 600 604800 {TTL}\n@ IN NS ns.{zone}.\n"
    )
    return head + "".join(f"{record}\n" for record in records)

"""Which addresses the platform may call: each time the host name is resolved, and every address checked.

The caller connects to an address that was checked here, never to the name, so that a name that resolves to another
address later (DNS rebinding) has no effect.
"""

import asyncio
import socket
import tomllib
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from esante.core.dated_data import packaged_text

Network = IPv4Network | IPv6Network
IPAddress = IPv4Address | IPv6Address
RESOLVE_SECONDS = 10.0
"""Seconds that the resolution of a name may take."""
_NAT64 = ip_network("64:ff9b::/96")
_GLOBAL_UNICAST = ip_network("2000::/3")
"""The only part of IPv6 with addresses on the internet (IANA, IPv6 address space; RFC 4291, section 2.4). Site-local
addresses (fec0::/10, RFC 3879) are not in it: they mean a network of one's own."""
_ISATAP = (bytes.fromhex("00005efe"), bytes.fromhex("02005efe"))
"""The third quarter of an IPv6 address whose last quarter is an IPv4 one, in any network (RFC 5214, section 6.1)."""
_resolvers = ThreadPoolExecutor(8, thread_name_prefix="resolve")
"""Threads of their own: a name server of a client that answers slowly must not hold up the other work in threads."""


class AddressNotAllowed(Exception):
    """The host has no address, or one that may not be called; clients cannot distinguish the two."""


class AddressPolicy:
    """Allows addresses on the public internet but in refused networks (data/networks.toml), and in `allowed` ones."""

    def __init__(self, allowed: Iterable[Network] = ()) -> None:
        self._allowed, self._refused = tuple(allowed), refused_networks()

    async def resolve(self, scheme: str, host: str, port: int) -> list[IPAddress]:
        """Return the addresses of a host.

        Raises: `AddressNotAllowed` when it has none, or when any of them is not allowed.
        """
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(RESOLVE_SECONDS):
                found = await loop.run_in_executor(_resolvers, look_up, host, port)
            addresses = list(dict.fromkeys(map(ip_address, found)))
        except (OSError, ValueError) as error:  # no such name, no name at all, or no answer in time
            raise AddressNotAllowed from error
        if not addresses or not all(self.allows(address, scheme) for address in addresses):
            raise AddressNotAllowed
        return addresses

    def allows(self, address: IPAddress, scheme: str) -> bool:
        """Return whether an address may be called; plain HTTP only to an allowed loopback address."""
        destinations = _destinations(address)
        if _within(destinations[0], self._allowed):
            return scheme == "https" or destinations[0].is_loopback
        return scheme == "https" and all(_is_public(one) and not _within(one, self._refused) for one in destinations)


@cache
def refused_networks() -> tuple[Network, ...]:
    """Return the networks that are refused though they are on the public internet."""
    return parse_networks(" ".join(tomllib.loads(packaged_text("esante.core.outbound", "networks.toml"))["refused"]))


def parse_networks(text: str) -> tuple[Network, ...]:
    """Parse networks in CIDR notation, separated by spaces. Raises: ValueError for anything else."""
    return tuple(ip_network(part) for part in text.split())


def look_up(host: str, port: int) -> list[str]:
    """Return the addresses of a host. Raises: OSError, UnicodeError."""
    return [str(info[4][0]) for info in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]


def _destinations(address: IPAddress) -> Sequence[IPAddress]:
    """Return the addresses that packets may reach: some addresses embed another one, to which a gateway forwards."""
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            return [address.ipv4_mapped]
        if address in _NAT64:
            return [IPv4Address(address.packed[-4:])]
        if address.sixtofour is not None:
            return [address, address.sixtofour]
        if address.teredo is not None:
            return [address, *address.teredo]
        if address.packed[8:12] in _ISATAP:
            return [address, IPv4Address(address.packed[-4:])]
    return [address]


def _is_public(address: IPAddress) -> bool:
    if isinstance(address, IPv6Address) and address not in _GLOBAL_UNICAST:
        return False
    return address.is_global and not (address.is_multicast or address.is_reserved or address.is_unspecified)


def _within(address: IPAddress, networks: Iterable[Network]) -> bool:
    return any(
        isinstance(network, IPv4Network if address.version == 4 else IPv6Network) and address in network
        for network in networks
    )

"""Which addresses notifications may be sent to: each time the host name is resolved, and every address checked.

The caller connects to an address that was checked here, never to the name, so that a name that resolves to another
address later (DNS rebinding) has no effect.
"""

import asyncio
import socket
from collections.abc import Iterable, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from esante.services.subscriptions.model import Endpoint
from esante.services.subscriptions.policy import Network

Address = IPv4Address | IPv6Address
_NAT64 = ip_network("64:ff9b::/96")


class EndpointNotAllowed(Exception):
    """The endpoint has no address, or one that nothing may be sent to; clients cannot distinguish the two."""


class EndpointPolicy:
    """Allows addresses on the public internet but in `refused` networks, and those in `allowed` networks."""

    def __init__(self, allowed: Iterable[Network] = (), refused: Iterable[Network] = ()) -> None:
        self._allowed, self._refused = tuple(allowed), tuple(refused)

    async def resolve(self, endpoint: Endpoint) -> list[Address]:
        """Return the addresses of an endpoint.

        Raises: `EndpointNotAllowed` when it has none, or when any of them is not allowed.
        """
        loop = asyncio.get_running_loop()
        try:
            infos = await loop.getaddrinfo(endpoint.host, endpoint.port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            raise EndpointNotAllowed from error
        addresses = list(dict.fromkeys(ip_address(str(info[4][0])) for info in infos))
        if not addresses or not all(self.allows(address, endpoint.scheme) for address in addresses):
            raise EndpointNotAllowed
        return addresses

    def allows(self, address: Address, scheme: str) -> bool:
        """Return whether notifications may be sent to an address; plain HTTP only to an allowed loopback address."""
        destinations = _destinations(address)
        if _within(destinations[0], self._allowed):
            return scheme == "https" or destinations[0].is_loopback
        return scheme == "https" and all(_is_public(one) and not _within(one, self._refused) for one in destinations)


def _destinations(address: Address) -> Sequence[Address]:
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
    return [address]


def _is_public(address: Address) -> bool:
    return address.is_global and not (address.is_multicast or address.is_reserved or address.is_unspecified)


def _within(address: Address, networks: Iterable[Network]) -> bool:
    return any(
        isinstance(network, IPv4Network if address.version == 4 else IPv6Network) and address in network
        for network in networks
    )

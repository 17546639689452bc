"""Where a notification may go: names are looked up and every address is looked at, each time anew.

The caller connects to an address that was looked at here, never to the name: so a name that means another address a
moment later (DNS rebinding) leads nowhere.
"""

import asyncio
import socket
from collections.abc import Iterable, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from esante.services.subscriptions.model import Endpoint
from esante.services.subscriptions.policy import Network

Address = IPv4Address | IPv6Address
_NAT64 = ip_network("64:ff9b::/96")


class NotAllowed(Exception):
    """The endpoint has no address, or one that nothing may be sent to: which of both, nobody is told."""


class Gate:
    """Lets through what is on the public internet, and `allowed` networks beside it, without `refused` ones."""

    def __init__(self, allowed: Iterable[Network] = (), refused: Iterable[Network] = ()) -> None:
        self._allowed, self._refused = tuple(allowed), tuple(refused)

    async def addresses(self, endpoint: Endpoint) -> list[Address]:
        """The addresses of an endpoint; raises `NotAllowed` when a single one of them may not be sent to."""
        loop = asyncio.get_running_loop()
        try:
            found = await loop.getaddrinfo(endpoint.host, endpoint.port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            raise NotAllowed from error
        addresses = list(dict.fromkeys(ip_address(str(info[4][0])) for info in found))
        if not addresses or not all(self.passes(address, endpoint.scheme) for address in addresses):
            raise NotAllowed
        return addresses

    def passes(self, address: Address, scheme: str) -> bool:
        """Whether notifications may be sent to an address; without TLS to this machine only, where it is allowed."""
        meant = _meant(address)
        if _within(meant[0], self._allowed):
            return scheme == "https" or meant[0].is_loopback
        return scheme == "https" and all(_is_public(one) and not _within(one, self._refused) for one in meant)


def _meant(address: Address) -> Sequence[Address]:
    """Where what is sent to an address arrives: some carry another one inside, to which a gateway sends on."""
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

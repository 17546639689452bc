"""The address plan: which networks sites get of the prefixes of the network. Pure.

IPv6 comes first: every site has a network of 64 bits of a ULA prefix (RFC 4193) or of one that the agency holds. The
IPv4 network of 8 addresses is an overlay for equipment that knows no IPv6. Network number 0 is that of the platform's
own name servers.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import ClassVar

from esante.services.healthnet.addresses.model import SiteAddresses

REUSE_AFTER = timedelta(days=30)
"""How long networks that were given up are given to nobody: longer than names and sets of flows are kept anywhere."""
_UNIQUE_LOCAL, _GLOBAL = IPv6Network("fc00::/7"), IPv6Network("2000::/3")


class PlanExhausted(Exception):
    """The plan has no network left."""


@dataclass(frozen=True, slots=True)
class AddressPlan:
    """The prefixes of the network; `prefix4` None: without IPv4."""

    BITS6: ClassVar[int] = 64
    BITS4: ClassVar[int] = 29

    prefix6: IPv6Network
    prefix4: IPv4Network | None

    @classmethod
    def parse(cls, prefix6: str, prefix4: str) -> "AddressPlan":
        """Return the plan of two prefixes as settings have them; empty `prefix4`: without IPv4.

        Raises: ValueError with the remedy.
        """
        try:
            six, four = IPv6Network(prefix6), IPv4Network(prefix4) if prefix4 else None
        except ValueError as error:
            raise ValueError(f"{error}: write prefixes like fd12:3456:789a::/48 and 10.96.0.0/16") from error
        if not 32 <= six.prefixlen <= 56 or not (six.subnet_of(_UNIQUE_LOCAL) or six.subnet_of(_GLOBAL)):
            raise ValueError(f"{six} is no prefix for sites: take a /32 to /56 of fd00::/8, or of the agency's own")
        if four and (not 8 <= four.prefixlen <= 24 or not four.is_private):
            raise ValueError(f"{four} is no prefix for sites: take a /8 to /24 of private IPv4 addresses")
        return cls(six, four)

    def network6(self, number: int) -> IPv6Network:
        """Return the IPv6 network with a number. Raises: PlanExhausted beyond the prefix."""
        if not 0 <= number < 1 << (self.BITS6 - self.prefix6.prefixlen):
            raise PlanExhausted(f"{self.prefix6} has no network {number}")
        return IPv6Network((int(self.prefix6.network_address) + (number << (128 - self.BITS6)), self.BITS6))

    def network4(self, number: int) -> IPv4Network:
        """Return the IPv4 network with a number. Raises: PlanExhausted beyond the prefix, or without IPv4."""
        if self.prefix4 is None or not 0 <= number < 1 << (self.BITS4 - self.prefix4.prefixlen):
            raise PlanExhausted(f"{self.prefix4} has no network {number}")
        return IPv4Network((int(self.prefix4.network_address) + (number << (32 - self.BITS4)), self.BITS4))

    def next_free(self, taken: Collection[IPv6Network | IPv4Network]) -> SiteAddresses:
        """Return the first networks after number 0 that are not taken. Raises: PlanExhausted."""
        number = 1
        while self.network6(number) in taken:
            number += 1
        if self.prefix4 is None:
            return SiteAddresses(self.network6(number))
        number4 = 1
        while self.network4(number4) in taken:
            number4 += 1
        return SiteAddresses(self.network6(number), self.network4(number4))

    def accept(self, text: str) -> IPv6Network | IPv4Network:
        """Return a network of a site that somebody else chose. Raises: ValueError with the remedy."""
        try:
            found = ip_network(text)
        except ValueError as error:
            raise ValueError(f"{text[:60]!r} is no network: write fd12:3456:789a:1::/64 or 10.96.0.8/29") from error
        prefix, bits = (self.prefix6, self.BITS6) if isinstance(found, IPv6Network) else (self.prefix4, self.BITS4)
        if prefix is None or found.prefixlen != bits or not found.subnet_of(prefix):  # type: ignore[arg-type]
            raise ValueError(
                f"{found} is no /{bits} of {prefix or 'the plan, which has no IPv4'}: mend it or the plan"
            )
        if int(found.network_address) == int(prefix.network_address):
            raise ValueError(f"{found} belongs to the name servers of the platform: take another")
        return found

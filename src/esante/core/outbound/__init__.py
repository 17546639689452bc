"""Calls of the platform to addresses that others name."""

from esante.core.outbound.address_policy import AddressNotAllowed, AddressPolicy, IPAddress, Network, parse_networks
from esante.core.outbound.checked_transport import CheckedTransport

__all__ = ["AddressNotAllowed", "AddressPolicy", "CheckedTransport", "IPAddress", "Network", "parse_networks"]

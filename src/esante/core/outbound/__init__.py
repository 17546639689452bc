"""Calls of the platform to addresses that others name."""

from esante.core.outbound.address_policy import AddressNotAllowed, AddressPolicy, IPAddress, Network, parse_networks

__all__ = ["AddressNotAllowed", "AddressPolicy", "IPAddress", "Network", "parse_networks"]

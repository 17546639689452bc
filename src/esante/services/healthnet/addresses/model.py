"""Types and events of the address plan."""

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

from esante.core.journal import Event, event


@dataclass(frozen=True, slots=True)
class SiteAddresses:
    """The networks of a site: an IPv6 network of 64 bits, and an IPv4 network where equipment needs one."""

    v6: IPv6Network
    v4: IPv4Network | None = None

    @property
    def networks(self) -> tuple[IPv6Network | IPv4Network, ...]:
        """The networks, the one of IPv6 first."""
        return (self.v6, self.v4) if self.v4 else (self.v6,)

    @property
    def gateway6(self) -> IPv6Address:
        """The address of the site's gateway: the first one after that of the network."""
        return self.v6[1]

    @property
    def relay6(self) -> IPv6Address:
        """The address at which relayed tunnels of the gateway end: the last one of the network."""
        return self.v6[-1]

    @property
    def gateway4(self) -> IPv4Address | None:
        """The IPv4 address of the site's gateway."""
        return self.v4[1] if self.v4 else None


@event("healthnet.addresses_assigned")
class AddressesAssigned(Event, frozen=True, kw_only=True):
    """A site got networks; those that it had before are released."""

    site: str
    networks: tuple[str, ...]


@event("healthnet.addresses_released")
class AddressesReleased(Event, frozen=True, kw_only=True):
    """A site gave its networks up."""

    site: str
    networks: tuple[str, ...]

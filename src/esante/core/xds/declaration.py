"""Declaration of the messages of registries: nothing is added to the platform."""

from esante.contract import Service

SERVICE = Service(package="esante.core.xds")

"""Declaration of calls to addresses that others name: nothing is added to the platform."""

from esante.contract import Service

SERVICE = Service(package="esante.core.outbound")

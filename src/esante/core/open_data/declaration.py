"""Declaration of the descriptions of open data: nothing is added to the platform."""

from esante.contract import Service

SERVICE = Service(package="esante.core.open_data")

"""Declaration of SOAP messages: nothing is added to the platform."""

from esante.contract import Service

SERVICE = Service(package="esante.core.soap")

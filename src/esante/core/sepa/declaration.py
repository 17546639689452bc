"""Declaration of payments over the bank: nothing is added to the platform."""

from esante.contract import Service

SERVICE = Service(package="esante.core.sepa")

"""Declaration of the vaccination card."""

from esante.contract import Service
from esante.services.vaccination.cli import vaccination

SERVICE = Service(package="esante.services.vaccination", commands=[vaccination])

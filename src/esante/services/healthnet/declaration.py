"""Declaration of the national health network."""

from esante.contract import Service
from esante.services.healthnet.cli import healthnet

SERVICE = Service(package="esante.services.healthnet", commands=[healthnet])

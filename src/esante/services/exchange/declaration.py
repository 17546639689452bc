"""Declaration of the exchange across borders."""

from esante.contract import Service
from esante.services.exchange.cli import exchange

SERVICE = Service(package="esante.services.exchange", commands=[exchange])

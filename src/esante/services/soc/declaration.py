"""Declaration of the watch over the security of the health sector."""

from esante.contract import Service
from esante.services.soc.cli import soc

SERVICE = Service(package="esante.services.soc", commands=[soc])

"""Declaration of secondary use."""

from esante.contract import Service
from esante.services.research.cli import research

SERVICE = Service(package="esante.services.research", commands=[research])

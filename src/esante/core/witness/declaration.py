"""Declaration of the witness: its command. It is a process of its own and takes no part in the platform."""

from esante.contract import Service
from esante.core.witness.cli import witness

SERVICE = Service(package="esante.core.witness", commands=[witness])

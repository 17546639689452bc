"""Declaration of the storage package."""

from esante.contract import Service
from esante.core.storage.cli import db

SERVICE = Service(package="esante.core.storage", commands=[db])

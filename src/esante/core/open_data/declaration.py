"""Declaration of open data: the settings of the national portal."""

from esante.contract import Service
from esante.core.open_data.udata import PortalSettings

SERVICE = Service(package="esante.core.open_data", settings=PortalSettings)

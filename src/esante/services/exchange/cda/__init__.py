"""CDA R2: reading without harm, and the places of elements."""

from esante.services.exchange.cda.paths import Paths
from esante.services.exchange.cda.reader import PHARM, TYPE, V3, XSI, local_name, read_cda, read_checked

__all__ = ["PHARM", "TYPE", "V3", "XSI", "Paths", "local_name", "read_cda", "read_checked"]

"""Refusals in the answers of registries: codes as contact points use them, and never a place in our code."""

from esante.core.xds import RegistryError
from esante.services.exchange.assertions.model import Refused
from esante.services.exchange.country_a.limits import UNEXPECTED

CLASS_CODE = "4202"
TOO_MANY = RegistryError(UNEXPECTED, "There were too many requests: ask again later.")


def error_of(refused: Refused) -> RegistryError:
    """Return the refusal of assertions."""
    return RegistryError(refused.cause.value, f"{refused.reason}.")

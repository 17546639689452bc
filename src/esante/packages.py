"""The packages of the platform, in the order in which they are migrated and built.

A new service is one line here. Further packages are named by the setting `services`.
"""

from collections.abc import Sequence
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from esante.contract import Service

PACKAGES = (
    "esante.core.storage",
    "esante.core.web",
    "esante.core.journal",
    "esante.core.disclosure",
    "esante.core.outbound",
    "esante.core.witness",
    "esante.core.sepa",
    "esante.core.soap",
    "esante.core.xds",
    "esante.core.fhir",
    "esante.core.open_data",
    "esante.identity.directory",
    "esante.identity.access",
    "esante.identity.signin",
    "esante.services.record",
    "esante.services.notices",
    "esante.services.export",
    "esante.services.subscriptions",
    "esante.services.helpdesk",
    "esante.services.conformance",
    "esante.services.vaccination",
    "esante.services.billing",
    "esante.services.incentives",
    "esante.services.imaging",
    "esante.services.soc",
    "esante.services.healthnet",
    "esante.services.exchange",
    "esante.services.research",
    "esante.services.ehds",
    "esante.services.bulletin",
    "esante.demo",
    "esante.portal",
)


def declared_services(further: str = "") -> Sequence["Service"]:
    """Return the declarations of `PACKAGES` and of `further` packages (import names, separated by spaces)."""
    return [import_module(f"{package}.declaration").SERVICE for package in (*PACKAGES, *further.split())]

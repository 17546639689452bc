"""Declaration of the national health network."""

from collections.abc import Iterable

from esante.contract import KeptData, Platform, Service
from esante.core.web import N_
from esante.identity.directory import Directory
from esante.services.healthnet.addresses.plan import AddressPlan
from esante.services.healthnet.addresses.service import Addresses
from esante.services.healthnet.certificates.service import Certificates
from esante.services.healthnet.cli import healthnet
from esante.services.healthnet.settings import HealthnetSettings
from esante.services.healthnet.sites.service import Sites


def _build(platform: Platform) -> Iterable[object]:
    settings = platform.settings.of(HealthnetSettings)
    plan = AddressPlan.parse(settings.healthnet_prefix6, settings.healthnet_prefix4)
    addresses = Addresses(platform.db, platform.journal, plan)
    yield addresses
    sites = Sites(platform.db, platform.journal, platform[Directory], addresses)
    yield sites
    key = platform.settings.data / "keys" / "healthnet.pem"
    yield Certificates(platform.db, platform.journal, sites, key, settings.healthnet_zone)


SERVICE = Service(
    package="esante.services.healthnet",
    settings=HealthnetSettings,
    build=_build,
    commands=[healthnet],
    kept=[
        KeptData(
            what=N_("Of connections to the health network: name, telephone number and e-mail address of the contact"),
            why=N_("So that the agency reaches somebody when a connection fails or is attacked."),
        )
    ],
)

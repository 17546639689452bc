"""Declaration of the watch over the security of the health sector."""

from collections.abc import Iterable

from esante.contract import Platform, Service
from esante.identity.directory import Directory
from esante.services.soc.alerts.service import Alerts
from esante.services.soc.cli import soc
from esante.services.soc.intake.settings import IntakeSettings
from esante.services.soc.sources.service import Sources
from esante.services.soc.storage.service import EventStore
from esante.services.soc.tenants.service import Tenants


def _build(platform: Platform) -> Iterable[object]:
    tenants = Tenants(platform.db, platform.journal, platform[Directory])
    yield tenants
    yield EventStore(platform.db)
    yield Alerts(platform.db, platform.journal, tenants)
    yield Sources(platform.db, platform.journal, tenants)


SERVICE = Service(package="esante.services.soc", settings=IntakeSettings, build=_build, commands=[soc])

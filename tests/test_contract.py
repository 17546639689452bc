"""The platform over declared services."""

from collections import Counter
from dataclasses import fields

from esante.contract import Platform, Service
from esante.packages import declared_services
from esante.settings import Settings


class Connections:
    """A service object that holds connections."""

    def __init__(self) -> None:
        self.is_open = True

    async def close(self) -> None:
        self.is_open = False


class Plain:
    """A service object that holds nothing."""


async def test_platform_closes_what_its_services_built(db, dsn, objects, journal):
    built = Connections()
    service = Service(package="tests", build=lambda platform: [built, Plain()])
    platform = Platform([service], Settings(), dsn, db, objects, journal)
    assert platform[Connections] is built
    await platform.close()
    assert not built.is_open


def test_each_setting_belongs_to_one_service():
    names = [field.name for service in declared_services() if service.settings for field in fields(service.settings)]
    names += [field.name for field in fields(Settings)]
    assert [name for name, count in Counter(names).items() if count > 1] == []

"""The declaration of portability."""

from collections.abc import Iterable
from datetime import timedelta

from starlette.routing import BaseRoute

from esante.contract import KeptData, NavigationItem, Platform
from esante.contract_parts import Part
from esante.core.web import N_
from esante.identity.access import Access, Act, DispositionHandler
from esante.identity.directory import Directory
from esante.services.ehds.formats.service import Formats
from esante.services.ehds.pages.portability_pages import PLACE, PortabilityPages
from esante.services.ehds.portability.model import DURATIONS
from esante.services.ehds.portability.package import Packages
from esante.services.ehds.portability.service import Transfers
from esante.services.record import Record


def _build(platform: Platform) -> Iterable[object]:
    extracts = platform[Record].extracts
    packages = Packages(extracts, platform[Formats])
    base_url = platform.settings.public_url.rstrip("/")
    yield Transfers(platform.db, platform.journal, platform[Directory], platform[Access], extracts, packages, base_url)


def _routes(platform: Platform) -> list[BaseRoute]:
    return [*PortabilityPages(platform[Transfers], platform[Access]).routes()]


def _dispositions(platform: Platform) -> list[DispositionHandler]:
    return [DispositionHandler(act=Act.DELETE, step=platform[Transfers].delete_record)]


PART = Part(
    build=_build,
    routes=_routes,
    dispositions=_dispositions,
    navigation=[
        NavigationItem(
            role="patient", url=PLACE, label=N_("Send to another provider"), icon="download", order=90, menu=True
        ),
    ],
    kept=[
        KeptData(
            what=N_("Links to copies of your record that you prepared for other providers"),
            why=N_("So that the provider can fetch the copy, and you see that it was received."),
            how_long=lambda day: timedelta(days=DURATIONS[-1]),
        )
    ],
)

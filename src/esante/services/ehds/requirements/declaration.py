"""What the requirements add to the platform."""

from collections.abc import Sequence

from starlette.routing import BaseRoute

from esante.contract import NavigationItem, Platform
from esante.contract_parts import Part
from esante.core.web import N_
from esante.services.ehds.pages import requirement_pages
from esante.services.ehds.requirements.service import Requirements


def _build(platform: Platform) -> Sequence[object]:
    return [Requirements(platform.db, platform.journal)]


def _routes(platform: Platform) -> Sequence[BaseRoute]:
    return requirement_pages.routes(platform[Requirements])


REQUIREMENTS = Part(
    build=_build,
    routes=_routes,
    navigation=[
        NavigationItem(role="everyone", url=requirement_pages.PLACE, label=N_("European Health Data Space"), order=62)
    ],
)

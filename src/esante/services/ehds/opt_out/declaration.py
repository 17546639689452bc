"""The declaration of the opt-out from primary use."""

from collections.abc import Iterable

from starlette.routing import BaseRoute

from esante.contract import NavigationItem, Platform
from esante.contract_parts import Part
from esante.core.web import N_
from esante.identity.access import Access
from esante.services.ehds.opt_out.service import PrimaryOptOut
from esante.services.ehds.pages.opt_out_pages import PLACE, OptOutPages


def _build(platform: Platform) -> Iterable[object]:
    yield PrimaryOptOut(platform.journal, platform[Access])


def _routes(platform: Platform) -> list[BaseRoute]:
    return [*OptOutPages(platform[PrimaryOptOut], platform[Access]).routes()]


PART = Part(
    build=_build,
    routes=_routes,
    navigation=[
        NavigationItem(
            role="patient", url=PLACE, label=N_("Use of my record in care"), icon="lock", order=91, menu=True
        ),
    ],
)

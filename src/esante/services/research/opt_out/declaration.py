"""The opt-out from secondary use."""

from collections.abc import Iterable

from starlette.routing import BaseRoute

from esante.contract import KeptData, NavigationItem, Platform
from esante.contract_parts import Part
from esante.core.web import N_, P_
from esante.identity.access import Access
from esante.services.research.opt_out.own_use import OwnUse
from esante.services.research.opt_out.service import OptOuts
from esante.services.research.pages import opt_out_pages
from esante.services.research.permits.service import Permits


def _build(platform: Platform) -> Iterable[object]:
    yield OptOuts(platform.db, platform.journal, platform[Access])
    yield OwnUse(platform.db, platform[Permits])


def _routes(platform: Platform) -> list[BaseRoute]:
    return opt_out_pages.routes(platform[OptOuts], platform[OwnUse], platform[Access])


OPT_OUT = Part(
    build=_build,
    routes=_routes,
    navigation=[
        NavigationItem(role="patient", url=opt_out_pages.OWN, label=P_("menu", "Research"), icon="lab", order=46)
    ],
    kept=[
        KeptData(
            what=N_("Whether you opted out of the use of your data for research, and since when"),
            why=N_("So that your data are left out."),
        )
    ],
)

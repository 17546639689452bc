"""Declaration of the web package: the agency that pages name, and third-party front-end files."""

import logging
from collections.abc import Iterable
from pathlib import Path

from starlette.routing import BaseRoute, Mount
from starlette.staticfiles import StaticFiles

from esante.contract import KeptData, Platform, Service
from esante.core.web import N_, Agency, use_agency
from esante.core.web.sessions import LIFETIME

log = logging.getLogger(__name__)


def _build(platform: Platform) -> Iterable[object]:
    use_agency(platform.settings.of(Agency))
    return ()


async def _warn_of_fictitious_agency(platform: Platform) -> None:
    if platform.settings.of(Agency).is_fictitious and not platform.settings.demo:
        log.warning("pages name a fictitious agency: set ESANTE_AGENCY_NAME and the settings beside it")


def _routes(platform: Platform) -> list[BaseRoute]:
    folder = Path(__file__).parent / "static" / "vendor"
    return [Mount("/static/vendor", StaticFiles(directory=folder, check_dir=False))]


SERVICE = Service(
    package="esante.core.web",
    settings=Agency,
    build=_build,
    routes=_routes,
    admit=_warn_of_fictitious_agency,
    kept=[
        KeptData(
            what=N_("Who is signed in, and two cookies: one that keeps you signed in, and one for your language"),
            why=N_("To keep you signed in, and to show pages in your language. There are no other cookies."),
            how_long=lambda day: LIFETIME,
        )
    ],
)

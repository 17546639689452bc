"""Declaration of the web package: third-party front-end files, and the one sessions object."""

from pathlib import Path

from starlette.routing import BaseRoute, Mount
from starlette.staticfiles import StaticFiles

from esante.contract import Platform, Service


def _routes(platform: Platform) -> list[BaseRoute]:
    folder = Path(__file__).parent / "static" / "vendor"
    return [Mount("/static/vendor", StaticFiles(directory=folder, check_dir=False))]


SERVICE = Service(package="esante.core.web", routes=_routes)

"""Declaration of the portal: the shell of every page, sign-in and home."""

from pathlib import Path

from starlette.datastructures import State
from starlette.routing import BaseRoute, Mount
from starlette.staticfiles import StaticFiles

from esante.contract import NavigationItem, Platform, Service
from esante.core.web import N_
from esante.portal.pages import navigation, routes


def _routes(platform: Platform) -> list[BaseRoute]:
    people = next((found for service in platform.services if (found := service.people(platform))), None)
    static = Path(__file__).parent / "static"
    return [*routes(platform, people), Mount("/static", StaticFiles(directory=static))]


async def _start(platform: Platform, state: State) -> None:
    state.navigation = navigation(platform)


SERVICE = Service(
    package="esante.portal",
    routes=_routes,
    start=_start,
    navigation=[
        NavigationItem(role=role, url="/", label=N_("Home"), icon="home")
        for role in ("patient", "practitioner", "operator")
    ],
)

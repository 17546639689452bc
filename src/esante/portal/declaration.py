"""Declaration of the portal: the shell of every page, sign-in and home."""

from pathlib import Path

from starlette.datastructures import State
from starlette.routing import BaseRoute, Mount
from starlette.staticfiles import StaticFiles

from esante.contract import NavigationItem, Platform, Service
from esante.core.web import N_
from esante.portal import information, pages
from esante.portal.navigation import navigation, waiting_counter


def _routes(platform: Platform) -> list[BaseRoute]:
    people = next((found for service in platform.services if (found := service.people(platform))), None)
    static = Path(__file__).parent / "static"
    return [
        *pages.routes(platform, people),
        *information.routes(platform),
        Mount("/static", StaticFiles(directory=static)),
    ]


async def _start(platform: Platform, state: State) -> None:
    state.navigation = navigation(platform)
    state.count_waiting = waiting_counter(platform, state.navigation)


SERVICE = Service(
    package="esante.portal",
    routes=_routes,
    start=_start,
    navigation=[
        NavigationItem(role=role, url="/", label=N_("Home"), icon="home")
        for role in ("patient", "practitioner", "operator", "vendor", "researcher")
    ]
    + [
        NavigationItem(role="everyone", url="/help", label=N_("Help"), order=10),
        NavigationItem(role="everyone", url="/contact", label=N_("Contact"), order=20),
        NavigationItem(role="everyone", url="/privacy", label=N_("Privacy notice"), order=40),
        NavigationItem(role="everyone", url="/accessibility", label=N_("Accessibility statement"), order=50),
    ],
)

"""Declaration of the demo."""

from functools import partial

from starlette.datastructures import State
from starlette.routing import BaseRoute

from esante.contract import Platform, Service, SignInPeople
from esante.demo.accounts import find_account, list_accounts
from esante.demo.cli import background, demo, people, token
from esante.demo.demo_clients import register_apps
from esante.demo.pages import routes


def _routes(platform: Platform) -> list[BaseRoute]:
    return routes(platform) if platform.settings.demo else []


async def _start(platform: Platform, state: State) -> None:
    if platform.settings.demo:
        await register_apps(platform)  # at the address at which the demo is served this time


def _people(platform: Platform) -> SignInPeople | None:
    """In the demo people sign in by choosing who they are; otherwise nobody can that way."""
    if not platform.settings.demo:
        return None
    return SignInPeople(partial(list_accounts, platform), partial(find_account, platform))


SERVICE = Service(
    package="esante.demo",
    routes=_routes,
    start=_start,
    commands=[demo, background, people, token],
    people=_people,
)

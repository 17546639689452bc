"""Declaration of the demo."""

from functools import partial

from starlette.datastructures import State
from starlette.routing import BaseRoute

from esante.contract import Platform, Service, SignInPeople
from esante.demo import store
from esante.demo.accounts import find_account, list_accounts
from esante.demo.cli import background, demo, people, token
from esante.demo.demo_clients import register_apps
from esante.demo.pages import routes


def _routes(platform: Platform) -> list[BaseRoute]:
    return routes(platform) if platform.settings.demo else []


async def _admit(platform: Platform) -> None:
    """Keep the demo and real records apart: where people choose who they are, nobody's real record may lie.

    Raises: RuntimeError when the platform is served as a demo and the database is not marked as one, or the reverse.
    """
    is_demo = await store.find_world(platform.db) is not None
    if platform.settings.demo and not is_demo:
        raise RuntimeError(
            "this database is not one of the demo, and ESANTE_DEMO would let anyone sign in as anyone:"
            " unset ESANTE_DEMO, or run: esante demo, with another --data"
        )
    if is_demo and not platform.settings.demo:
        raise RuntimeError(
            "this database holds the invented people of the demo and must not serve real ones:"
            " run: esante demo, or choose another --data"
        )


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
    admit=_admit,
    start=_start,
    commands=[demo, background, people, token],
    people=_people,
)

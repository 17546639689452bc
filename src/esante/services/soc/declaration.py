"""Declaration of the watch over the security of the health sector."""

from collections.abc import Iterable, Mapping
from typing import Any

from starlette.routing import BaseRoute

from esante.contract import DemoStep, HomeTile, NavigationItem, Platform, Service, Task
from esante.core.journal import Consumer
from esante.core.web import N_, Problem
from esante.identity.access import DispositionHandler, Requester
from esante.services.soc.cases.containment import ContainmentRequests
from esante.services.soc.cases.demo import load_cases
from esante.services.soc.cases.service import Cases
from esante.services.soc.cli import soc
from esante.services.soc.demo.load import load_members
from esante.services.soc.pages.page_words import CONTACT, OPERATOR
from esante.services.soc.parts.case_part import CASES
from esante.services.soc.parts.console_part import CONSOLE
from esante.services.soc.parts.health_part import HEALTH
from esante.services.soc.parts.hunt_part import HUNTING
from esante.services.soc.settings import SocSettings
from esante.services.soc.tenants.service import Tenants
from esante.services.soc.triage.service import Triage

_PARTS = (CASES, CONSOLE, HUNTING, HEALTH)
"""What the service is made of; each is built over those before it."""


def _build(platform: Platform) -> Iterable[object]:
    for part in _PARTS:
        yield from part.build(platform)


def _routes(platform: Platform) -> list[BaseRoute]:
    return [route for part in _PARTS for route in part.routes(platform)]


def _consumers(platform: Platform) -> list[Consumer]:
    return [consumer for part in _PARTS for consumer in part.consumers(platform)]


def _tasks(platform: Platform) -> list[Task]:
    return [task for part in _PARTS for task in part.tasks(platform)]


def _dispositions(platform: Platform) -> list[DispositionHandler]:
    return [handler for part in _PARTS for handler in part.dispositions(platform)]


async def _waiting_operators(platform: Platform, requester: Requester) -> int:
    return await platform[Triage].count_waiting() + await platform[ContainmentRequests].count_requested()


async def _is_contact(platform: Platform, requester: Requester) -> bool:
    """Return whether somebody is a contact of a member."""
    try:
        await platform[Tenants].scope_of(requester)
    except Problem:
        return False
    return True


async def _own_steps(platform: Platform, requester: Requester) -> Mapping[str, Any]:
    """Return how many steps wait for a contact of a member; `is_contact` is False for everybody else."""
    try:
        return {"is_contact": True, "count": len(await platform[Cases].member_tasks(requester))}
    except Problem:
        return {"is_contact": False, "count": 0}


async def _waiting_steps(platform: Platform, requester: Requester) -> int:
    return len(await platform[Cases].member_tasks(requester))


SERVICE = Service(
    package="esante.services.soc",
    settings=SocSettings,
    build=_build,
    routes=_routes,
    consumers=_consumers,
    tasks=_tasks,
    dispositions=_dispositions,
    commands=[soc],
    demo=[
        DemoStep(name="security cases", load=load_cases),
        DemoStep(name="security events", load=load_members, background=True),
    ],
    navigation=[
        NavigationItem(
            role="operator",
            url=OPERATOR,
            label=N_("Security"),
            icon="lock",
            order=35,
            waiting=_waiting_operators,
        ),
        NavigationItem(
            role="practitioner",
            url=CONTACT,
            label=N_("Security"),
            icon="lock",
            order=70,
            waiting=_waiting_steps,
            only_for=_is_contact,
        ),
    ],
    tiles=[HomeTile(role="practitioner", template="soc/tile.html", load=_own_steps, order=-5)],
    kept=[one for part in _PARTS for one in part.kept],
)

"""Declaration of the watch over the security of the health sector."""

from collections.abc import Mapping
from typing import Any

from esante.contract import DemoStep, HomeTile, NavigationItem, Platform, Service
from esante.contract_parts import combine
from esante.core.web import N_, Problem
from esante.identity.access import Requester
from esante.services.soc.cases.containment import ContainmentRequests
from esante.services.soc.cases.declaration import CASES
from esante.services.soc.cases.demo import load_cases
from esante.services.soc.cases.service import Cases
from esante.services.soc.cli import soc
from esante.services.soc.console.declaration import CONSOLE
from esante.services.soc.demo.load import load_members
from esante.services.soc.health.declaration import HEALTH
from esante.services.soc.hunting.declaration import HUNTING
from esante.services.soc.pages.page_words import CONTACT, OPERATOR
from esante.services.soc.settings import SocSettings
from esante.services.soc.tenants.service import Tenants
from esante.services.soc.triage.service import Triage

_WHOLE = combine([CASES, CONSOLE, HUNTING, HEALTH])


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
    build=_WHOLE.build,
    routes=_WHOLE.routes,
    consumers=_WHOLE.consumers,
    tasks=_WHOLE.tasks,
    dispositions=_WHOLE.dispositions,
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
    kept=_WHOLE.kept,
)

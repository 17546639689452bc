"""Declaration of secondary use."""

from collections.abc import Mapping
from typing import Any

from esante.contract import DemoStep, HomeTile, Platform, QuickAction, Service
from esante.contract_parts import Part, combine
from esante.core.web import N_
from esante.identity.access import Requester
from esante.services.research.accounts.declaration import ACCOUNTS
from esante.services.research.accounts.service import Accounts
from esante.services.research.applications.declaration import APPLICATIONS
from esante.services.research.applications.service import Applications
from esante.services.research.catalogue.declaration import CATALOGUE
from esante.services.research.cli import research
from esante.services.research.demo import load_demo
from esante.services.research.environment.declaration import ENVIRONMENT, EnvironmentSettings
from esante.services.research.opt_out.declaration import OPT_OUT
from esante.services.research.pages.application_pages import home_of
from esante.services.research.permits.declaration import PERMITS
from esante.services.research.permits.service import Permits

_PARTS: list[Part] = [ACCOUNTS, PERMITS, APPLICATIONS, OPT_OUT, CATALOGUE, ENVIRONMENT]
_WHOLE = combine(_PARTS)


async def _home(platform: Platform, requester: Requester) -> Mapping[str, Any]:
    return await home_of(platform[Accounts], platform[Applications], platform[Permits], requester)


SERVICE = Service(
    package="esante.services.research",
    settings=EnvironmentSettings,
    build=_WHOLE.build,
    routes=_WHOLE.routes,
    consumers=_WHOLE.consumers,
    tasks=_WHOLE.tasks,
    dispositions=_WHOLE.dispositions,
    navigation=_WHOLE.navigation,
    kept=_WHOLE.kept,
    commands=[research],
    actions=[
        QuickAction(
            role="researcher",
            url="/researcher/applications/new",
            icon="document",
            label=N_("Apply for data"),
            hint=N_("To work with pseudonymised data in the secure environment."),
            main=True,
        ),
        QuickAction(
            role="researcher",
            url="/researcher/applications/new?kind=request",
            icon="summary",
            label=N_("Request statistics"),
            hint=N_("The agency counts for you; you get anonymous figures."),
            order=10,
        ),
        QuickAction(
            role="researcher",
            url="/research",
            icon="search",
            label=N_("Catalogue of datasets"),
            hint=N_("See which data there are, how many, and how complete."),
            order=20,
        ),
    ],
    demo=[DemoStep(name="researchers", load=load_demo)],
    tiles=[HomeTile(role="researcher", template="research/tile_researcher.html", load=_home)],
)

"""Declaration of the journal: its sealer, its commands, its place in the portal."""

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

from starlette.routing import BaseRoute, Mount
from starlette.staticfiles import StaticFiles

from esante.contract import HomeTile, NavigationItem, Platform, Service, Task
from esante.core.journal.cli import journal
from esante.core.web import N_
from esante.identity.access import Requester


def _tasks(platform: Platform) -> list[Task]:
    journal = platform.journal

    async def expire_queued() -> None:
        await journal.expire_queued()

    tasks = [
        Task(name="sealer", run=journal.sealer.run),
        Task(name="proofs", run=journal.proofs.worker.run),
        Task(name="entries whose data is gone", run=expire_queued, every=timedelta(hours=1)),
    ]
    return [*tasks, Task(name="witnesses", run=journal.witnesses.run)] if journal.witnesses.remotes else tasks


def _routes(platform: Platform) -> list[BaseRoute]:
    return [Mount("/static/journal", StaticFiles(directory=Path(__file__).parent / "static"))]


async def _state(platform: Platform, requester: Requester) -> Mapping[str, Any]:
    return {"state": await platform.journal.state()}


SERVICE = Service(
    package="esante.core.journal",
    routes=_routes,
    tasks=_tasks,
    navigation=[
        NavigationItem(role="operator", url="/operator/journal", label=N_("Audit log"), icon="journal", order=90),
    ],
    tiles=[HomeTile(role="operator", template="journal/tile.html", load=_state, order=90)],
    commands=[journal],
)

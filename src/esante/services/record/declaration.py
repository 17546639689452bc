"""Declaration of the shared care record."""

from collections.abc import Iterable
from datetime import timedelta

from starlette.routing import BaseRoute

from esante.contract import NavigationItem, NoticeKind, Platform, QuickAction, Service, Task, allowed_and_by_another
from esante.core.types import Json
from esante.core.web import N_
from esante.identity.access import Access
from esante.identity.directory import Directory
from esante.services.record.categories import CATEGORIES
from esante.services.record.clinical.routes import OF_PATIENTS, OPERATIONS, PATCH_FORMAT
from esante.services.record.documents.mhd_api import capabilities, routes
from esante.services.record.documents.service import Record
from esante.services.record.model import Corrected, DepositedEvent, Replaced, Withdrawn
from esante.services.record.pages.record import routes as page_routes
from esante.services.record.retention.events import RetentionChanged
from esante.services.record.topics import TOPICS


def _build(platform: Platform) -> Iterable[object]:
    yield Record(platform.db, platform.objects, platform.journal, platform[Directory], platform[Access])


def _routes(platform: Platform) -> list[BaseRoute]:
    record, access, directory = platform[Record], platform[Access], platform[Directory]
    return [*routes(record, directory, access, platform.fhir_url), *page_routes(record, access, directory)]


def _capabilities(base_url: str) -> Json:
    operations = [
        {"type": type_, "operation": [{"name": name, "definition": url} for name, url in named.items()]}
        for type_, named in OPERATIONS.items()
    ]
    return {
        "resource": [*capabilities(), *operations, {"type": "Patient", "documentation": OF_PATIENTS}],
        "interaction": [{"code": "batch"}, {"code": "transaction"}],
        "patchFormat": [PATCH_FORMAT],
    }


_NOTICES = (
    NoticeKind(
        name="deposited",
        event=DepositedEvent,
        text=N_("%(actor)s added to your record: %(categories)s."),
        icon="document",
        tone="act",
        link="document",
    ),
    NoticeKind(
        name="replaced",
        event=Replaced,
        text=N_("%(actor)s replaced a document with a new version: %(categories)s."),
        icon="document",
        tone="act",
        link="document",
    ),
    NoticeKind(
        name="withdrawn",
        event=Withdrawn,
        text=N_("%(actor)s withdrew a document: %(categories)s."),
        icon="close",
        tone="warn",
        link="document",
    ),
    NoticeKind(
        name="misfiled",
        event=Corrected,
        text=N_("A document about another person was added to your record by mistake. %(actor)s has removed it."),
        icon="warning",
        tone="warn",
        link="/record",
        applies=lambda entry: allowed_and_by_another(entry) and entry.event.moved == "out",
    ),
    NoticeKind(
        name="refiled",
        event=Corrected,
        text=N_(
            "One of your documents had been added to another person's record by mistake. It is "
            "now in your record: %(categories)s."
        ),
        icon="warning",
        tone="warn",
        link="document",
        applies=lambda entry: allowed_and_by_another(entry) and entry.event.moved != "out",
    ),
    NoticeKind(
        name="retention_proposed",
        event=RetentionChanged,
        text=N_("%(actor)s asks for your agreement on how long a document is kept: %(categories)s."),
        icon="archive",
        tone="act",
        link="/record/retention",
        applies=lambda entry: entry.event.change == "proposed",
    ),
)


def _tasks(platform: Platform) -> list[Task]:
    removal = platform[Record].retention.removal

    async def remove_objects() -> None:
        await removal.run()

    return [Task(name="contents without a document", run=remove_objects, every=timedelta(hours=1))]


SERVICE = Service(
    package="esante.services.record",
    build=_build,
    routes=_routes,
    tasks=_tasks,
    capabilities=_capabilities,
    dispositions=lambda platform: platform[Record].retention.handlers(),
    categories={code: category.label for code, category in CATEGORIES.items()},
    navigation=[NavigationItem(role="patient", url="/record", label=N_("My record"), icon="record", order=20)],
    actions=[
        QuickAction(
            role="patient",
            url="/record",
            icon="record",
            label=N_("My record"),
            hint=N_("letters, results, vaccinations"),
            order=20,
        ),
    ],
    notices=_NOTICES,
    topics=TOPICS,
)

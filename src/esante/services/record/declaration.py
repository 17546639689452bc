"""Declaration of the shared care record."""

from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from typing import Any

from starlette.routing import BaseRoute

from esante.contract import (
    DemoStep,
    HomeTile,
    KeptData,
    NavigationItem,
    NoticeKind,
    Platform,
    QuickAction,
    Service,
    Task,
    allowed_and_by_another,
)
from esante.core.journal import Consumer, Entry
from esante.core.time_zone import today
from esante.core.types import Json
from esante.core.web import N_, P_
from esante.identity.access import Access, Requester
from esante.identity.directory import Directory
from esante.services.record.categories import CATEGORIES
from esante.services.record.cli import record
from esante.services.record.clinical.routes import OF_PATIENTS, OPERATIONS, PATCH_FORMAT
from esante.services.record.deadlines.model import RequestChanged
from esante.services.record.demo import load_examples
from esante.services.record.documents.mhd_api import capabilities, routes
from esante.services.record.documents.service import Record
from esante.services.record.documents.store import count_by_category
from esante.services.record.model import Corrected, DepositedEvent, Replaced, Withdrawn
from esante.services.record.pages.record import routes as page_routes
from esante.services.record.retention.events import RetentionChanged
from esante.services.record.retention.terms import retention_terms
from esante.services.record.statements.terms import ORGAN_DONATION, statement_terms
from esante.services.record.topics import TOPICS


def _build(platform: Platform) -> Iterable[object]:
    platform[Access].assignments.counts.counter = count_by_category
    yield Record(platform.db, platform.objects, platform.journal, platform[Directory], platform[Access])


def _routes(platform: Platform) -> list[BaseRoute]:
    record, access, directory = platform[Record], platform[Access], platform[Directory]
    pages = page_routes(record, access, directory, platform.fhir_url)
    return [*routes(record, directory, access, platform.fhir_url), *pages]


def _consumers(platform: Platform) -> list[Consumer]:
    return [platform[Record].clinical.indexer.consumer, platform[Record].deposit_tracker.consumer()]


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


def _request_is(change: str) -> Callable[[Entry], bool]:
    return lambda entry: entry.event.change == change


def _depositor(entry: Entry) -> str:
    name: str = entry.event.depositor
    return name


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
    NoticeKind(
        name="request_answered",
        event=RequestChanged,
        text=N_("The document that you asked %(actor)s for is in your record."),
        icon="letter",
        tone="good",
        link="document",
        applies=_request_is("answered"),
        actor=_depositor,
    ),
    NoticeKind(
        name="request_declined",
        event=RequestChanged,
        text=N_("%(actor)s will not add the document that you asked for. See why."),
        icon="letter",
        tone="warn",
        link="/record/requests",
        applies=_request_is("declined"),
        actor=_depositor,
    ),
    NoticeKind(
        name="request_overdue",
        event=RequestChanged,
        text=N_("%(actor)s has not answered your request for a document in time."),
        icon="clock",
        tone="warn",
        link="/record/requests",
        contact=True,
        applies=_request_is("overdue"),
        actor=_depositor,
    ),
)


def _tasks(platform: Platform) -> list[Task]:
    removal, uploads = platform[Record].retention.removal, platform[Record].uploads

    async def remove_objects() -> None:
        await removal.run()

    async def notify_overdue() -> None:
        await platform[Record].deposit_tracker.notify_overdue()

    return [
        Task(name="kept uploads", run=uploads.remove_expired, every=timedelta(minutes=10)),
        Task(name="contents without a document", run=remove_objects, every=timedelta(hours=1)),
        Task(name="requests that are overdue", run=notify_overdue, every=timedelta(hours=1)),
    ]


async def _organ_donation(platform: Platform, requester: Requester) -> Mapping[str, Any]:
    consent = await platform[Access].consent(requester.id)
    statements = platform[Record].statements(platform.fhir_url)
    kind = statement_terms(today()).kinds[ORGAN_DONATION]
    return {"asked": await statements.is_asked(requester, consent.state), "kind": kind}


async def _open_tasks(platform: Platform, requester: Requester) -> Mapping[str, Any]:
    open_, overdue = await platform[Record].deadlines.count_open(requester)
    return {"open": open_, "overdue": overdue}


SERVICE = Service(
    package="esante.services.record",
    build=_build,
    routes=_routes,
    consumers=_consumers,
    tasks=_tasks,
    capabilities=_capabilities,
    dispositions=lambda platform: platform[Record].retention.handlers(),
    categories={code: category.label for code, category in CATEGORIES.items()},
    navigation=[
        NavigationItem(role="patient", url="/record", label=N_("My record"), icon="record", order=20),
        NavigationItem(
            role="practitioner", url="/tasks", label=P_("menu", "Documents to add"), icon="upload", order=25
        ),
        NavigationItem(
            role="operator", url="/operator/deposits", label=N_("Documents added in time"), icon="upload", order=35
        ),
    ],
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
    tiles=[
        HomeTile(role="patient", template="record/tile_organ_donation.html", load=_organ_donation, order=-20),
        HomeTile(role="practitioner", template="record/tile_tasks.html", load=_open_tasks, order=-5),
    ],
    kept=[
        KeptData(
            what=N_("Documents, results and other health data that professionals and you add"),
            why=N_("So that whoever treats you knows what they need to know."),
            how_long=lambda day: timedelta(days=365.25 * retention_terms(day).years),
        )
    ],
    notices=_NOTICES,
    topics=TOPICS,
    commands=[record],
    demo=[DemoStep(name="record", load=load_examples)],
)

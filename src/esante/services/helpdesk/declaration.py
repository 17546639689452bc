"""Declaration of the helpdesk."""

from collections.abc import Iterable
from datetime import timedelta

from starlette.routing import BaseRoute

from esante.contract import (
    DemoCountry,
    DemoStep,
    KeptData,
    NavigationItem,
    NoticeKind,
    Platform,
    Service,
    Task,
)
from esante.core.types import Progress
from esante.core.web import N_
from esante.identity.access import Access, Requester, requester_of
from esante.services.helpdesk.model import Draft, ReportAnswered
from esante.services.helpdesk.pages import routes
from esante.services.helpdesk.policy import policy_on
from esante.services.helpdesk.service import Helpdesk


def _build(platform: Platform) -> Iterable[object]:
    yield Helpdesk(platform.db, platform.journal, platform[Access])


def _routes(platform: Platform) -> list[BaseRoute]:
    return [*routes(platform[Helpdesk], platform[Access])]


def _tasks(platform: Platform) -> list[Task]:
    return [Task(name="old reports", run=platform[Helpdesk].tidy, every=timedelta(days=1))]


async def _count_open(platform: Platform, requester: Requester) -> int:
    return await platform[Helpdesk].count_open()


_DEMO_REPORTS = (
    Draft(kind="misuse", text="Je ne connais pas le cabinet qui a consulté mon dossier hier soir.", page="/log"),
    Draft(kind="accessibility", text="Der Text eines eingescannten Briefs wird nicht vorgelesen.", language="de"),
)
"""Invented reports: one of a person who is signed in, one of somebody who is not."""


async def _load_demo(platform: Platform, country: DemoCountry, progress: Progress) -> None:
    senders = (requester_of(country.account_holders[0]), None)
    for place, (draft, sender) in enumerate(zip(_DEMO_REPORTS, senders, strict=True), 1):
        await platform[Helpdesk].send(draft, sender, "127.0.0.1")
        progress(place, len(_DEMO_REPORTS), "reports")


SERVICE = Service(
    package="esante.services.helpdesk",
    build=_build,
    routes=_routes,
    tasks=_tasks,
    navigation=[
        NavigationItem(
            role="operator",
            url="/operator/reports",
            label=N_("Helpdesk"),
            icon="letter",
            order=25,
            waiting=_count_open,
        ),
        NavigationItem(role="everyone", url="/report", label=N_("Report misuse or a problem"), order=30),
    ],
    kept=[
        KeptData(
            what=N_("Reports to the helpdesk that were answered, with the address you gave"),
            why=N_("To answer you, and to see what goes wrong more often."),
            how_long=lambda day: policy_on(day).keep_answered,
        )
    ],
    notices=[
        NoticeKind(
            name="report_answered",
            event=ReportAnswered,
            text=N_("Your report to the helpdesk was answered."),
            icon="letter",
            tone="good",
            link="/report/answer",
        )
    ],
    demo=[DemoStep(name="reports", load=_load_demo)],
)

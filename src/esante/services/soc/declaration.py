"""Declaration of the watch over the security of the health sector."""

from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import urlsplit

from starlette.routing import BaseRoute

from esante.contract import DemoStep, HomeTile, KeptData, NavigationItem, Platform, Service, Task
from esante.core.web import N_, Problem
from esante.identity.access import Access, Requester
from esante.identity.directory import Directory
from esante.services.soc.alerts.service import Alerts
from esante.services.soc.cases.closure import Closing
from esante.services.soc.cases.containment import ContainmentRequests
from esante.services.soc.cases.demo import load_cases
from esante.services.soc.cases.service import Cases
from esante.services.soc.cases.triage import Triage
from esante.services.soc.cli import soc
from esante.services.soc.console.event_search import EventSearch
from esante.services.soc.console.flow import SAMPLED_EVERY, EventFlow
from esante.services.soc.console.members import MemberLists
from esante.services.soc.console.overview import Overview
from esante.services.soc.console.pages.event_pages import EventPages
from esante.services.soc.console.pages.member_pages import MemberPages
from esante.services.soc.console.pages.overview_pages import OverviewPages
from esante.services.soc.console.pages.source_pages import SourcePages
from esante.services.soc.console.timeline import Timeline
from esante.services.soc.demo.load import load_members
from esante.services.soc.duties.service import Duties
from esante.services.soc.evidence.service import CaseEvidence
from esante.services.soc.handover.service import Handovers
from esante.services.soc.health.additions import (
    HEALTH_KEPT,
    build_health,
    health_consumers,
    health_dispositions,
    health_tasks,
)
from esante.services.soc.pages.case_pages import CasePages
from esante.services.soc.pages.duty_pages import DutyPages
from esante.services.soc.pages.page_words import CONTACT, OPERATOR
from esante.services.soc.pages.practice_pages import PracticePages
from esante.services.soc.pages.queue_pages import QueuePages
from esante.services.soc.settings import SocSettings
from esante.services.soc.sources.service import Sources
from esante.services.soc.storage.service import EventStore
from esante.services.soc.tenants.service import Tenants
from esante.services.soc.watch import WATCH_KEPT, build_watch, watch_routes, watch_tasks


def _build(platform: Platform) -> Iterable[object]:
    db, objects, journal, directory = platform.db, platform.objects, platform.journal, platform[Directory]
    tenants, events = Tenants(db, journal, directory), EventStore(db)
    alerts = Alerts(db, journal, tenants)
    yield tenants
    yield events
    yield alerts
    yield Sources(db, journal, tenants)
    evidence = CaseEvidence(db, objects, journal, tenants)
    duties = Duties(db, journal, tenants)
    yield evidence
    yield duties
    yield Triage(db, journal, tenants, evidence)
    yield Cases(db, journal, tenants)
    yield Closing(db, journal, duties)
    yield ContainmentRequests(db, journal, tenants, directory, platform[Access])
    yield Handovers(db, objects, journal, tenants, directory)
    yield EventFlow(db, tenants)
    yield EventSearch(db, journal, tenants, events)
    yield MemberLists(db, tenants, directory)
    yield Overview(db, tenants)
    yield Timeline(db, tenants)
    yield from build_watch(platform, tenants, events)
    yield from build_health(platform, tenants, alerts)


def _routes(platform: Platform) -> list[BaseRoute]:
    access, tenants, cases, duties = platform[Access], platform[Tenants], platform[Cases], platform[Duties]
    acts = platform[CaseEvidence], platform[Closing], platform[ContainmentRequests], platform[Handovers]
    return [
        *QueuePages(platform[Triage], platform[Alerts], access).routes(),
        *CasePages(cases, *acts, access).routes(),
        *DutyPages(duties, tenants, access).routes(),
        *PracticePages(cases, duties, access).routes(),
        *_console_routes(platform),
        *watch_routes(platform),
    ]


def _console_routes(platform: Platform) -> list[BaseRoute]:
    access, sources = platform[Access], platform[Sources]
    search, lists = platform[EventSearch], platform[MemberLists]
    overview, flow, timeline = platform[Overview], platform[EventFlow], platform[Timeline]
    host = urlsplit(platform.settings.base_url).hostname or ""
    return [
        *OverviewPages(overview, flow, timeline, platform[Duties], access).routes(),
        *MemberPages(lists, platform[Tenants], sources, access).routes(),
        *SourcePages(sources, search, access, host).routes(),
        *EventPages(search, lists, access).routes(),
    ]


def _tasks(platform: Platform) -> list[Task]:
    rates = Task(name="rates of security events", run=platform[EventFlow].sample, every=SAMPLED_EVERY)
    return [rates, *watch_tasks(platform), *health_tasks(platform)]


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
    consumers=health_consumers,
    tasks=_tasks,
    dispositions=health_dispositions,
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
    kept=[
        *WATCH_KEPT,
        *HEALTH_KEPT,
        KeptData(
            what=N_("Security cases with their alerts, evidence, notes, and the names of those who handled them"),
            why=N_("To stop attacks on health data, and to prove afterwards what was done."),
        ),
    ],
)

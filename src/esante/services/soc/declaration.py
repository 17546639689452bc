"""Declaration of the watch over the security of the health sector."""

from collections.abc import Iterable, Mapping
from typing import Any

from starlette.routing import BaseRoute

from esante.contract import DemoStep, HomeTile, KeptData, NavigationItem, Platform, Service
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
from esante.services.soc.demo.load import load_members
from esante.services.soc.duties.service import Duties
from esante.services.soc.evidence.service import CaseEvidence
from esante.services.soc.handover.service import Handovers
from esante.services.soc.intake.settings import IntakeSettings
from esante.services.soc.pages.case_pages import CasePages
from esante.services.soc.pages.duty_pages import DutyPages
from esante.services.soc.pages.page_words import OPERATOR
from esante.services.soc.pages.practice_pages import PracticePages
from esante.services.soc.pages.queue_pages import QueuePages
from esante.services.soc.sources.service import Sources
from esante.services.soc.storage.service import EventStore
from esante.services.soc.tenants.service import Tenants


def _build(platform: Platform) -> Iterable[object]:
    db, objects, journal, directory = platform.db, platform.objects, platform.journal, platform[Directory]
    tenants = Tenants(db, journal, directory)
    yield tenants
    yield Alerts(db, journal, tenants)
    yield EventStore(db)
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


def _routes(platform: Platform) -> list[BaseRoute]:
    access, tenants, cases, duties = platform[Access], platform[Tenants], platform[Cases], platform[Duties]
    acts = platform[CaseEvidence], platform[Closing], platform[ContainmentRequests], platform[Handovers]
    return [
        *QueuePages(platform[Triage], platform[Alerts], access).routes(),
        *CasePages(cases, *acts, access).routes(),
        *DutyPages(duties, tenants, access).routes(),
        *PracticePages(cases, duties, access).routes(),
    ]


async def _waiting_operators(platform: Platform, requester: Requester) -> int:
    return await platform[Triage].count_waiting() + await platform[ContainmentRequests].count_requested()


async def _own_steps(platform: Platform, requester: Requester) -> Mapping[str, Any]:
    """Return how many steps wait for a contact of a member; `is_contact` is False for everybody else."""
    try:
        return {"is_contact": True, "count": len(await platform[Cases].member_tasks(requester))}
    except Problem:
        return {"is_contact": False, "count": 0}


SERVICE = Service(
    package="esante.services.soc",
    settings=IntakeSettings,
    build=_build,
    routes=_routes,
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
    ],
    tiles=[HomeTile(role="practitioner", template="soc/tile.html", load=_own_steps, order=-5)],
    kept=[
        KeptData(
            what=N_("Security cases with their alerts, evidence, notes, and the names of those who handled them"),
            why=N_("To stop attacks on health data, and to prove afterwards what was done."),
        )
    ],
)

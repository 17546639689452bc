"""Members, alerts, cases and duties."""

from collections.abc import Iterable

from starlette.routing import BaseRoute

from esante.contract import KeptData, Platform
from esante.core.web import N_
from esante.identity.access import Access
from esante.identity.directory import Directory
from esante.services.soc.alerts.service import Alerts
from esante.services.soc.cases.closure import Closing
from esante.services.soc.cases.containment import ContainmentRequests
from esante.services.soc.cases.service import Cases
from esante.services.soc.cases.triage import Triage
from esante.services.soc.duties.service import Duties
from esante.services.soc.evidence.service import CaseEvidence
from esante.services.soc.handover.service import Handovers
from esante.services.soc.pages.cases.case_pages import CasePages
from esante.services.soc.pages.cases.duty_pages import DutyPages
from esante.services.soc.pages.cases.practice_pages import PracticePages
from esante.services.soc.pages.cases.queue_pages import QueuePages
from esante.services.soc.parts.part import Part
from esante.services.soc.tenants.service import Tenants


def _build(platform: Platform) -> Iterable[object]:
    db, objects, journal, directory = platform.db, platform.objects, platform.journal, platform[Directory]
    tenants = Tenants(db, journal, directory)
    yield tenants
    yield Alerts(db, journal, tenants)
    evidence, duties = CaseEvidence(db, objects, journal, tenants), Duties(db, journal, tenants)
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


CASES = Part(
    build=_build,
    routes=_routes,
    kept=[
        KeptData(
            what=N_("Security cases with their alerts, evidence, notes, and the names of those who handled them"),
            why=N_("To stop attacks on health data, and to prove afterwards what was done."),
        ),
    ],
)

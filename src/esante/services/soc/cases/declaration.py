"""Members, alerts, cases and duties."""

from collections.abc import Iterable
from datetime import timedelta

from starlette.routing import BaseRoute

from esante.contract import KeptData, Platform, Task
from esante.contract_parts import Part
from esante.core.web import N_
from esante.identity.access import Access, Act, DispositionHandler
from esante.identity.directory import Directory
from esante.services.soc.alerts.service import Alerts
from esante.services.soc.cases.closure import Closing
from esante.services.soc.cases.containment import ContainmentRequests
from esante.services.soc.cases.retention import CaseRetention
from esante.services.soc.cases.service import Cases
from esante.services.soc.duties.service import Duties
from esante.services.soc.evidence.service import CaseEvidence
from esante.services.soc.handover.service import Handovers
from esante.services.soc.messages.mail import mail_server
from esante.services.soc.messages.service import Messages
from esante.services.soc.pages.cases.case_pages import CasePages
from esante.services.soc.pages.cases.duty_pages import DutyPages
from esante.services.soc.pages.cases.exercise_pages import ExercisePages
from esante.services.soc.pages.cases.practice_pages import PracticePages
from esante.services.soc.pages.cases.queue_pages import QueuePages
from esante.services.soc.pages.cases.suppression_pages import SuppressionPages
from esante.services.soc.retention_rules import kept_for
from esante.services.soc.settings import SocSettings
from esante.services.soc.tenants.service import Tenants
from esante.services.soc.triage.dismissals import Dismissals
from esante.services.soc.triage.exercises import Exercises
from esante.services.soc.triage.service import Triage
from esante.services.soc.triage.suppressions import Suppressions


def _build(platform: Platform) -> Iterable[object]:
    db, objects, journal, directory = platform.db, platform.objects, platform.journal, platform[Directory]
    tenants = Tenants(db, journal, directory)
    yield tenants
    alerts = Alerts(db, journal, tenants)
    yield alerts
    evidence, duties = CaseEvidence(db, objects, journal, tenants), Duties(db, journal, tenants)
    yield evidence
    yield duties
    yield Triage(db, journal, tenants, evidence)
    dismissals = Dismissals(db, journal)
    yield dismissals
    yield Suppressions(db, journal, tenants, dismissals)
    yield Exercises(db, journal, tenants, alerts)
    yield Cases(db, journal, tenants)
    yield Closing(db, journal, duties)
    yield ContainmentRequests(db, journal, tenants, directory, platform[Access])
    yield Handovers(db, objects, journal, tenants, directory)
    settings = platform.settings.of(SocSettings)
    mail = mail_server(settings.soc_mail_server, settings.soc_mail_sender, settings.soc_mail_password)
    yield Messages(db, journal, tenants, mail, platform.settings.base_url)
    yield CaseRetention(db, objects, journal)


def _routes(platform: Platform) -> list[BaseRoute]:
    access, tenants, cases, duties = platform[Access], platform[Tenants], platform[Cases], platform[Duties]
    acts = platform[CaseEvidence], platform[Closing], platform[ContainmentRequests], platform[Handovers]
    messages = platform[Messages]
    return [
        *QueuePages(platform[Triage], platform[Dismissals], platform[Alerts], access).routes(),
        *SuppressionPages(platform[Suppressions], access).routes(),
        *ExercisePages(platform[Exercises], access).routes(),
        *CasePages(cases, *acts, messages, access).routes(),
        *DutyPages(duties, tenants, access).routes(),
        *PracticePages(cases, duties, access).routes(),
    ]


def _tasks(platform: Platform) -> list[Task]:
    return [
        Task(name="end of security cases", run=platform[CaseRetention].run, every=timedelta(hours=6)),
        Task(name="messages to security contacts", run=platform[Messages].run, every=timedelta(minutes=1)),
    ]


def _dispositions(platform: Platform) -> list[DispositionHandler]:
    """Return what takes a person out of alerts."""
    return [DispositionHandler(act=Act.DELETE, step=platform[Alerts].unlink_some)]


CASES = Part(
    build=_build,
    routes=_routes,
    tasks=_tasks,
    dispositions=_dispositions,
    kept=[
        KeptData(
            what=N_("Security cases with their alerts, evidence, notes, and the names of those who handled them"),
            why=N_("To stop attacks on health data, and to prove afterwards what was done."),
            how_long=kept_for("cases"),
        ),
    ],
)

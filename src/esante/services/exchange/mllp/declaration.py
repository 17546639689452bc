"""What messages of HL7 V2 add to the exchange."""

from collections.abc import Iterable
from datetime import timedelta

from starlette.routing import BaseRoute

from esante.contract import KeptData, NavigationItem, Platform, Task
from esante.contract_parts import Part
from esante.core.web import N_
from esante.identity.access import Access
from esante.identity.directory import Directory
from esante.services.exchange.hospital.patients import Patients
from esante.services.exchange.mllp.admissions import Admissions
from esante.services.exchange.mllp.pages import PLACE, MessagePages
from esante.services.exchange.mllp.processor import MessageProcessor
from esante.services.exchange.mllp.results import Results
from esante.services.record import Record


def _build(platform: Platform) -> Iterable[object]:
    access, directory, patients = platform[Access], platform[Directory], platform[Patients]
    admissions = Admissions(access, directory, patients)
    results = Results(platform[Record], directory, patients)
    yield MessageProcessor(platform.db, platform.journal, access, directory, admissions, results)


def _routes(platform: Platform) -> list[BaseRoute]:
    access, directory = platform[Access], platform[Directory]
    pages = MessagePages(platform.db, platform.journal, platform[MessageProcessor], access, directory)
    return [*pages.routes()]


def _tasks(platform: Platform) -> list[Task]:
    return [Task(name="messages of hospitals", run=platform[MessageProcessor].tidy, every=timedelta(hours=6))]


MESSAGES = Part(
    build=_build,
    routes=_routes,
    navigation=[
        NavigationItem(role="operator", url=PLACE, label=N_("Messages of hospitals"), icon="hospital", order=75),
    ],
    tasks=_tasks,
    kept=[
        KeptData(
            what=N_("Messages of hospitals about you that could not be processed, for some weeks"),
            why=N_("So that operators can find out why, and have them processed after all."),
        )
    ],
)

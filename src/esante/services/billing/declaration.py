"""Declaration of fee notes, accelerated reimbursement and immediate direct payment."""

from collections.abc import Iterable
from datetime import timedelta

from starlette.routing import BaseRoute

from esante.contract import NoticeKind, Platform, Service, Task
from esante.core.journal import Entry
from esante.core.web import N_
from esante.identity.access import Access
from esante.identity.directory import Directory
from esante.services.billing.insurance.client import Insurance
from esante.services.billing.mocks.cli import mock
from esante.services.billing.note.model import NoteKept
from esante.services.billing.note.service import Notes
from esante.services.billing.ra.api import RaEndpoints
from esante.services.billing.ra.consents import NoteConsents
from esante.services.billing.ra.model import AnomalyFound, ReimbursementChanged, State
from esante.services.billing.ra.sender import ReimbursementSender
from esante.services.billing.ra.service import Reimbursements
from esante.services.billing.ra.team import BillingTeam
from esante.services.billing.settings import BillingSettings


def _build(platform: Platform) -> Iterable[object]:
    settings = platform.settings.of(BillingSettings)
    notes = Notes(platform.db, platform.objects, platform.journal, platform[Directory])
    consents = NoteConsents(platform.db, platform.journal)
    reimbursements = Reimbursements(platform.db, platform.journal, platform[Directory], notes, consents)
    insurance = Insurance(settings.cns_url, settings.cns_timeout, settings.cns_ca)
    pause = timedelta(seconds=settings.ra_question_pause)
    yield notes
    yield consents
    yield reimbursements
    yield insurance
    yield BillingTeam(platform[Directory])
    yield ReimbursementSender(
        platform.db, platform.journal, notes, reimbursements, consents, insurance, question_pause=pause
    )


def _routes(platform: Platform) -> list[BaseRoute]:
    ra = RaEndpoints(
        platform[Access],
        platform[Directory],
        platform[Notes],
        platform[Reimbursements],
        platform[NoteConsents],
        platform[BillingTeam],
    )
    return [*ra.routes()]


def _tasks(platform: Platform) -> list[Task]:
    every = timedelta(seconds=platform.settings.of(BillingSettings).ra_interval)
    return [Task(name="messages to the health insurance", run=platform[ReimbursementSender].run, every=every)]


def _is_paid(entry: Entry) -> bool:
    return getattr(entry.event, "state", "") == State.REIMBURSEMENT_SENT.value


SERVICE = Service(
    package="esante.services.billing",
    settings=BillingSettings,
    build=_build,
    routes=_routes,
    tasks=_tasks,
    commands=[mock],
    notices=[
        NoticeKind(
            name="fee_note_received",
            event=NoteKept,
            text=N_("%(actor)s sent a fee note for you."),
            icon="document",
            tone="act",
            link="/fee-notes",
        ),
        NoticeKind(
            name="fee_note_reimbursed",
            event=ReimbursementChanged,
            text=N_("The health insurance has reimbursed a fee note of yours."),
            icon="check",
            tone="good",
            link="/fee-notes",
            applies=_is_paid,
        ),
        NoticeKind(
            name="fee_note_anomaly",
            event=AnomalyFound,
            text=N_("The health insurance found something wrong in a fee note of yours. Your doctor sees it, too."),
            icon="warning",
            tone="warn",
            link="/fee-notes",
            applies=lambda entry: True,
        ),
    ],
)

"""Declaration of access control."""

import asyncio
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

from starlette.datastructures import State
from starlette.routing import BaseRoute, Mount
from starlette.staticfiles import StaticFiles

from esante.contract import (
    HomeTile,
    KeptData,
    NavigationItem,
    Platform,
    QuickAction,
    Service,
    Task,
)
from esante.core import clock
from esante.core.journal import Consumer
from esante.core.journal.retention import retention_policy
from esante.core.types import Json
from esante.core.web import N_, P_
from esante.identity.access.api import api_routes, capabilities
from esante.identity.access.audit.log_scan import is_by_another, scan_visits
from esante.identity.access.cli import access, client
from esante.identity.access.consent import declaration as consent
from esante.identity.access.disposition import declaration as disposition
from esante.identity.access.model import AccessEvent, Requester, access_types
from esante.identity.access.pages.assignments import STATES
from esante.identity.access.pages.routes import page_routes
from esante.identity.access.reasons import REASONS
from esante.identity.access.regulation.policy_set import policy, policy_set, use_policy_set
from esante.identity.access.reviews import declaration as reviews
from esante.identity.access.rules import ACCESS_LOG
from esante.identity.access.service import Access
from esante.identity.access.settings import AccessSettings
from esante.identity.access.smart.discovery import security
from esante.identity.access.stays import declaration as stays
from esante.identity.directory import Directory

_TILE_ROWS, _REVIEWS, _PATIENTS = 4, 5, 8
"""Rows of the tiles on the home pages."""
_ENDED_DAYS = 30
"""For so many days professionals are told how many of their accesses ended at the ceiling."""


def _build(platform: Platform) -> Iterable[object]:
    settings = platform.settings
    use_policy_set(settings.of(AccessSettings).policy_set)
    key = Path(settings.of(AccessSettings).identity_key or settings.data / "keys" / "identity.pem")
    directory = platform[Directory]
    yield Access(platform.db, platform.journal, directory, base_url=settings.base_url, identity_key=key)


def _routes(platform: Platform) -> list[BaseRoute]:
    access, directory = platform[Access], platform[Directory]
    resources = platform.capability_statement()["rest"][0]["resource"]
    return [
        *api_routes(access, platform.journal, directory, platform.settings.base_url, resources),
        *page_routes(access, platform.journal, directory, platform.categories),
        Mount("/static/access", StaticFiles(directory=Path(__file__).parent / "static")),
    ]


async def _admit(platform: Platform) -> None:
    """Raise RuntimeError when the policy set and the services do not name the same document classes."""
    rules, known = policy_set(), platform.categories.keys()
    assigned = {one.document_class for one in rules.assignments}
    for class_ in sorted(known - assigned):
        raise RuntimeError(f"the policy set {rules.name} assigns no legal category to the document class {class_}")
    for class_ in sorted(assigned - known):
        raise RuntimeError(f"the policy set {rules.name} assigns the document class {class_}, which no service has")


async def _start(platform: Platform, state: State) -> None:
    access = platform[Access]
    await asyncio.to_thread(access.id_tokens.jwks)  # makes or reads the key now
    state.sessions, state.knows_origin = access.sessions, access.clients.knows_origin


def _consumers(platform: Platform) -> list[Consumer]:
    return platform[Access].consumers()


def _tasks(platform: Platform) -> list[Task]:
    access = platform[Access]

    async def open_records_and_tidy() -> None:
        await access.lifecycle.open_due()
        await access.tidy()

    async def cut_at_ceilings() -> None:
        await access.ceilings.apply()

    return [
        Task(name="counts of documents", run=access.assignments.counts.advance, every=timedelta(seconds=1)),
        Task(name="records to open", run=open_records_and_tidy, every=timedelta(hours=1)),
        Task(name="grants beyond their ceiling", run=cut_at_ceilings, every=timedelta(hours=6)),
        *disposition.tasks(platform),
    ]


def _capabilities(base_url: str) -> Json:
    resources = [one for one in capabilities() if one["type"] != "Encounter"]  # the record declares it, stays included
    return {"resource": resources, "security": security(base_url)}


async def _recent_accesses(platform: Platform, requester: Requester) -> Mapping[str, Any]:
    persons = await platform[Access].volumes(requester.id)
    page = await scan_visits(platform.journal, persons, access_types(), is_by_another, limit=_TILE_ROWS)
    return {"visits": page.items, "categories": platform.categories}


async def _grants(platform: Platform, requester: Requester) -> Mapping[str, Any]:
    return {
        "accesses": [
            access
            for access in await platform[Access].who_can_see(requester.id)
            if access.name and access.reason != "stay-refused"
        ],
        "rows": _TILE_ROWS,
        "reasons": REASONS,
    }


async def _patients(platform: Platform, requester: Requester) -> Mapping[str, Any]:
    return {"patients": (await platform[Access].grants.list_patients(requester, limit=_PATIENTS)).items}


async def _ended(platform: Platform, requester: Requester) -> Mapping[str, Any]:
    since = clock.now() - timedelta(days=_ENDED_DAYS)
    return {"count": await platform[Access].ceilings.count_ended(requester.id, since)}


async def _proposals(platform: Platform, requester: Requester) -> Mapping[str, Any]:
    changes = await platform[Access].assignments.list_changes(requester)
    return {
        "changes": [one for one in changes if one.state == "proposed"][:_REVIEWS],
        "states": STATES,
        "classes": platform.categories,
        "categories": {one.key: one.label for one in policy_set().matrix.categories},
    }


def _history_kept(day: date) -> timedelta:
    """How long the journal keeps the accesses to a record at least."""
    moment = datetime.combine(day, time(), UTC)
    return timedelta(days=retention_policy(AccessEvent.TYPE, moment, of_person=True).days)


SERVICE = Service(
    package="esante.identity.access",
    settings=AccessSettings,
    build=_build,
    routes=_routes,
    admit=_admit,
    start=_start,
    consumers=_consumers,
    tasks=_tasks,
    capabilities=_capabilities,
    categories={ACCESS_LOG: N_("Access history")},
    navigation=[
        NavigationItem(role="patient", url="/sharing", label=N_("Sharing"), icon="sharing", order=30),
        NavigationItem(role="patient", url="/log", label=P_("menu", "Access history"), icon="eye", order=40),
        NavigationItem(role="patient", url="/apps", label=N_("Apps"), menu=True),
        NavigationItem(role="practitioner", url="/patients", label=N_("Patients"), icon="people", order=20),
        NavigationItem(
            role="practitioner", url="/emergency", label=N_("Emergency access"), icon="emergency", order=30
        ),
        NavigationItem(role="practitioner", url="/acting", label=N_("Act for someone else"), menu=True),
        NavigationItem(role="practitioner", url="/apps", label=N_("Apps"), menu=True),
        *disposition.NAVIGATION,
        NavigationItem(role="operator", url="/operator/assignments", label=N_("Access rules"), icon="lock", order=45),
        NavigationItem(role="operator", url="/operator/reviews", label=P_("menu", "Reviews"), icon="check", order=20),
    ],
    actions=[
        QuickAction(
            role="patient",
            url="/sharing",
            icon="key",
            label=N_("Give a doctor access"),
            hint=N_("with a presence code"),
            order=10,
            main=True,
        ),
        QuickAction(
            role="practitioner",
            url="/patients",
            icon="key",
            label=N_("Enter a patient's presence code"),
            hint=N_("opens the record for the time the patient has chosen"),
            order=10,
            main=True,
        ),
        QuickAction(
            role="practitioner",
            url="/emergency",
            icon="emergency",
            label=N_("Emergency access"),
            hint=N_("you must give a reason; the patient is notified immediately"),
            order=20,
        ),
    ],
    tiles=[
        HomeTile(role="patient", template="access/tile_log.html", load=_recent_accesses, order=30, half=True),
        HomeTile(role="patient", template="access/tile_grants.html", load=_grants, order=40, half=True),
        HomeTile(role="practitioner", template="access/tile_ended.html", load=_ended, order=10),
        HomeTile(role="practitioner", template="access/tile_patients.html", load=_patients, order=20),
        HomeTile(role="operator", template="access/tile_assignments.html", load=_proposals, order=22),
        *reviews.TILES,
        *disposition.TILES,
    ],
    dispositions=lambda platform: platform[Access].lifecycle.handlers(),
    kept=[
        KeptData(
            what=N_("Whom you gave access, whom you blocked, and your other choices"),
            why=N_("So that your decisions count."),
        ),
        KeptData(
            what=N_("Who acts for you, such as a parent, a guardian or a trusted person, and by which act"),
            why=N_("So that only they can act for you."),
        ),
        KeptData(
            what=N_("What you allowed apps to do"),
            why=N_("So that you are not asked each time."),
            how_long=lambda day: policy(day).app_allowed,
        ),
        KeptData(
            what=N_("Who did what with your data, when, and from which network address: your access history"),
            why=N_("So that you can see and prove it."),
            how_long=_history_kept,
            with_data=True,
        ),
    ],
    notices=[*reviews.NOTICES, *stays.NOTICES, *consent.NOTICES, *disposition.NOTICES],
    commands=[client, access],
)

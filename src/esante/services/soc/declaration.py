"""Declaration of the watch over the security of the health sector."""

from collections.abc import Iterable
from urllib.parse import urlsplit

from starlette.routing import BaseRoute

from esante.contract import NavigationItem, Platform, Service, Task
from esante.core.web import N_, Problem
from esante.identity.access import Access, Requester
from esante.identity.directory import Directory
from esante.services.soc.alerts.service import Alerts
from esante.services.soc.cli import soc
from esante.services.soc.console.event_search import EventSearch
from esante.services.soc.console.flow import SAMPLED_EVERY, EventFlow
from esante.services.soc.console.members import MemberLists
from esante.services.soc.console.pages.event_pages import EventPages
from esante.services.soc.console.pages.member_pages import MemberPages
from esante.services.soc.console.pages.page_words import CONTACT, OPERATOR
from esante.services.soc.console.pages.source_pages import SourcePages
from esante.services.soc.intake.settings import IntakeSettings
from esante.services.soc.sources.service import Sources
from esante.services.soc.storage.service import EventStore
from esante.services.soc.tenants.service import Tenants


def _build(platform: Platform) -> Iterable[object]:
    db, journal, directory = platform.db, platform.journal, platform[Directory]
    tenants, events = Tenants(db, journal, directory), EventStore(db)
    yield tenants
    yield events
    yield Alerts(db, journal, tenants)
    yield Sources(db, journal, tenants)
    yield EventFlow(db, tenants)
    yield EventSearch(db, journal, tenants, events)
    yield MemberLists(db, tenants, directory)


def _routes(platform: Platform) -> list[BaseRoute]:
    access, tenants, sources = platform[Access], platform[Tenants], platform[Sources]
    search, lists = platform[EventSearch], platform[MemberLists]
    host = urlsplit(platform.settings.base_url).hostname or ""
    return [
        *MemberPages(lists, tenants, sources, access).routes(),
        *SourcePages(sources, search, access, host).routes(),
        *EventPages(search, lists, access).routes(),
    ]


def _tasks(platform: Platform) -> list[Task]:
    return [Task(name="rates of security events", run=platform[EventFlow].sample, every=SAMPLED_EVERY)]


async def _is_contact(platform: Platform, requester: Requester) -> bool:
    """Return whether somebody is a contact of a member."""
    try:
        await platform[Tenants].scope_of(requester)
    except Problem:
        return False
    return True


SERVICE = Service(
    package="esante.services.soc",
    settings=IntakeSettings,
    build=_build,
    routes=_routes,
    tasks=_tasks,
    commands=[soc],
    navigation=[
        NavigationItem(role="operator", url=f"{OPERATOR}/members", label=N_("Security"), icon="lock", order=35),
        NavigationItem(
            role="practitioner",
            url=f"{CONTACT}/members",
            label=N_("Security"),
            icon="lock",
            order=70,
            only_for=_is_contact,
        ),
    ],
)

"""Sources, events as they come, and what the console shows of everything."""

from collections.abc import Iterable
from urllib.parse import urlsplit

from starlette.routing import BaseRoute

from esante.contract import Platform, Task
from esante.contract_parts import Part
from esante.identity.access import Access
from esante.identity.directory import Directory
from esante.services.soc.console.event_search import EventSearch
from esante.services.soc.console.flow import SAMPLED_EVERY, EventFlow
from esante.services.soc.console.members import MemberLists
from esante.services.soc.console.overview import Overview
from esante.services.soc.console.timeline import Timeline
from esante.services.soc.duties.service import Duties
from esante.services.soc.pages.console.event_pages import EventPages
from esante.services.soc.pages.console.member_pages import MemberPages
from esante.services.soc.pages.console.overview_pages import OverviewPages
from esante.services.soc.pages.console.source_pages import SourcePages
from esante.services.soc.silence.service import Silences
from esante.services.soc.sources.service import Sources
from esante.services.soc.storage.service import EventStore
from esante.services.soc.tenants.service import Tenants


def _build(platform: Platform) -> Iterable[object]:
    db, journal, tenants = platform.db, platform.journal, platform[Tenants]
    events = EventStore(db)
    yield events
    yield Sources(db, journal, tenants)
    yield EventFlow(db, tenants)
    yield EventSearch(db, journal, tenants, events)
    yield MemberLists(db, tenants, platform[Directory])
    yield Overview(db, tenants)
    yield Timeline(db, tenants)


def _routes(platform: Platform) -> list[BaseRoute]:
    access, sources = platform[Access], platform[Sources]
    search, lists = platform[EventSearch], platform[MemberLists]
    overview, flow, timeline = platform[Overview], platform[EventFlow], platform[Timeline]
    host = urlsplit(platform.settings.base_url).hostname or ""
    return [
        *OverviewPages(overview, flow, timeline, platform[Duties], access).routes(),
        *MemberPages(lists, platform[Tenants], sources, access).routes(),
        *SourcePages(sources, platform[Silences], search, access, host).routes(),
        *EventPages(search, lists, access).routes(),
    ]


def _tasks(platform: Platform) -> list[Task]:
    return [Task(name="rates of security events", run=platform[EventFlow].sample, every=SAMPLED_EVERY)]


CONSOLE = Part(build=_build, routes=_routes, tasks=_tasks)

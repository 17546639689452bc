"""The pages of cases and of the console, and browsers that are signed in or not."""

import pytest

from esante.services.soc.console.event_search import EventSearch
from esante.services.soc.console.members import MemberLists
from esante.services.soc.console.overview import Overview
from esante.services.soc.console.timeline import Timeline
from esante.services.soc.pages.cases.case_pages import CasePages
from esante.services.soc.pages.cases.duty_pages import DutyPages
from esante.services.soc.pages.cases.exercise_pages import ExercisePages
from esante.services.soc.pages.cases.practice_pages import PracticePages
from esante.services.soc.pages.cases.queue_pages import QueuePages
from esante.services.soc.pages.cases.suppression_pages import SuppressionPages
from esante.services.soc.pages.console.event_pages import EventPages
from esante.services.soc.pages.console.member_pages import MemberPages
from esante.services.soc.pages.console.overview_pages import OverviewPages
from esante.services.soc.pages.console.source_pages import SourcePages
from esante.services.soc.silence.service import Silences
from esante.services.soc.storage.service import EventStore
from tests.support.signed_in_pages import application_of, browsers_of


@pytest.fixture
def app(world, sources, flow):
    """The pages."""
    access, acts = world.access, (world.evidence, world.closing, world.containment, world.handovers)
    search = EventSearch(world.db, world.journal, world.tenants, EventStore(world.db))
    lists = MemberLists(world.db, world.tenants, world.directory)
    silences = Silences(world.db, world.journal, world.tenants, world.alerts)
    overview, timeline = Overview(world.db, world.tenants), Timeline(world.db, world.tenants)
    routes = [
        *QueuePages(world.triage, world.dismissals, world.alerts, access).routes(),
        *SuppressionPages(world.suppressions, access).routes(),
        *ExercisePages(world.exercises, access).routes(),
        *CasePages(world.cases, *acts, world.messages, access).routes(),
        *DutyPages(world.duties, world.tenants, access).routes(),
        *PracticePages(world.cases, world.duties, access).routes(),
        *MemberPages(lists, world.tenants, sources, access).routes(),
        *SourcePages(sources, silences, search, access, "soc.example").routes(),
        *EventPages(search, lists, access).routes(),
        *OverviewPages(overview, flow, timeline, world.duties, access).routes(),
    ]
    return application_of(access, routes)


@pytest.fixture
async def browse(app):
    """`await browse(requester)` returns a browser in which the requester (None: nobody) is signed in."""
    async with browsers_of(app) as visit:
        yield visit

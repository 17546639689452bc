"""Hunts, threat intelligence, sharing, silence and coverage."""

from collections.abc import Iterable
from datetime import timedelta

from starlette.routing import BaseRoute

from esante.contract import KeptData, Platform, Task
from esante.contract_parts import Part
from esante.core.outbound import AddressPolicy, parse_networks
from esante.core.web import N_
from esante.identity.access import Access
from esante.services.soc.alerts.service import Alerts
from esante.services.soc.coverage.service import CoverageOfMembers
from esante.services.soc.hunting.archive import Archive
from esante.services.soc.hunting.holdings import Holdings
from esante.services.soc.hunting.hunts import Hunts
from esante.services.soc.hunting.retention import Retention
from esante.services.soc.hunting.search import HuntSearch
from esante.services.soc.hunting.tenant_data import TenantData
from esante.services.soc.intelligence.feeds import FeedReader, load_feeds
from esante.services.soc.intelligence.service import Intelligence
from esante.services.soc.intelligence.warning_lists import load_warning_lists
from esante.services.soc.pages.hunting.hunt_pages import HuntPages
from esante.services.soc.pages.hunting.indicator_pages import IndicatorPages
from esante.services.soc.pages.hunting.sharing_pages import SharingPages
from esante.services.soc.retention_rules import kept_for
from esante.services.soc.settings import SocSettings
from esante.services.soc.sharing.advisories import Advisories
from esante.services.soc.sharing.sightings import SightingBook
from esante.services.soc.silence.service import Silences
from esante.services.soc.storage.service import EventStore
from esante.services.soc.tenants.service import Tenants


def _build(platform: Platform) -> Iterable[object]:
    db, objects, journal = platform.db, platform.objects, platform.journal
    tenants, events, alerts = platform[Tenants], platform[EventStore], platform[Alerts]
    settings = platform.settings.of(SocSettings)
    scratch = platform.settings.data / "hunts"
    scratch.mkdir(parents=True, exist_ok=True, mode=0o700)
    search = HuntSearch(db, objects, events, scratch)
    archive = Archive(db, objects, journal, events, settings.soc_hot_days)
    yield search
    yield archive
    yield Hunts(db, journal, tenants, search)
    yield Holdings(db, tenants)
    yield Retention(db, journal, archive)
    yield TenantData(db, objects, journal, tenants, events, archive)
    reader = FeedReader(AddressPolicy(parse_networks(settings.soc_feed_networks)))
    lists = load_warning_lists(settings.soc_warning_lists)
    yield Intelligence(db, journal, alerts, search, reader, load_feeds(settings.soc_feeds), lists)
    key = SightingBook.open_key(platform.settings.data / "keys" / "soc-sightings.key")
    yield SightingBook(db, journal, tenants, key)
    yield Advisories(db, journal, tenants)
    yield Silences(db, journal, tenants, alerts)
    yield CoverageOfMembers(db, tenants, settings.soc_rules)


def _routes(platform: Platform) -> list[BaseRoute]:
    access = platform[Access]
    advisories, sightings = platform[Advisories], platform[SightingBook]
    covered, silences = platform[CoverageOfMembers], platform[Silences]
    return [
        *HuntPages(platform[Hunts], platform[Holdings], platform[TenantData], access).routes(),
        *IndicatorPages(platform[Intelligence], access).routes(),
        *SharingPages(advisories, sightings, covered, silences, access).routes(),
    ]


def _tasks(platform: Platform) -> list[Task]:
    intelligence, hunts = platform[Intelligence], platform[Hunts]
    return [
        Task(name="security events to files", run=platform[Archive].run, every=timedelta(minutes=10)),
        Task(name="end of kept security events", run=platform[Retention].run, every=timedelta(hours=1)),
        Task(name="old hunts", run=hunts.tidy, every=timedelta(minutes=5)),
        Task(name="feeds of indicators", run=intelligence.read_feeds, every=timedelta(minutes=1)),
        Task(name="new indicators in past events", run=intelligence.search_past, every=timedelta(minutes=10)),
        Task(name="old matches of indicators", run=intelligence.tidy, every=timedelta(hours=6)),
        Task(name="old sightings", run=platform[SightingBook].tidy, every=timedelta(hours=6)),
        Task(name="silent sources", run=platform[Silences].check, every=timedelta(minutes=1)),
    ]


_KEPT = [
    KeptData(
        what=N_("Events of computers and software of members: among others who did what on which computer, and when"),
        why=N_("To find attacks on health data, also long after they began."),
        how_long=kept_for("events"),
    ),
]
HUNTING = Part(build=_build, routes=_routes, tasks=_tasks, kept=_KEPT)

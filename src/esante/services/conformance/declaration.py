"""Declaration of software: its attestation, vendors, conformance kits, labels."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from starlette.routing import BaseRoute

from esante.contract import (
    DemoStep,
    HomeTile,
    KeptData,
    NavigationItem,
    Platform,
    QuickAction,
    Service,
    Task,
)
from esante.core.outbound import AddressPolicy, parse_networks
from esante.core.web import N_, P_
from esante.identity.access import Access, Requester
from esante.services.conformance.cli import conformance
from esante.services.conformance.demo import load_demo
from esante.services.conformance.kits.run_links import RunLinks
from esante.services.conformance.kits.runs import Runs
from esante.services.conformance.kits.session import LOOPBACK
from esante.services.conformance.labels.service import Labels
from esante.services.conformance.pages import routes
from esante.services.conformance.pages.software_pages import home_of
from esante.services.conformance.service import Conformance
from esante.services.conformance.terms import terms_on
from esante.services.conformance.vendors.service import Vendors

_LOOPBACK_NETWORKS = "127.0.0.0/8 ::1/128"
"""In the demo, software on the same machine can be tested."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConformanceSettings:
    """`conformance_networks`: networks beside the public internet with software to be tested (CIDR, spaces).

    `conformance_listen`: the address of this machine on which kits wait for calls of the software.
    """

    conformance_networks: str = ""
    conformance_listen: str = LOOPBACK


def _build(platform: Platform) -> Iterable[object]:
    db, journal, access, settings = platform.db, platform.journal, platform[Access], platform.settings
    own = settings.of(ConformanceSettings)
    policy = AddressPolicy(parse_networks(own.conformance_networks or (_LOOPBACK_NETWORKS if settings.demo else "")))
    software, vendors = Conformance(db, journal, access), Vendors(db, journal, access)
    runs = Runs(db, journal, vendors, policy, settings.data / "keys" / "conformance.pem", own.conformance_listen)
    links, labels = RunLinks(db, journal, access, runs), Labels(db, journal, software, vendors, runs)
    yield from (software, vendors, runs, links, labels)


def _routes(platform: Platform) -> list[BaseRoute]:
    return routes(
        platform[Access],
        platform[Conformance],
        platform[Vendors],
        platform[Runs],
        platform[RunLinks],
        platform[Labels],
        platform.settings.base_url,
    )


def _tasks(platform: Platform) -> list[Task]:
    day = timedelta(days=1)
    return [
        Task(name="labels", run=platform[Labels].tend, every=day),
        Task(name="registrations of vendors", run=platform[Vendors].tidy, every=day),
    ]


async def _waiting_vendors(platform: Platform, requester: Requester) -> int:
    return await platform[Vendors].count_waiting()


async def _waiting_labels(platform: Platform, requester: Requester) -> int:
    return await platform[Labels].count_waiting()


async def _home(platform: Platform, requester: Requester) -> Mapping[str, Any]:
    return await home_of(platform[Vendors], platform[Labels], requester)


SERVICE = Service(
    package="esante.services.conformance",
    settings=ConformanceSettings,
    build=_build,
    routes=_routes,
    tasks=_tasks,
    commands=[conformance],
    navigation=[
        NavigationItem(
            role="operator", url="/operator/software", label=N_("Attested software"), icon="check", order=50
        ),
        NavigationItem(
            role="operator",
            url="/operator/vendors",
            label=N_("Software vendors"),
            icon="people",
            order=51,
            waiting=_waiting_vendors,
        ),
        NavigationItem(
            role="operator",
            url="/operator/labels",
            label=P_("menu", "Labels"),
            icon="check",
            order=52,
            waiting=_waiting_labels,
        ),
        NavigationItem(role="vendor", url="/vendor/products", label=N_("My software"), icon="document", order=10),
        NavigationItem(role="vendor", url="/vendor/runs", label=N_("Conformance tests"), icon="check", order=20),
        NavigationItem(role="vendor", url="/vendor/account", label=N_("Account"), menu=True, order=30),
        NavigationItem(role="everyone", url="/software", label=P_("list", "Software"), order=25),
        NavigationItem(role="everyone", url="/vendors", label=N_("For software vendors"), order=26),
    ],
    actions=[
        QuickAction(
            role="vendor",
            url="/vendor/runs",
            icon="check",
            label=N_("Run a test"),
            hint=N_("See in minutes which requirements your software meets."),
            main=True,
        ),
        QuickAction(
            role="vendor",
            url="/vendor/products",
            icon="document",
            label=N_("My software"),
            hint=N_("Register products and versions, apply for labels."),
            order=10,
        ),
    ],
    tiles=[HomeTile(role="vendor", template="conformance/tile_vendor.html", load=_home)],
    kept=[
        KeptData(
            what=N_("The contact person of a software vendor, with their email address"),
            why=N_("To reach the vendor about tests and labels."),
            how_long=lambda day: terms_on(day).keep_unaccepted,
            with_data=True,
        )
    ],
    demo=[DemoStep(name="software and labels", load=load_demo)],
)

"""Software, vendors, tests and labels over this module's database, and browsers that are signed in or not."""

from contextlib import ExitStack
from datetime import timedelta

import pytest

from esante.core import clock
from esante.core.outbound import AddressPolicy, parse_networks
from esante.core.storage import uuid7
from esante.identity.access import Access, Requester
from esante.identity.directory import Directory
from esante.services.conformance import Conformance
from esante.services.conformance.kits.run_links import RunLinks
from esante.services.conformance.kits.runs import Runs
from esante.services.conformance.labels.service import Labels
from esante.services.conformance.pages import routes
from esante.services.conformance.vendors.model import VendorChange
from esante.services.conformance.vendors.service import Vendors
from tests.support.signed_in_pages import BASE, application_of, browsers_of

TABLES = (
    "conformance_label_review",
    "conformance_label",
    "conformance_run_link",
    "conformance_run",
    "conformance_act",
    "conformance_version",
    "conformance_product",
    "conformance_vendor",
    "access_attempt",
)
"""The tables of the package, each before those that it refers to, and counted attempts."""


@pytest.fixture(scope="module")
def access(db, journal):
    return Access(db, journal, Directory(db, journal), base_url=BASE)


@pytest.fixture
async def conformance(db, journal, access):
    """The use cases, without any product."""
    for table in TABLES:
        await db.fetch(f"DELETE FROM {table}")
    return Conformance(db, journal, access)


@pytest.fixture
def vendors(db, journal, access, conformance):
    return Vendors(db, journal, access)


@pytest.fixture
async def runs(db, journal, vendors, tmp_path):
    """Runs that may call software on this machine."""
    policy = AddressPolicy(parse_networks("127.0.0.0/8"))
    service = Runs(db, journal, vendors, policy, tmp_path / "conformance.pem")
    yield service
    await service.close()


@pytest.fixture
def links(db, journal, access, runs):
    return RunLinks(db, journal, access, runs)


@pytest.fixture
def labels(db, journal, conformance, vendors, runs):
    return Labels(db, journal, conformance, vendors, runs)


@pytest.fixture(scope="module")
def operator():
    return Requester(kind="operator", id=uuid7(), name="Olga Operator")


@pytest.fixture(scope="module")
def second_operator():
    return Requester(kind="operator", id=uuid7(), name="Otto Operator")


@pytest.fixture
async def vendor(vendors, operator):
    """A vendor who is accepted, as a requester."""
    found, _ = await vendors.register("Vendor SA", "Vera Vendor", "vera@vendor.example", "192.0.2.1")
    await vendors.change(operator, found.vendor_id, VendorChange.ACCEPTANCE)
    return found.requester("192.0.2.1")


@pytest.fixture
def days_later(journal):
    """`await days_later(n)` moves the clock on, until the end of the test."""
    with ExitStack() as stack:

        async def move(days):
            moment = clock.now() + timedelta(days=days)
            await journal.ensure_months(moment, moment)
            stack.enter_context(clock.use_clock(lambda: moment))

        yield move


@pytest.fixture
def app(conformance, vendors, runs, links, labels, access):
    """The pages of software."""
    return application_of(access, routes(access, conformance, vendors, runs, links, labels, BASE))


@pytest.fixture
async def browse(app):
    """`await browse(requester)` returns a browser in which the requester (None: nobody) is signed in."""
    async with browsers_of(app) as visit:
        yield visit

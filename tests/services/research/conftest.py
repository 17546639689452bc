"""The access body over this module's database: accounts, applications, decisions, permits, opt-outs."""

from datetime import UTC, datetime, timedelta

import pytest

from esante.core.storage import uuid7
from esante.identity.access import Access, Requester
from esante.identity.directory import Directory
from esante.services.research import OptOuts, Permits
from esante.services.research.accounts.service import Accounts
from esante.services.research.applications.decisions import Decisions
from esante.services.research.applications.service import Applications
from tests.support.record import open_world
from tests.support.research import accepted
from tests.support.research_lake import open_lake
from tests.support.signed_in_pages import BASE

TABLES = (
    "research_proposal",
    "research_message",
    "research_permit_member",
    "research_permit",
    "research_application",
    "research_account",
    "research_opt_out",
    "access_attempt",
)
"""The tables, each before those that it refers to, and counted attempts."""


@pytest.fixture(scope="module")
async def access(db, journal):
    """Access over a journal that takes entries of the coming years."""
    now = datetime.now(UTC)
    await journal.ensure_months(now, now + timedelta(days=800))
    return Access(db, journal, Directory(db, journal), base_url=BASE)


@pytest.fixture
async def accounts(db, journal, access):
    """The accounts of researchers, none yet; nothing else is there either."""
    for table in TABLES:
        await db.fetch(f"DELETE FROM {table}")
    return Accounts(db, journal, access)


@pytest.fixture
def permits(db, journal):
    return Permits(db, journal)


@pytest.fixture
def applications(db, journal, accounts):
    return Applications(db, journal, accounts)


@pytest.fixture
def decisions(db, journal, accounts, permits):
    return Decisions(db, journal, accounts, permits)


@pytest.fixture
def opt_outs(db, journal, access, accounts):
    return OptOuts(db, journal, access)


@pytest.fixture(scope="module")
def operator():
    return Requester(kind="operator", id=uuid7(), name="Olga Operator")


@pytest.fixture(scope="module")
def second_operator():
    return Requester(kind="operator", id=uuid7(), name="Otto Operator")


@pytest.fixture
async def researcher(accounts, operator):
    """A researcher who is accepted, as a requester."""
    return await accepted(accounts, operator, "Rita Researcher", "rita@uni.example")


@pytest.fixture(scope="module")
async def world(db, journal, objects):
    """People with records over this module's database."""
    async with open_world(db, journal, objects) as world:
        yield world


@pytest.fixture(scope="module")
def lake(world, tmp_path_factory):
    """The lake of the world."""
    return open_lake(world, tmp_path_factory.mktemp("lake"))

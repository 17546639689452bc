"""Fixtures: an empty journal, a bulletin over an invented past, archived forecasts."""

import pytest

from esante.services.bulletin.publication.issue_files import make_document
from esante.services.bulletin.releases.forecast_archive import issue_forecasts
from esante.services.bulletin.releases.published import PublishedReleases
from tests.conftest import create_database, open_journal
from tests.support.bulletin_issue import BASE, publish_at, sample_vintages
from tests.support.bulletin_journal import LAST, load_past, open_bulletin


@pytest.fixture
async def fresh(server, tmp_path):
    """An empty journal of one test's own."""
    async with open_journal(await create_database(server), tmp_path) as journal:
        yield journal


@pytest.fixture(scope="session")
async def past(server, tmp_path_factory):
    """The bulletin over four invented months, built once for tests that only read it."""
    folder = tmp_path_factory.mktemp("past")
    async with open_journal(await create_database(server), folder) as journal:
        await load_past(journal, 4, size=0.5)
        bulletin = open_bulletin(journal, folder)
        bulletin.db, bulletin.journal, bulletin.folder = journal.db, journal, folder
        bulletin.built = await bulletin.build(LAST, "anna")
        yield bulletin


@pytest.fixture(scope="session")
def months():
    """The 36 months of the sample issue."""
    return sample_vintages()


@pytest.fixture(scope="session")
def archived(months):
    """The released months of the sample issue, and the forecasts of the issue three months before its own."""
    vintages = [publish_at(vintage) for vintage in months]
    releases = PublishedReleases(vintages[:-3])
    issue = releases.issue_of(releases.find(releases.periods[0]))
    return vintages, issue_forecasts(make_document(issue, BASE))

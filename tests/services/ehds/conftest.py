"""The requirements over this module's database, and browsers that are signed in or not."""

import pytest

from esante.identity.access import Access
from esante.identity.directory import Directory
from esante.services.ehds.pages import requirement_pages
from esante.services.ehds.requirements.service import Requirements
from tests.support.signed_in_pages import BASE, application_of, browsers_of


@pytest.fixture
async def requirements(db, journal):
    """The requirements, without any recorded run."""
    await db.fetch("DELETE FROM ehds_test_run")
    return Requirements(db, journal)


@pytest.fixture
async def visit(db, journal, requirements):
    access = Access(db, journal, Directory(db, journal), base_url=BASE)
    async with browsers_of(application_of(access, requirement_pages.routes(requirements))) as visit:
        yield visit

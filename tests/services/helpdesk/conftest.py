"""The helpdesk over this module's database, people, and browsers that are signed in or not."""

from datetime import date

import pytest

from esante.core.storage import uuid7
from esante.identity.access import Access, Requester, requester_of
from esante.identity.directory import Directory, Identifier, Person
from esante.services.helpdesk import Helpdesk
from esante.services.helpdesk.pages import routes
from tests.support.signed_in_pages import BASE, application_of, browsers_of


@pytest.fixture(scope="module")
def directory(db, journal):
    return Directory(db, journal)


@pytest.fixture(scope="module")
def access(db, journal, directory):
    return Access(db, journal, directory, base_url=BASE)


@pytest.fixture(scope="module")
def helpdesk(db, journal, access):
    return Helpdesk(db, journal, access)


@pytest.fixture
async def patient(directory):
    """A person who uses the portal."""
    person = Person(
        id=uuid7(),
        identifiers=(Identifier("urn:test", uuid7().hex),),
        family="Muster",
        given=("Anna",),
        birth_date=date(1970, 5, 17),
        sex="female",
    )
    await directory.register_person(person)
    return requester_of(person)


@pytest.fixture(scope="module")
def operator():
    return Requester(kind="operator", id=uuid7(), name="Olga Operator")


@pytest.fixture(scope="module")
def app(helpdesk, access):
    """The pages of reports."""
    return application_of(access, routes(helpdesk, access))


@pytest.fixture
async def browse(app):
    """`await browse(requester)` returns a browser in which the requester (None: nobody) is signed in."""
    async with browsers_of(app) as visit:
        yield visit

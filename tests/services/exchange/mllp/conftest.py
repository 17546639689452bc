"""The processing of HL7 V2 messages over a world of people."""

import itertools
from datetime import date

import pytest

from esante.identity.directory import Identifier, matricule
from esante.services.exchange.hospital.patients import Patients, community_oid
from esante.services.exchange.mllp.admissions import Admissions
from esante.services.exchange.mllp.processor import MessageProcessor
from esante.services.exchange.mllp.results import Results
from tests.support.record import BASE, open_world

BORN = date(1980, 5, 17)
_SERIALS = itertools.count(1)


@pytest.fixture(scope="module")
async def world(db, journal, objects):
    """A world over this module's database."""
    async with open_world(db, journal, objects) as world:
        yield world


@pytest.fixture(scope="module")
def processor(world):
    """What processes messages."""
    patients = Patients(world.db, world.directory, community_oid(BASE))
    admissions = Admissions(world.access, world.directory, patients)
    results = Results(world.record, world.directory, patients)
    return MessageProcessor(world.db, world.journal, world.access, world.directory, admissions, results)


@pytest.fixture
async def patient(world):
    """A person with a matricule, and that."""
    number = matricule(BORN, next(_SERIALS))
    return await world.person(identifiers=[Identifier("urn:oid:1.3.182.4.4", number)]), number

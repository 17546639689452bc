"""Fixtures of the tests of exports."""

from dataclasses import replace
from datetime import timedelta

import orjson
import pytest

from esante.core.storage import Objects
from esante.identity.access import Confidentiality, requester_of
from esante.services.export import service as export_service
from esante.services.record import Deposit
from tests.support.clinical_resources import laboratory_report
from tests.support.export import open_export_platform
from tests.support.record import pdf


@pytest.fixture(autouse=True)
def no_settling_delay(monkeypatch):
    """Let the work begin at once: no write is under way at a kick-off in a test."""
    monkeypatch.setattr(export_service, "SETTLING", timedelta(0))


@pytest.fixture(scope="module")
def objects(tmp_path_factory):
    """An object store in files; `data` is its folder."""
    folder = tmp_path_factory.mktemp("objects")
    objects = Objects.open("", folder)
    objects.data = folder
    return objects


@pytest.fixture(scope="module")
async def platform(db, journal, objects):
    """The export service on this module's database."""
    async with open_export_platform(db, journal, objects) as platform:
        yield platform


@pytest.fixture(scope="module")
async def hospital(platform):
    """The software of a hospital that has a patient."""
    await platform.add_patient(platform.people["hospital"], documents=2)
    return platform.people["hospital"]


@pytest.fixture
async def http(platform, hospital):
    """An HTTP client of the hospital's software; its exports are removed after the test."""
    async with platform.client(hospital) as client:
        yield client
    await platform.cancel_all(hospital)


@pytest.fixture(scope="module")
async def large_client(platform):
    """The software of an organisation that has many patients."""
    client = replace(platform.people["hospital"], client="Many")
    for number in range(12):
        person = await platform.add_patient(client)
        for _ in range(3):
            await platform.deposit(person)
        bundle = laboratory_report(person, *((f"{number}-{result}", 14.1) for result in range(5)))
        await platform.deposit_fhir(person, orjson.dumps(bundle))
    return client


@pytest.fixture
async def patient(platform):
    """A patient with documents of several kinds, one of them hidden, two of the same title."""
    person = await platform.add_patient()
    for _ in range(2):
        await platform.deposit(person, title="Lettre / de sortie: à ../vous")
    hidden = await platform.deposit(person, title="Caché")
    await platform.world.record.set_confidentiality(requester_of(person), person.id, hidden.id, Confidentiality.HIDDEN)
    report = orjson.dumps(laboratory_report(person, ("1", 14.1)))
    await platform.deposit_fhir(person, report, by="laboratory")
    scan = Deposit(type="51852-2", title="Scan", media_type="application/pdf")
    await platform.world.record.deposit(platform.people["hospital"], person.id, pdf(), scan)
    return person

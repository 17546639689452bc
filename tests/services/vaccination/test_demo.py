"""The demonstration data of the card: doses that doctors with access entered."""

import pytest

from esante.app import open_platform
from esante.demo import build_world, find_requester, load
from esante.demo import store as demo_store
from esante.identity.access import Access, log_types, opening_grant
from esante.services.vaccination.card.service import VaccinationCards
from esante.settings import Settings


@pytest.fixture(scope="module")
async def platform(tmp_path_factory):
    """A platform with a small country."""
    async with open_platform(Settings(data=tmp_path_factory.mktemp("demo"), demo=True)) as platform:
        await load(platform, persons=60)
        yield platform


@pytest.fixture(scope="module")
async def citizens(platform):
    """The persons of the country."""
    seed, persons, day = await demo_store.find_world(platform.db)
    return [one.person for one in build_world(day, seed=seed, persons=persons).citizens]


async def test_doses_of_the_demo_leave_no_refusal_in_any_access_history(platform, citizens):
    refused = []
    for person in citizens:
        entries = await platform.journal.entries_of(person.id, log_types(), limit=10_000)
        refused += [one.event for one in entries if not getattr(one.event, "allowed", True)]
    assert [event for event in refused if getattr(event, "type", "") == "Immunization"] == []


async def test_first_account_holder_has_a_card_with_doses_of_a_doctor_with_access(platform, citizens):
    anna = citizens[0]
    own = await find_requester(platform, anna.name)
    doses = (await platform[VaccinationCards].load(own, anna.id)).card.given
    consent = await platform[Access].consent(anna.id)
    assert len(doses) >= 3
    for author in {dose.author.name for dose in doses if not dose.from_document}:
        doctor = await find_requester(platform, author)
        assert opening_grant(consent, doctor, min(dose.recorded_at for dose in doses)) is not None

"""A patient's consent for a country: given once, withdrawn at once, journalled, and shown in their own words."""

from dataclasses import replace

import pytest

from esante.identity.access import Granted, GrantEnded, GrantKind, requester_of
from esante.services.exchange.consent import CountryConsents, country_key
from tests.support.exchange_abroad import patient
from tests.support.record import refusal_of


@pytest.fixture
def consents(world):
    """The consents of a world."""
    return CountryConsents(world.access)


async def test_consent_given_twice_is_one_grant_and_one_entry(world, consents):
    person = await patient(world, consents="")
    requester = requester_of(person)
    for _ in range(2):
        await consents.give(requester, "DK", "Dänemark")
    given, none = await consents.list(requester, ["DK", "SE"])
    assert given.since is not None and none.since is None
    [(_, entry)] = await world.events(person, Granted)
    assert (entry.kind, entry.holder_id, entry.holder) == (GrantKind.COUNTRY, country_key("DK"), "Dänemark")
    assert entry.context == "care_abroad"


async def test_withdrawn_consent_is_journalled_and_gone(world, consents):
    person = await patient(world, consents="DK")
    requester = requester_of(person)
    await consents.withdraw(requester, "DK")
    assert [one.since for one in await consents.list(requester, ["DK"])] == [None]
    [(_, entry)] = await world.events(person, GrantEnded)
    assert entry.kind == GrantKind.COUNTRY
    assert (await refusal_of(consents.withdraw(requester, "DK")))[0] == 404


async def test_nobody_consents_for_another_person(world, consents):
    person = await patient(world, consents="")
    for requester in (world.people["doctor"], replace(requester_of(person), patient=country_key("DK"))):
        assert (await refusal_of(consents.give(requester, "DK", "Denmark")))[0] == 403


async def test_consent_of_a_closed_record_is_refused(world, consents):
    person = await patient(world, consents="", opened=False)
    assert (await refusal_of(consents.give(requester_of(person), "DK", "Denmark")))[0] == 409


async def test_page_about_access_says_that_a_country_reads(world):
    person = await patient(world, consents="DK")
    [access] = await world.access.who_can_see(person.id)
    assert (access.reads, access.reason, access.context.key) == (True, "country", "care_abroad")

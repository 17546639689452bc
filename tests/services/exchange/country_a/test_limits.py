"""Counters of requests: by patient, point of care, country and searching professional, each in its window."""

from dataclasses import replace
from datetime import date, timedelta
from unittest import mock

import pytest

from esante.core import clock
from esante.identity.access import RequestRejected
from esante.services.exchange.country_a import limits
from tests.support.country_a import COUNTRY, exchanged
from tests.support.exchange_abroad import number_of, patient, summary

MANY = {"country": 1_000, "place": 1_000, "patient": 1_000, "searches": 1_000}
CODE = "WARNING_SEC_UNEXPECTED_NUMBER_OF_REQUESTS"
SUMMARY = "60591-5"


@pytest.fixture
def limited():
    """Return what sets the limits of an hour."""
    with mock.patch.object(limits, "_periods") as periods:

        def set_limits(**most: int) -> None:
            windows = [limits._Window(timedelta(hours=1), MANY | most)]
            periods.return_value = (limits._Limits(date(2020, 1, 1), "test", True, windows),)

        yield set_limits


@pytest.mark.parametrize("name", ["country", "place", "patient"])
async def test_too_many_requests_are_refused_until_the_window_ends(world, abroad, limited, name):
    person = await patient(world, consents=COUNTRY)
    await summary(world, person)
    cx = number_of(person).cx
    limited(**{name: 3})
    later = clock.now() + timedelta(hours=len(name) * 5)
    await world.journal.ensure_months(later, later + timedelta(days=2))
    place = replace(abroad, doctor=replace(abroad.doctor, locality=f"Place of {name}"))
    with clock.use_clock(lambda: later):
        await world.db.fetch("DELETE FROM access_attempt")
        before = [one.outcome for one in await exchanged(world)].count(CODE)
        at = [await place.list_documents(cx, SUMMARY, assertions=place.assertions(cx, later)) for _ in range(5)]
        assert [[one.code for one in listing.errors] for listing in at] == [[], [], [], [CODE], [CODE]]
        assert [one.outcome for one in await exchanged(world)].count(CODE) == before + 2
    after = later + timedelta(hours=1)
    with clock.use_clock(lambda: after):
        assert not (await place.list_documents(cx, SUMMARY, assertions=place.assertions(cx, after))).errors


async def test_other_patient_and_other_place_are_not_refused(world, abroad, limited):
    first, second = await patient(world, consents=COUNTRY), await patient(world, consents=COUNTRY)
    limited(patient=1, place=100)
    await world.db.fetch("DELETE FROM access_attempt")
    for person, codes in ((first, ["ERROR_PS_NOT_FOUND"]), (first, [CODE]), (second, ["ERROR_PS_NOT_FOUND"])):
        listing = await abroad.list_documents(number_of(person).cx, SUMMARY)
        assert [one.code for one in listing.errors] == codes


async def test_searches_of_a_professional_are_limited_and_journalled_once(world, abroad, limited):
    person = await patient(world, consents=COUNTRY)
    limited(searches=2)
    await world.db.fetch("DELETE FROM access_attempt")
    found = [await abroad.discover(number_of(person)) for _ in range(4)]
    assert [one.refusal.code if one.refusal else "" for one in found] == ["", "", CODE, CODE]
    other = replace(abroad, doctor=replace(abroad.doctor, name_id="other@hospital.example"))
    assert (await other.discover(number_of(person))).patients
    rejected = await world.db.fetch("SELECT 1 FROM journal_entry WHERE type = $1", RequestRejected.TYPE)
    assert rejected


def test_packaged_limits_name_their_source():
    [period] = limits._periods()
    assert period.legal_source and not period.verified
    assert [one.lasts for one in period.windows] == [timedelta(hours=1), timedelta(days=1)]

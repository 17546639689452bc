"""Guesses of identifiers are bounded, also where many are made at once."""

import asyncio
from dataclasses import replace
from datetime import date, timedelta

import pytest

from esante.core.storage import NIL, uuid7
from esante.core.web import Problem
from esante.identity.access.authn.person_lookups import current_requester
from esante.identity.directory import Motive, PersonQuery, PersonSearched, current_motive
from tests.support.access_policy import changed_policy


@pytest.fixture
def guesser(house):
    """A doctor who has looked up nobody yet, as whoever is authenticated."""
    requester = replace(house.doctor, id=uuid7())
    token, stated = current_requester.set(requester), current_motive.set(Motive("TREAT", "case 7"))
    yield requester
    current_requester.reset(token)
    current_motive.reset(stated)


async def outcome(look_up) -> str:
    """Return what a look-up tells: known, unknown, or nothing ("refused")."""
    try:
        found = await look_up
    except Problem as problem:
        assert problem.status == 429
        return "refused"
    return "known" if found else "unknown"


@pytest.mark.parametrize("how", ["identifier", "search"])
async def test_many_guesses_at_once_tell_no_more_than_the_limit(house, guesser, how):
    def guess():
        if how == "identifier":
            return house.directory.find_person(None, uuid7().hex)
        query = PersonQuery(value=uuid7().hex)
        return house.directory.search_persons(query, actor=guesser.actor)

    with changed_policy(unknown_per_requester=10):
        told = await asyncio.gather(*(outcome(guess()) for _ in range(60)))
        assert (told.count("unknown"), told.count("refused")) == (10, 50)
        assert await outcome(guess()) == "refused"


async def test_limit_refuses_known_and_unknown_persons_alike(house, guesser):
    known = await house.identifier(await house.patient())
    with changed_policy(unknown_per_requester=3):
        assert await outcome(house.directory.find_person(None, known)) == "known"
        for _ in range(3):
            assert await outcome(house.directory.find_person(None, uuid7().hex)) == "unknown"
        assert await outcome(house.directory.find_person(None, known)) == "refused"
        assert await outcome(house.directory.find_person(None, uuid7().hex)) == "refused"


async def test_known_person_with_another_birth_date_counts_as_unknown(house, journal, guesser):
    patient = await house.patient()
    known, born = await house.identifier(patient), date(1970, 5, 17)
    with changed_policy(unknown_per_requester=2):
        assert await outcome(house.directory.find_person(None, known, born)) == "known"
        for _ in range(2):
            assert await outcome(house.directory.find_person(None, known, born + timedelta(1))) == "unknown"
        assert await outcome(house.directory.find_person(None, known, born)) == "refused"


async def test_known_persons_at_once_are_not_refused(house, guesser):
    known = await house.identifier(await house.patient())
    with changed_policy(unknown_per_requester=20):
        for _ in range(5):
            told = await asyncio.gather(*(outcome(house.directory.find_person(None, known)) for _ in range(15)))
            assert told == ["known"] * 15


async def test_look_up_of_nobody_is_journalled_once(house, journal, guesser):
    await house.directory.find_person(None, uuid7().hex)
    await house.directory.search_persons(PersonQuery(value=uuid7().hex), actor=guesser.actor)
    entries = await journal.entries_of(NIL, [PersonSearched], limit=20)
    mine = [entry.event for entry in entries if entry.actor.id == guesser.id]
    assert [event.found for event in mine] == [0, 0]


async def test_command_without_requester_is_not_limited(house):
    with changed_policy(unknown_per_requester=1):
        for _ in range(3):
            assert await house.directory.find_person(None, uuid7().hex) is None

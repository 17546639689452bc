"""Scans of the access log: pages, and readings folded into visits."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from esante.core.journal import Actor
from esante.core.storage import uuid7
from esante.identity.access.audit.log_scan import MAX_SCANNED, VISIT_PAUSE, scan_entries, scan_visits
from esante.identity.access.events import EmergencyDeclared
from tests.support.access_events import DOCTOR, PERSON, RecordCreated, RecordRead, RecordSearched, entry_of

OTHER = Actor(kind="practitioner", id=uuid7(), name="Dr Klein")
OWN = Actor(kind="patient", id=PERSON, name="Anna")
NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)


async def test_scan_pages_lose_and_repeat_nothing(journal):
    person = uuid7()
    for number in range(450):
        event = RecordRead(rule="odd" if number % 2 else "even")
        await journal.append(event, person_id=person, actor=DOCTOR)
    seen, before, pages = [], None, 0
    while True:
        page = await scan_entries(
            journal, [person], [RecordRead], lambda e: e.event.rule == "odd", before=before, limit=40
        )
        seen += [found.id for found in page.items]
        pages += 1
        if page.next is None:
            break
        before = type(person)(page.next)
    assert len(seen) == len(set(seen)) == 225
    assert seen == sorted(seen, reverse=True)
    assert pages == 6


class Entries:
    """A journal that has the given entries, newest first."""

    def __init__(self, *entries):
        self.entries = sorted(entries, key=lambda entry: entry.id, reverse=True)

    async def entries_of(self, person_id, types, *, before, limit):
        return [entry for entry in self.entries if before is None or entry.id < before][:limit]


def at(minutes, event, actor=DOCTOR):
    """An entry so many minutes before `NOW`."""
    moment = NOW - timedelta(minutes=minutes)
    return replace(entry_of(event, actor), id=uuid7(moment), at=moment)


async def visits_of(*entries, limit=25, before=None):
    page = await scan_visits(Entries(*entries), [PERSON], [], lambda entry: True, before=before, limit=limit)
    return [[NOW - entry.at for entry in visit.entries] for visit in page.items]


async def test_readings_without_a_pause_are_one_visit():
    found = await visits_of(at(0, RecordRead()), at(20, RecordSearched()), at(49, RecordRead()), at(90, RecordRead()))
    assert [len(visit) for visit in found] == [3, 1]


async def test_visits_of_two_people_at_once_are_two():
    found = await visits_of(*(at(minute, RecordRead(), (DOCTOR, OTHER)[minute % 2]) for minute in range(6)))
    assert [len(visit) for visit in found] == [3, 3]


async def test_visit_in_the_name_of_a_professional_is_not_the_professionals_own():
    delegated = msgspec.structs.replace(DOCTOR, delegate="Sam Secretary")
    found = await visits_of(at(0, RecordRead()), at(1, RecordRead(), delegated), at(2, RecordRead()))
    assert sorted(len(visit) for visit in found) == [1, 2]


async def test_own_readings_are_folded_whatever_their_purpose():
    found = await visits_of(at(0, RecordRead(purpose="PATRQT"), OWN), at(1, RecordSearched(), OWN))
    assert [len(visit) for visit in found] == [2]


@pytest.mark.parametrize(
    "event",
    [RecordRead(allowed=False), RecordCreated(), EmergencyDeclared(justification="x"), RecordRead(purpose="ETREAT")],
)
async def test_refusal_change_emergency_and_other_purpose_stand_alone(event):
    found = await visits_of(at(0, RecordRead()), at(1, event), at(2, RecordRead()))
    assert sorted(len(visit) for visit in found) == [1, 2]


@given(st.lists(st.tuples(st.integers(0, 300), st.sampled_from([DOCTOR, OTHER, OWN]), st.booleans()), max_size=40))
async def test_pages_of_visits_hold_every_entry_once_and_no_pause(readings):
    entries = [at(minute, RecordRead(allowed=allowed), actor) for minute, actor, allowed in readings]
    journal, before, seen = Entries(*entries), None, []
    while True:
        page = await scan_visits(journal, [PERSON], [], lambda entry: True, before=before, limit=3)
        assert len(page.items) <= 3
        for visit in page.items:
            times = [entry.at for entry in visit.entries]
            assert times == sorted(times, reverse=True)
            assert all(later - earlier <= VISIT_PAUSE for later, earlier in pairwise(times))
            assert len({entry.actor for entry in visit.entries}) == 1
        seen += [entry.id for visit in page.items for entry in visit.entries]
        if page.next is None:
            break
        before = type(PERSON)(page.next)
    assert sorted(seen) == sorted(entry.id for entry in entries)


async def test_scan_of_visits_ends_after_its_bound():
    entries = [at(minute, RecordRead(), OWN) for minute in range(MAX_SCANNED + 10)]
    page = await scan_visits(Entries(*entries), [PERSON], [], lambda entry: True, limit=25)
    assert sum(len(visit.entries) for visit in page.items) == MAX_SCANNED
    assert page.next is not None

"""Referring doctors: when the function begins, ends, and is replaced."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from esante.core.journal import SYSTEM
from esante.core.web import Problem
from esante.identity.directory import ReferringDoctorChanged
from esante.identity.directory.functions.referring_doctors import first_of_month
from tests.support.directory_entries import a_person, a_practitioner


@pytest.fixture
async def people(directory):
    """A person and three doctors."""
    person, *doctors = a_person(), a_practitioner(), a_practitioner(), a_practitioner()
    await directory.register_person(person)
    await directory.register_practitioners(doctors)
    return person, doctors


async def functions(directory, person):
    return [(one.practitioner_id, one.since, one.until) for one in await directory.referring_doctors.of(person.id)]


@given(st.dates(date(2000, 1, 1), date(2100, 1, 1)), st.integers(0, 24))
def test_first_of_month_is_so_many_months_later(day, after):
    first = first_of_month(day, after)
    assert first.day == 1
    assert (first.year - day.year) * 12 + first.month - day.month == after


async def test_function_begins_on_first_of_month_after_notice_and_ends_that_of_the_doctor_before(directory, people):
    person, (old, new, _) = people
    await directory.referring_doctors.designate(person.id, old, date(2025, 12, 31), actor=SYSTEM)
    await directory.referring_doctors.designate(person.id, new, date(2026, 5, 1), actor=SYSTEM)
    assert await functions(directory, person) == [
        (old.id, date(2026, 1, 1), date(2026, 6, 1)),
        (new.id, date(2026, 6, 1), None),
    ]


async def test_repeated_notice_changes_nothing(directory, people, journal):
    person, (doctor, _, _) = people
    first = await directory.referring_doctors.designate(person.id, doctor, date(2026, 5, 2), actor=SYSTEM)
    assert await directory.referring_doctors.designate(person.id, doctor, date(2026, 5, 30), actor=SYSTEM) == first
    assert len(await journal.entries_of(person.id, [ReferringDoctorChanged])) == 1


async def test_function_that_never_began_is_replaced_without_trace_in_force(directory, people):
    person, (old, new, _) = people
    await directory.referring_doctors.designate(person.id, old, date(2026, 5, 2), actor=SYSTEM)
    await directory.referring_doctors.designate(person.id, new, date(2026, 4, 2), actor=SYSTEM)
    assert await functions(directory, person) == [(new.id, date(2026, 5, 1), None)]


async def test_function_ends_on_first_of_month_after_notice(directory, people, journal):
    person, (doctor, other, _) = people
    await directory.referring_doctors.designate(person.id, doctor, date(2025, 1, 1), actor=SYSTEM)
    until = await directory.referring_doctors.end(person.id, doctor, date(2026, 2, 14), actor=SYSTEM)
    assert until == date(2026, 3, 1)
    assert await functions(directory, person) == [(doctor.id, date(2025, 2, 1), until)]
    (ended, _) = [entry.event for entry in await journal.entries_of(person.id, [ReferringDoctorChanged])]
    assert (ended.practitioner_id, ended.until) == (doctor.id, until)
    for nobody in (doctor, other):
        with pytest.raises(Problem) as problem:
            await directory.referring_doctors.end(person.id, nobody, date(2026, 5, 1), actor=SYSTEM)
        assert problem.value.status == 404


async def test_replacement_lasts_a_year_at_most_and_leaves_the_function(directory, people):
    person, (doctor, substitute, _) = people
    await directory.referring_doctors.designate(person.id, doctor, date(2025, 1, 1), actor=SYSTEM)
    replace = directory.referring_doctors.replace
    await replace(person.id, substitute, date(2026, 3, 1), date(2027, 3, 1), actor=SYSTEM)
    assert await functions(directory, person) == [
        (doctor.id, date(2025, 2, 1), None),
        (substitute.id, date(2026, 3, 1), date(2027, 3, 1)),
    ]
    for until in (date(2027, 3, 2), date(2026, 3, 1), date(2026, 1, 1)):
        with pytest.raises(Problem) as problem:
            await replace(person.id, substitute, date(2026, 3, 1), until, actor=SYSTEM)
        assert problem.value.status == 400

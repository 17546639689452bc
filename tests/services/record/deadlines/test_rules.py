"""Deadlines: fifteen days, by the calendar of the country, for the kinds that the regulation names."""

from datetime import UTC, date, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from esante.services.record import CATEGORIES
from esante.services.record.deadlines.model import DepositTask
from esante.services.record.deadlines.rules import (
    answers,
    due_after_care,
    due_after_request,
    is_in_time,
    kind_of,
)
from esante.services.record.deadlines.terms import deadline_terms

DAY = date(2026, 11, 29)


def test_kinds_have_types_that_the_record_accepts_each_in_one_kind_only():
    known = {type_.code for category in CATEGORIES.values() for type_ in category.types}
    terms = deadline_terms(DAY)
    assert set(terms.kind_of_type) <= known
    assert set(terms.kind_of_type.values()) == set(terms.kinds)
    assert (terms.care_days, terms.request_days) == (15, 15)


@pytest.mark.parametrize(
    ("type_", "kind"), [("11502-2", "laboratory_report"), ("18842-5", "discharge_letter"), ("51852-2", "")]
)
def test_kind_of_a_type(type_, kind):
    assert kind_of(type_, DAY) == kind


@given(st.dates(date(2020, 1, 1), date(2050, 1, 1)), st.integers(0, 60))
def test_fifteenth_day_after_the_care_is_in_time_and_the_sixteenth_is_not(care, days):
    assert is_in_time(care, care + timedelta(days=days)) is (days <= 15)


def test_request_of_the_evening_is_one_of_the_next_day_in_the_country():
    asked = datetime(2026, 11, 29, 23, 30, tzinfo=UTC)
    assert due_after_request(asked) == date(2026, 12, 15)
    assert due_after_care(date(2028, 2, 29)) == date(2028, 3, 15)


def a_task(**changes) -> DepositTask:
    return DepositTask(
        id=UUID(int=1),
        person_id=UUID(int=2),
        depositor_id=UUID(int=3),
        depositor_kind="organization",
        depositor="H",
        kind="laboratory_report",
        source="request",
        asked_at=datetime(2026, 11, 29, tzinfo=UTC),
        due_on=DAY,
        **{"care_on": DAY} | changes,
    )


@pytest.mark.parametrize(
    ("changes", "kind", "event_date", "depositor", "answered"),
    [
        ({}, "laboratory_report", DAY, 3, True),
        ({}, "laboratory_report", DAY - timedelta(days=1), 3, False),
        ({"care_on": None}, "laboratory_report", DAY - timedelta(days=900), 3, True),
        ({}, "imaging_report", DAY, 3, False),
        ({}, "", DAY, 3, False),
        ({}, "laboratory_report", DAY, 4, False),
    ],
)
def test_document_answers_a_task_of_its_kind_and_depositor_not_from_before(
    changes, kind, event_date, depositor, answered
):
    assert answers(a_task(**changes), kind, event_date, {UUID(int=depositor), None}) is answered


def test_task_is_overdue_after_its_last_day():
    assert not a_task().is_overdue(DAY)
    assert a_task().is_overdue(DAY + timedelta(days=1))

"""The transitions between the states of a record."""

from datetime import UTC, datetime, timedelta
from itertools import product

import pytest

from esante.identity.access import RecordState
from esante.identity.access.consent.record_states import (
    TRANSITIONS,
    next_state,
    objection_ends,
    state_after_correction,
)

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)


def test_transitions_are_exactly_the_documented_ones():
    ways = {(s, act): next_state(s, act) for s, act in product(RecordState, (*TRANSITIONS, "x"))}
    assert {way: after for way, after in ways.items() if after} == {
        (RecordState.ANNOUNCED, "activate"): RecordState.OPEN,
        (RecordState.OPEN, "activate"): RecordState.OPEN,
        (RecordState.ANNOUNCED, "object"): RecordState.OBJECTED,
        (RecordState.OPEN, "object"): RecordState.OBJECTED,
        (RecordState.OBJECTED, "object"): RecordState.OBJECTED,
        (RecordState.OPEN, "close"): RecordState.CLOSED,
        (RecordState.CLOSED, "close"): RecordState.CLOSED,
        (RecordState.OBJECTED, "reopen"): RecordState.OPEN,
        (RecordState.CLOSED, "reopen"): RecordState.OPEN,
        (RecordState.DELETED, "reopen"): RecordState.OPEN,
        (RecordState.OPEN, "reopen"): RecordState.OPEN,
    }


def test_objection_ends_with_the_thirtieth_day_after_the_letter():
    sent = datetime(2026, 11, 29, 23, 30, tzinfo=UTC)  # 30 November in Luxembourg
    assert objection_ends(sent) == datetime(2026, 12, 30, 23, tzinfo=UTC)


@pytest.mark.parametrize(
    ("until", "state"),
    [(NOW + timedelta(days=1), RecordState.ANNOUNCED), (NOW, RecordState.OPEN), (None, RecordState.OPEN)],
)
def test_corrected_death_leads_back_to_the_state_that_time_gives(until, state):
    assert state_after_correction(until, NOW) is state

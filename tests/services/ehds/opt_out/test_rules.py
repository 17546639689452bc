"""The periods in which a record was shared, against a plain walk over its entries."""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from esante.identity.access import RecordState, SharingChanged, StateChanged
from esante.services.ehds.opt_out.rules import period_at, periods_of

START = datetime(2026, 1, 1, tzinfo=UTC)
EVENTS = [
    SharingChanged(sharing=True),
    SharingChanged(sharing=False),
    StateChanged(before=RecordState.ANNOUNCED, after=RecordState.OPEN),
    StateChanged(before=RecordState.OPEN, after=RecordState.CLOSED),
]


def entries_of(events):
    return [
        SimpleNamespace(id=UUID(int=number), at=START + timedelta(days=number), event=event)
        for number, event in enumerate(events)
    ]


@given(st.lists(st.sampled_from(EVENTS), max_size=12), st.randoms())
def test_every_moment_is_in_the_period_that_the_entries_before_it_say(events, random):
    entries = entries_of(events)
    shuffled = random.sample(entries, len(entries))
    periods = periods_of(shuffled)
    assert [one.until for one in periods[:-1]] == [one.since for one in periods[1:]]
    for day in range(-1, len(events) + 1):
        at, is_open, sharing = START + timedelta(days=day, hours=1), False, True
        for entry in entries:
            if entry.at <= at:
                if isinstance(entry.event, SharingChanged):
                    sharing = entry.event.sharing
                else:
                    is_open = entry.event.after is RecordState.OPEN
        assert period_at(periods, at).shared is (is_open and sharing)


def test_moment_of_the_change_belongs_to_what_follows():
    periods = periods_of(entries_of([EVENTS[2], EVENTS[1]]))
    assert [(one.shared, one.cause) for one in periods] == [(False, ""), (True, "opened"), (False, "stopped")]
    assert not period_at(periods, periods[-1].since).shared

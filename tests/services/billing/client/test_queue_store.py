"""The queue: what is written over, what is not, and its bound."""

import pytest

from esante.services.billing.client import Confirmations, Entry, NoteQueue, QueueError, State, Way, queue_store


@pytest.fixture
def queue(tmp_path):
    """An empty queue."""
    return NoteQueue(tmp_path / "queue.db")


def test_entry_is_read_as_it_was_written_by_another_program(queue, tmp_path):
    entry = queue.add(Entry(id="1", body=b"<a/>"))
    changed = queue.save(
        entry,
        state=State.SIMULATED,
        way=Way.PID,
        confirmations=Confirmations(patient=False),
        validating=True,
        cause="é",
    )
    assert changed.version == 1
    assert NoteQueue(tmp_path / "queue.db").find("1") == changed


def test_change_of_an_entry_that_changed_meanwhile_is_not_written(queue):
    entry = queue.add(Entry(id="1", body=b"<a/>"))
    declined = queue.save(entry, way=Way.RA)
    assert queue.save(entry, validating=True) is None
    assert queue.find("1") == declined


def test_entry_that_is_there_stays_as_it_is(queue):
    entry = queue.add(Entry(id="1", body=b"<a/>"))
    simulated = queue.save(entry, state=State.SIMULATED)
    assert queue.add(Entry(id="1", body=b"<a/>")) == simulated
    with pytest.raises(QueueError, match="another fee note"):
        queue.add(Entry(id="1", body=b"<b/>"))


def test_unknown_entry_is_told(queue):
    with pytest.raises(QueueError, match="no fee note"):
        queue.find("1")


def test_entries_are_found_by_state_oldest_first_and_due_ones_by_time(queue):
    for name, state, next_at in (("b", State.QUEUED, 5.0), ("a", State.PRINTED, 50.0), ("c", State.PAID, 0.0)):
        queue.add(Entry(id=name, body=b"<a/>", state=state, next_at=next_at))
    assert [one.id for one in queue.entries()] == ["b", "a", "c"]
    assert [one.id for one in queue.entries(State.PAID, State.QUEUED)] == ["b", "c"]
    assert queue.due(10.0, 10) == ["b"]
    assert queue.due(60.0, 10) == ["b", "a"]
    assert queue.due(60.0, 1) == ["b"]


def test_queue_is_bounded_by_what_is_not_done(queue, monkeypatch):
    monkeypatch.setattr(queue_store, "MAX_OPEN", 2)
    queue.add(Entry(id="1", body=b"<a/>", state=State.PAID))
    queue.add(Entry(id="2", body=b"<a/>"))
    queue.add(Entry(id="3", body=b"<a/>"))
    with pytest.raises(QueueError, match="wait already"):
        queue.add(Entry(id="4", body=b"<a/>"))

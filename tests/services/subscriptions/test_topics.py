"""Topics, and the resources of journal entries."""

from datetime import UTC, datetime
from uuid import uuid4

import pytest

from esante.core.journal import EVENTS, Actor, Entry
from esante.core.storage import uuid7
from esante.services.record import ConfidentialitySet, DepositedEvent, Read, Withdrawn
from esante.services.subscriptions import TOPICS
from esante.services.subscriptions.topics import foci_of


def make_entry(event):
    return Entry(uuid7(), uuid4(), datetime.now(UTC), "", Actor(kind="practitioner"), "", event)


def test_foci_are_documents_of_allowed_changes_only():
    document = uuid4()
    about = {"documents": (document,), "categories": ("letter",)}
    for event in (DepositedEvent(**about), Withdrawn(**about), ConfidentialitySet(level="hidden", **about)):
        entry = make_entry(event)
        [(topic, focus)] = foci_of(entry)
        assert (topic.resource, focus.person_id, focus.id) == ("DocumentReference", entry.person_id, document)
        assert focus.reference == f"DocumentReference/{entry.person_id.hex}{document.hex}"
    for event in (Read(**about), DepositedEvent(allowed=False, **about), None):
        assert foci_of(make_entry(event)) == []


@pytest.mark.parametrize("topic", TOPICS.values(), ids=TOPICS)
def test_topic_follows_registered_events_and_has_texts(topic):
    assert topic.follows
    for type_ in topic.follows:
        assert EVENTS[type_.TYPE] is type_
    assert topic.url.startswith("https://")
    assert topic.title
    assert topic.description
    assert "patient" not in topic.filters

"""Accesses to a record for tests of the access log: one event type for each action, and their entries."""

from typing import ClassVar

from esante.core.journal import Actor, Entry, event
from esante.core.storage import uuid7, uuid7_time
from esante.identity.access import AccessEvent

PERSON, DOCUMENT, OTHER_DOCUMENT = uuid7(), uuid7(), uuid7()
DOCTOR = Actor(
    kind="practitioner", id=uuid7(), name="Dr Weber", role="doctor", organization_id=uuid7(), organization="Hôpital"
)


@event("test.access_seen")
class RecordRead(AccessEvent, frozen=True, kw_only=True):
    ACTION: ClassVar[str] = "R"


@event("test.access_put")
class RecordCreated(AccessEvent, frozen=True, kw_only=True):
    ACTION: ClassVar[str] = "C"
    WORDS: ClassVar[str] = "%(actor)s put in: %(categories)s."


@event("test.access_changed")
class RecordUpdated(AccessEvent, frozen=True, kw_only=True):
    ACTION: ClassVar[str] = "U"


@event("test.access_sought")
class RecordSearched(AccessEvent, frozen=True, kw_only=True):
    ACTION: ClassVar[str] = "E"


def entry_of(event, actor=DOCTOR, origin="192.0.2.7"):
    """Return a sealed journal entry of an event about `PERSON`."""
    id_ = uuid7()
    return Entry(id_, PERSON, uuid7_time(id_), event.TYPE, actor, origin, event, 7)

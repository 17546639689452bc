from datetime import UTC, datetime
from uuid import uuid4

import pytest

from esante.core.journal import Actor, Entry
from esante.core.storage import uuid7
from esante.identity.access import EmergencyDeclared, Granted, StateChanged
from esante.services.notices import KINDS, notice_of
from esante.services.record import Corrected, DepositedEvent, Read, Replaced, Withdrawn

PERSON = uuid7()
DOCUMENT = uuid7()
DOCTOR = Actor(kind="practitioner", id=uuid4(), name="Dr Example", organization="Practice")


def entry(event, actor=DOCTOR):
    return Entry(uuid7(), PERSON, datetime.now(UTC), event.TYPE, actor, "", event)


def about(event_type, **fields):
    return event_type(categories=("letter",), documents=(DOCUMENT,), **fields)


@pytest.mark.parametrize(
    ("event", "kind", "leads_to_document"),
    [
        (about(DepositedEvent), "deposited", True),
        (about(Replaced, replaces=uuid7()), "replaced", True),
        (about(Withdrawn), "withdrawn", True),
        (about(Corrected, moved="out"), "misfiled", False),
        (about(Corrected, moved="in"), "refiled", True),
        (EmergencyDeclared(justification="unconscious"), "emergency", False),
        (StateChanged(before="announced", after="open"), "opened", False),
        (StateChanged(before="open", after="closed"), "closed", False),
    ],
)
def test_the_person_is_told(event, kind, leads_to_document):
    notice = notice_of(entry(event))
    assert (notice.kind, notice.person_id) == (kind, PERSON)
    assert (str(DOCUMENT) in notice.url) is leads_to_document


def test_a_code_tells_who_used_it():
    grant = Granted(
        grant_id=uuid4(), kind="presence_code", holder_kind="practitioner", holder_id=uuid4(), holder="Dr B"
    )
    assert notice_of(entry(grant)).actor == "Dr B"


def test_emergencies_alone_are_urgent():
    assert [kind for kind, looks in KINDS.items() if looks.urgent] == ["emergency"]


def test_her_own_acts_are_not_told():
    herself = Actor(kind="patient", id=PERSON, name="Jane Example")
    assert notice_of(entry(about(DepositedEvent), herself)) is None


def test_what_was_refused_is_not_told():
    assert notice_of(entry(about(DepositedEvent, allowed=False))) is None
    assert notice_of(entry(EmergencyDeclared(allowed=False))) is None


def test_readings_and_her_own_grants_are_not_told():
    circle = Granted(grant_id=uuid4(), kind="circle", holder_kind="practitioner", holder_id=uuid4(), holder="Dr B")
    assert notice_of(entry(about(Read))) is None
    assert notice_of(entry(circle)) is None

from datetime import UTC, datetime
from uuid import uuid4

import pytest

from esante.core.journal import Actor, Entry
from esante.core.storage import uuid7
from esante.identity.access import EmergencyDeclared, Granted, StateChanged
from esante.services.notices import make_notice
from esante.services.record import Corrected, DepositedEvent, Read, Replaced, Withdrawn
from tests.support.declared import NOTICE_KINDS

PERSON = uuid7()
DOCUMENT = uuid7()
DOCTOR = Actor(kind="practitioner", id=uuid4(), name="Dr Example", organization="Practice")


def entry(event, actor=DOCTOR):
    return Entry(uuid7(), PERSON, datetime.now(UTC), event.TYPE, actor, "", event)


def notice_for(entry):
    return make_notice(entry, NOTICE_KINDS)


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
def test_event_by_another_makes_notice_of_its_kind(event, kind, leads_to_document):
    notice = notice_for(entry(event))
    assert (notice.kind.name, notice.person_id) == (kind, PERSON)
    assert (str(DOCUMENT) in notice.url) is leads_to_document


def test_notice_of_used_code_names_grant_holder():
    grant = Granted(
        grant_id=uuid4(), kind="presence_code", holder_kind="practitioner", holder_id=uuid4(), holder="Dr B"
    )
    assert notice_for(entry(grant)).actor == "Dr B"


def test_only_notices_of_emergencies_and_recoveries_of_accounts_are_urgent():
    assert {kind.name for kind in NOTICE_KINDS if kind.urgent} == {"emergency", "recovery_code"}


def test_own_act_makes_no_notice():
    herself = Actor(kind="patient", id=PERSON, name="Jane Example")
    assert notice_for(entry(about(DepositedEvent), herself)) is None


def test_refused_act_makes_no_notice():
    assert notice_for(entry(about(DepositedEvent, allowed=False))) is None
    assert notice_for(entry(EmergencyDeclared(allowed=False))) is None


def test_reading_and_own_grant_make_no_notice():
    circle = Granted(grant_id=uuid4(), kind="circle", holder_kind="practitioner", holder_id=uuid4(), holder="Dr B")
    assert notice_for(entry(about(Read))) is None
    assert notice_for(entry(circle)) is None

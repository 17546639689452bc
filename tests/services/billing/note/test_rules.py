"""Who may read a note, and what is implausible in one."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from esante.identity.access import Requester
from esante.services.billing.note.limits import note_limits
from esante.services.billing.note.model import Accident, Channel, KeptNote
from esante.services.billing.note.rules import HEALTH_INSURANCE, NoteFacts, may_read, note_faults
from tests.support.fee_notes import a_line, a_note

TODAY = date(2026, 11, 29)
LIMITS = note_limits(TODAY)
PERSON, BILLER, PRACTICE, OTHER = (UUID(int=number) for number in range(1, 5))
KEPT = KeptNote(
    person_id=PERSON,
    note_id=uuid4(),
    provider_code="90000001",
    biller_id=BILLER,
    biller="Dr Muller",
    channel=Channel.RA,
    issued_on=TODAY,
    received_at=datetime(2026, 11, 29, tzinfo=UTC),
    total=Decimal("57.70"),
    settled=True,
    body=b"",
)

requesters = st.builds(
    Requester,
    kind=st.sampled_from(["patient", "practitioner", "organization", "operator", "system", ""]),
    id=st.sampled_from([PERSON, BILLER, PRACTICE, OTHER]),
    name=st.just("X"),
    profession=st.sampled_from(["", "doctor", "admin", HEALTH_INSURANCE, "practice"]),
    organization_id=st.sampled_from([None, PRACTICE, OTHER]),
    patient=st.sampled_from([None, PERSON, OTHER]),
)


@given(requesters, st.booleans(), st.booleans())
def test_nobody_reads_but_whom_the_rule_names(requester, sent, works_there):
    """The rule said again, as a table: whoever is in no row may not read."""
    facts = NoteFacts(biller_organizations=frozenset({PRACTICE} if works_there else ()), sent=sent)
    subject = requester.patient or requester.id
    rows = [
        requester.kind == "patient" and subject == PERSON,
        requester.kind == "practitioner" and requester.id == BILLER and requester.patient is None,
        requester.kind == "organization"
        and requester.profession != HEALTH_INSURANCE
        and requester.patient is None
        and works_there
        and requester.organization_id == PRACTICE,
        requester.kind == "organization" and requester.profession == HEALTH_INSURANCE and sent,
    ]
    assert may_read(requester, KEPT, facts) == any(rows)


def titles(note) -> list[str]:
    return [fault.title for fault in note_faults(note, TODAY, LIMITS)]


def test_plain_note_has_no_fault():
    note = a_note(a_line(), a_line(2), patient=replace(a_note().patient, accident=Accident(on=TODAY)))
    assert titles(note) == []


@pytest.mark.parametrize(
    ("changes", "place", "words"),
    [
        ({"currency": "USD"}, "devise", "euros"),
        ({"subtotal": Decimal("57.69")}, "sousTotal", "another one"),
        ({"due": Decimal("-0.01")}, "aPayer", "negative"),
        ({"deposit": Decimal(-1)}, "acompteADeduire", "negative"),
        ({"carried_over": Decimal(-1)}, "report", "negative"),
        ({"settled": False}, "acquitte", "not marked"),
        ({"settled_on": TODAY + timedelta(days=1)}, "dateAcquittement", "future"),
    ],
)
def test_implausible_settlement_is_a_fault(changes, place, words):
    note = a_note()
    [fault] = note_faults(replace(note, settlement=replace(note.settlement, **changes)), TODAY, LIMITS)
    assert fault.place.endswith(place)
    assert words in fault.title
    assert fault.remedy


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (a_line(gross="-1.00"), "negative"),
        (a_line(personal=Decimal(-1)), "negative"),
        (a_line(gross="50000.01"), "higher"),
        (a_line(personal=Decimal("57.71")), "share"),
        (a_line(on=date(2026, 11, 21)), "after the day"),
    ],
)
def test_implausible_line_is_a_fault(line, words):
    faults = [one for one in note_faults(a_note(line), TODAY, LIMITS) if words in one.title]
    assert [one.place.rpartition("/")[0] for one in faults][-1] == "/memoireHonoraire/prestation[1]"


def test_act_that_ends_before_it_begins_is_a_fault():
    line = a_line()
    ended = replace(line, period=replace(line.period, end=line.period.start - timedelta(days=1)))
    assert len(titles(a_note(ended))) == 1


def test_two_lines_of_one_number_are_a_fault():
    assert titles(a_note(a_line(), a_line())) == ["Two lines have the same number."]


def test_total_over_bound_is_a_fault():
    note = a_note(*(a_line(number, gross="50000.00") for number in range(1, 7)))
    assert titles(note) == ["The fee note is higher than any that is accepted."]


def test_note_of_tomorrow_is_a_fault():
    note = a_note(a_line(), issued_on=TODAY + timedelta(days=1))
    assert titles(note) == ["The day of the fee note is in the future."]


@pytest.mark.parametrize(("days", "faulty"), [(0, False), (1, True)])
def test_note_is_too_old_from_a_day_on(days, faulty):
    on = TODAY - timedelta(days=LIMITS.max_age_days + days)
    assert bool(titles(a_note(a_line(on=on), issued_on=on))) == faulty

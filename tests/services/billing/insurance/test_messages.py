"""The national messages beside the note: valid under the published schemas, read back equal."""

from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from esante.services.billing.insurance.messages import (
    Anomaly,
    Cancellation,
    DepositAnswer,
    ReimbursementConsent,
    read_answer,
    read_cancellation,
    read_consent,
    write_answer,
    write_cancellation,
    write_consent,
)
from esante.services.billing.note.faults import BadNote
from tests.support.fee_notes import SIGNATURE, TEST_MATRICULE, schema

_TEXT = st.text(st.characters(min_codepoint=32, max_codepoint=0x24F, exclude_categories=("Cc",)), max_size=40)
answers = st.builds(
    DepositAnswer,
    note_id=st.uuids(),
    secu_id=st.uuids(),
    anomalies=st.lists(st.builds(Anomaly, type=_TEXT, code=_TEXT, reason=_TEXT), max_size=3).map(tuple),
)
cancellations = st.builds(
    Cancellation,
    note_id=st.uuids(),
    secu_id=st.uuids(),
    replaced_by=st.none() | st.uuids(),
    kind=st.sampled_from([1, 2]),
    reason=_TEXT.filter(bool),
    signature=st.sampled_from([b"", SIGNATURE]),
)
consents = st.builds(
    ReimbursementConsent, secu_id=st.uuids(), matricule=st.from_regex(r"[1-9][0-9]{12}", fullmatch=True)
)


@given(answers)
def test_answer_reads_back_equal(answer):
    assert read_answer(write_answer(answer)) == answer


@given(cancellations)
def test_cancellation_reads_back_equal(cancellation):
    assert read_cancellation(write_cancellation(cancellation)) == cancellation


@given(consents)
def test_consent_reads_back_equal(consent):
    assert read_consent(write_consent(consent)) == consent


@pytest.mark.parametrize(
    ("name", "strategy", "write"),
    [
        ("DEPOT-RES-V1", answers, write_answer),
        ("ANNUL-REQ-V3", cancellations, write_cancellation),
        ("REMBCONS-REQ-V1", consents, write_consent),
    ],
)
def test_messages_are_valid_under_published_schemas(shared_data, name, strategy, write):
    published = schema(shared_data, name)

    @given(strategy)
    def check(message):
        published.assertValid(etree.fromstring(write(message)))

    check()


def test_answer_without_namespaces_is_read():
    answer = DepositAnswer(note_id=uuid4(), secu_id=uuid4(), anomalies=(Anomaly(type="E", code="7"),))
    xml = write_answer(answer).replace(b"cns:", b"").replace(b"<memoireH", b"<cns:memoireH")
    assert read_answer(xml.replace(b"</memoireH", b"</cns:memoireH")) == answer


@pytest.mark.parametrize("read", [read_answer, read_cancellation, read_consent])
@pytest.mark.parametrize("data", [b"", b"<a/>", b"<!DOCTYPE a><a/>"])
def test_what_is_no_message_is_refused(read, data):
    with pytest.raises(BadNote):
        read(data)


def test_reason_over_bound_is_not_written():
    cancellation = Cancellation(note_id=uuid4(), secu_id=uuid4(), reason="x" * 201)
    with pytest.raises(ValueError, match="Motif"):
        write_cancellation(cancellation)


def test_matricule_of_another_form_is_not_written():
    with pytest.raises(ValueError, match="idenitifiantUnique"):
        write_consent(ReimbursementConsent(secu_id=uuid4(), matricule=TEST_MATRICULE[:-1]))

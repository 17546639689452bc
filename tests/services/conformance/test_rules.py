"""Which statement is allowed when, and the status that follows, for random statements."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from esante.core.storage import uuid7
from esante.core.web import Problem
from esante.services.conformance.model import Act, Kind, Statement, Status
from esante.services.conformance.profiles import profiles
from esante.services.conformance.rules import allowed_kinds, checked_statement, status_after

TODAY = date(2026, 11, 30)


def passed(kind, on=TODAY, **changes):
    return Statement(**{"kind": kind, "body": "Test institute", "reference": "R-1", "passed_on": on} | changes)


@given(st.lists(st.sampled_from(list(Kind)), max_size=12))
def test_status_is_attested_only_after_both_phases_and_ends_with_the_withdrawal(kinds):
    status, done = Status.REGISTERED, []
    for kind in kinds:
        if kind in allowed_kinds(status):
            status = status_after(status, kind)
            done.append(kind)
        else:
            with pytest.raises(Problem) as refused:
                status_after(status, kind)
            assert refused.value.status == 409
    if status is Status.ATTESTED:
        assert done[:2] == [Kind.CONFORMITY, Kind.CONNECTION] and done[-1] in (Kind.CONNECTION, Kind.RESUMPTION)
    if Kind.WITHDRAWAL in done:
        assert (done[-1], status) == (Kind.WITHDRAWAL, Status.WITHDRAWN)
    assert (allowed_kinds(status) == ()) is (status is Status.WITHDRAWN)


@pytest.mark.parametrize(
    ("given_", "place"),
    [
        (passed(Kind.CONFORMITY, None), "passed_on"),
        (passed(Kind.CONFORMITY, TODAY + timedelta(days=1)), "passed_on"),
        (passed(Kind.CONNECTION, date(2026, 10, 31)), "passed_on"),
        (passed(Kind.CONFORMITY, body=" \0"), "body"),
        (passed(Kind.CONFORMITY, reference="x" * 201), "reference"),
        (Statement(kind=Kind.SUSPENSION, reason="no"), "reason"),
        (Statement(kind=Kind.WITHDRAWAL, reason="x" * 1001), "reason"),
    ],
)
def test_wrong_evidence_is_refused_with_its_place(given_, place):
    before = Act(
        act_id=uuid7(),
        version_id=uuid7(),
        kind=Kind.CONFORMITY,
        at=None,
        operator_id=uuid7(),
        operator="",
        passed_on=date(2026, 11, 1),
    )
    with pytest.raises(Problem) as refused:
        checked_statement(given_, [before], TODAY)
    assert (refused.value.status, refused.value.place) == (400, place)


def test_statement_keeps_only_what_its_kind_has():
    found = checked_statement(passed(Kind.CONFORMITY, reason="beside the point"), [], TODAY)
    assert found == passed(Kind.CONFORMITY)
    found = checked_statement(passed(Kind.SUSPENSION, reason="  A fault\nwas found "), [], TODAY)
    assert found == Statement(kind=Kind.SUSPENSION, reason="A fault was found")


def test_profiles_have_distinct_keys_and_secure_or_canonical_addresses():
    assert len(profiles()) >= 10
    assert all(key == one.key and one.url.startswith(("https://", "http://hl7.")) for key, one in profiles().items())

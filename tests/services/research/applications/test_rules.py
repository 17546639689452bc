"""What an application lacks, what a decision may be, when it is due."""

from dataclasses import replace
from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from esante.core.storage import uuid7
from esante.core.web import Problem
from esante.services.research import PermitKind
from esante.services.research.applications.model import Application, ApplicationState, Decision
from esante.services.research.applications.rules import (
    check_decision,
    due_after_answer,
    due_on,
    findings,
    is_whole,
)
from esante.services.research.applications.service import catalogue_tables
from esante.services.research.terms import add_months, purposes, terms_on
from tests.support.research import COLUMNS, CONTENT

TERMS = terms_on(date(2026, 12, 1))


def lacking(content, *, public_body=False, known=()):
    return findings(
        content,
        public_body=public_body,
        known=known,
        tables=catalogue_tables(),
        purposes=purposes(),
        terms=TERMS,
    )


def test_whole_application_lacks_nothing():
    assert lacking(CONTENT) == []


@pytest.mark.parametrize(
    ("change", "place", "article"),
    [
        ({"title": ""}, "title", "67(2)"),
        ({"summary": "Short."}, "summary", "67(2)"),
        ({"aim": ""}, "aim", "67(2)"),
        ({"necessity": ""}, "necessity", "67(2)"),
        ({"safeguards": ""}, "safeguards", "67(2)"),
        ({"purpose": ""}, "purpose", "53(1)"),
        ({"purpose": "marketing"}, "purpose", "53(1)"),
        ({"purpose": "statistics"}, "purpose", "53(2)"),
        ({"lawful": False}, "lawful", "54"),
        ({"columns": {}}, "columns", "67(2)"),
        ({"columns": {"laboratory.result": frozenset({"name"})}}, "columns", "67(2)"),
        ({"columns": {"genome.variant": frozenset({"code"})}}, "columns", "67(2)"),
        ({"members": ("nobody@uni.example",)}, "members", "67(2)"),
        ({"months": 0}, "months", "68"),
        ({"months": 121}, "months", "68"),
        ({"kind": PermitKind.REQUEST}, "question", "69(2)"),
    ],
)
def test_each_thing_that_lacks_is_found_with_its_article(change, place, article):
    assert [(one.place, one.article) for one in lacking(replace(CONTENT, **change))] == [(place, article)]


def test_reserved_purpose_is_open_to_a_public_body_and_known_members_are_accepted():
    content = replace(CONTENT, purpose="statistics", members=("Kim@Uni.example",))
    assert lacking(content, public_body=True, known={"kim@uni.example"}) == []


def application(**change):
    return Application(
        application_id=uuid7(),
        account_id=uuid7(),
        content=CONTENT,
        state=ApplicationState.ASKED,
        saved_at=datetime(2026, 12, 1, tzinfo=UTC),
        **change,
    )


NAMES = st.sets(st.sampled_from(["code", "value", "unit", "status", "system"]), max_size=5)


@given(NAMES, st.integers(0, 24))
def test_decision_grants_at_most_what_was_asked(names, months):
    decision = Decision(grants=True, columns={"laboratory.result": frozenset(names)}, months=months)
    fits = bool(names) and names <= COLUMNS["laboratory.result"] and 1 <= months <= CONTENT.months
    if fits:
        check_decision(application(), decision)
    else:
        with pytest.raises(Problem) as refused:
            check_decision(application(), decision)
        assert refused.value.status == 400 and refused.value.place in ("columns", "months")


def test_refusal_needs_a_reason():
    with pytest.raises(Problem) as refused:
        check_decision(application(), Decision(grants=False, reason="No."))
    assert refused.value.place == "reason"
    check_decision(application(), Decision(grants=False, reason="The purpose could be met with public statistics."))


def test_decision_is_whole_only_with_all_columns_and_months():
    whole = Decision(grants=True, columns=COLUMNS, months=12)
    assert is_whole(application(), whole)
    assert not is_whole(application(), replace(whole, months=11))
    assert not is_whole(application(), replace(whole, columns={"laboratory.result": frozenset({"code"})}))
    assert not is_whole(application(), Decision(grants=False))


def test_decision_is_due_after_three_months_and_waiting_for_answers_is_added():
    assert due_on(PermitKind.PERMIT, date(2026, 11, 30), TERMS) == date(2027, 2, 28)
    asked = application(due_on=date(2027, 2, 28), asked_at=datetime(2026, 12, 5, 12, tzinfo=UTC))
    assert due_after_answer(asked, datetime(2026, 12, 15, 12, tzinfo=UTC)) == date(2027, 3, 10)


@given(st.dates(date(2000, 1, 1), date(2100, 1, 1)), st.integers(0, 120))
def test_months_are_added_to_the_same_day_or_the_last_of_the_month(day, months):
    found = add_months(day, months)
    assert (found.year * 12 + found.month) - (day.year * 12 + day.month) == months
    assert found.day == day.day or (
        found.day < day.day and (found.replace(day=28).month != add_months(found, 1).month)
    )

"""Changes to the sorting of documents: by two operators, from a day on, and what they would change."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from esante.core.storage import NIL, uuid7
from esante.core.time_zone import day_of, time_zone, today
from esante.identity.access import (
    Access,
    Action,
    AssignmentConfirmed,
    AssignmentProposed,
    AssignmentSimulated,
    AssignmentWithdrawn,
    Item,
    Purpose,
    decide,
)
from esante.identity.access.assignments.changes import NOTICE
from tests.identity.access.conftest import BASE
from tests.support.consent import problem_of


@pytest.fixture
async def operators(house, db):
    """Two operators, and no changes from before."""
    await db.fetchval("DELETE FROM access_assignment")
    house.access.assignments._known = None
    return house.operator, replace(house.operator, id=uuid7(), name="Second")


@pytest.fixture
def tomorrow():
    return day_of(datetime.now(UTC) + timedelta(days=1) + NOTICE)


async def may_write_letters(house, patient, at):
    consent = await house.access.consent(patient.id)
    return decide(consent, house.doctor, Action.WRITE, Item(category="letter"), Purpose.TREATMENT, at).allowed


async def test_change_counts_from_its_day_once_another_operator_confirms_it(house, operators, tomorrow, journal):
    first, second = operators
    patient, begins = (
        await house.open_patient(),
        datetime(tomorrow.year, tomorrow.month, tomorrow.day, tzinfo=time_zone()),
    )
    proposed = await house.access.assignments.propose(first, "letter", "cover", tomorrow, "article 7(1)")
    assert await may_write_letters(house, patient, begins)
    confirmed = await house.access.assignments.confirm(second, proposed.id)
    assert (confirmed.proposed_by, confirmed.confirmed_by) == (first.id, second.id)
    assert await may_write_letters(house, patient, begins - timedelta(microseconds=1))
    assert not await may_write_letters(house, patient, begins)
    (entry,) = await journal.entries_of(NIL, [AssignmentConfirmed], limit=1)
    assert (entry.actor.id, entry.event.proposed_by, entry.event.category) == (second.id, first.id, "cover")
    (entry,) = await journal.entries_of(NIL, [AssignmentProposed], limit=1)
    assert (entry.actor.id, entry.event.document_class) == (first.id, "letter")


async def test_another_process_decides_by_the_change_too(house, operators, tomorrow, db, journal, directory):
    first, second = operators
    patient = await house.open_patient()
    proposed = await house.access.assignments.propose(first, "letter", "cover", tomorrow, "article 7(1)")
    await house.access.assignments.confirm(second, proposed.id)
    other = Access(db, journal, directory, base_url=BASE)
    at = datetime(tomorrow.year, tomorrow.month, tomorrow.day, 12, tzinfo=time_zone())
    for consent in (
        await other.consent(patient.id),
        (await other.consents(db, [patient.id]))[patient.id],
    ):
        item = Item(category="letter")
        assert not decide(consent, house.doctor, Action.WRITE, item, Purpose.TREATMENT, at).allowed


async def test_own_proposal_cannot_be_confirmed(house, operators, tomorrow):
    first, second = operators
    proposed = await house.access.assignments.propose(first, "letter", "cover", tomorrow, "article 7(1)")
    assert (await problem_of(house.access.assignments.confirm(first, proposed.id))).status == 403
    await house.access.assignments.confirm(second, proposed.id)
    assert (await problem_of(house.access.assignments.confirm(second, proposed.id))).status == 409
    assert (await problem_of(house.access.assignments.confirm(second, uuid7()))).status == 404


async def test_database_refuses_one_person_as_both(house, operators, tomorrow, db):
    proposed = await house.access.assignments.propose(operators[0], "letter", "cover", tomorrow, "article 7(1)")
    with pytest.raises(Exception, match="access_assignment"):
        await db.fetchval(
            "UPDATE access_assignment SET confirmed_at = now(), confirmed_by = proposed_by WHERE change_id = $1",
            proposed.id,
        )


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"document_class": "riddle"}, "document_class"),
        ({"category": "riddles"}, "category"),
        ({"category": "care_reports"}, "category"),
        ({"valid_from": date(2020, 1, 1)}, "valid_from"),
        ({"valid_from": None}, "valid_from"),
        ({"legal_source": " "}, "legal_source"),
        ({"legal_source": "x" * 501}, "legal_source"),
    ],
)
async def test_wrong_proposal_is_refused_with_its_place(house, operators, tomorrow, changes, place):
    values = {"document_class": "letter", "category": "cover", "valid_from": tomorrow, "legal_source": "article 7"}
    values |= {name: value or today() for name, value in changes.items()}
    problem = await problem_of(house.access.assignments.propose(operators[0], **values))
    assert (problem.status, problem.place) == (400, place)


async def test_proposal_whose_day_is_too_near_is_not_confirmed(house, operators, tomorrow, db):
    proposed = await house.access.assignments.propose(operators[0], "letter", "cover", tomorrow, "article 7(1)")
    await db.fetchval("UPDATE access_assignment SET valid_from = $1", today())
    assert (await problem_of(house.access.assignments.confirm(operators[1], proposed.id))).place == "valid_from"


@pytest.mark.parametrize("who", ["doctor", "software"])
async def test_others_than_operators_are_refused(house, operators, tomorrow, who):
    requester, assignments = getattr(house, who), house.access.assignments
    for act in (
        assignments.propose(requester, "letter", "cover", tomorrow, "article 7(1)"),
        assignments.confirm(requester, uuid7()),
        assignments.list_changes(requester),
        assignments.simulate(requester, "letter", "cover", tomorrow),
        assignments.withdraw(requester, uuid7(), "wrong"),
        assignments.find(requester, uuid7()),
    ):
        assert (await problem_of(act)).status == 403


async def test_changes_are_listed_newest_first(house, operators, tomorrow):
    first, second = operators
    one = await house.access.assignments.propose(first, "letter", "cover", tomorrow, "article 7(1)")
    two = await house.access.assignments.propose(second, "letter", "summaries", tomorrow, "article 7(1)")
    await house.access.assignments.confirm(second, one.id)
    assert [found.id for found in await house.access.assignments.list_changes(first)] == [two.id, one.id]


async def test_withdrawn_proposal_is_never_confirmed_and_stays_in_the_list(house, operators, tomorrow, journal):
    first, second = operators
    proposed = await house.access.assignments.propose(first, "letter", "cover", tomorrow, "article 7(1)")
    assert (await problem_of(house.access.assignments.withdraw(second, proposed.id, " "))).place == "reason"
    withdrawn = await house.access.assignments.withdraw(second, proposed.id, "The committee said no")
    assert (withdrawn.state, withdrawn.withdrawn_by, withdrawn.withdrawal_reason) == (
        "withdrawn",
        second.id,
        "The committee said no",
    )
    for act in (
        house.access.assignments.confirm(second, proposed.id),
        house.access.assignments.withdraw(first, proposed.id, "again"),
    ):
        assert (await problem_of(act)).status == 409
    assert await house.access.assignments.list_changes(first) == [withdrawn]
    assert await house.access.assignments.find(first, proposed.id) == withdrawn
    (entry,) = await journal.entries_of(NIL, [AssignmentWithdrawn], limit=1)
    assert (entry.actor.id, entry.event.change_id) == (second.id, proposed.id)


async def test_confirmed_change_is_not_withdrawn(house, operators, tomorrow):
    first, second = operators
    proposed = await house.access.assignments.propose(first, "letter", "cover", tomorrow, "article 7(1)")
    await house.access.assignments.confirm(second, proposed.id)
    assert (await problem_of(house.access.assignments.withdraw(first, proposed.id, "too late"))).status == 409


async def test_simulation_is_journalled_once(house, operators, tomorrow, journal):
    before = len(await journal.entries_of(NIL, [AssignmentSimulated], limit=100))
    for journalled in (True, False):
        await house.access.assignments.simulate(operators[0], "letter", "cover", tomorrow, journalled=journalled)
    entries = await journal.entries_of(NIL, [AssignmentSimulated], limit=100)
    assert len(entries) == before + 1
    assert (entries[0].actor.id, entries[0].event.category) == (operators[0].id, "cover")

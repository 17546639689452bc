"""Appeals against lines: whose, until when, answered once, and what an upheld one adds."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from esante.core import clock
from esante.core.storage import uuid7
from esante.core.time_zone import today
from esante.core.web import Problem
from esante.identity.access import requester_of
from esante.services.incentives.decisions.model import Reason
from tests.support.incentives import EXEMPLA, days_of

CODE, OTHER = "90100100", "90100200"
TEXT = "Two notes of mine are missing here."


@pytest.fixture
async def decided(world):
    """A world with a doctor who got nothing, since two documents are too few."""
    await world.label(EXEMPLA, date(2025, 12, 1))
    await world.notes(CODE, days_of(date(2026, 1, 5), 2))
    await world.notes(OTHER, days_of(date(2026, 1, 5), 20))
    await world.decide("2026-Q1")
    return world


async def own(world, code=CODE):
    """The doctor of a code, and their line."""
    (kept,) = (await world.own.past([code], [], "", None)).items
    return requester_of(await world.doctor(code)), kept


async def test_upheld_appeal_is_a_line_of_the_next_quarter_once(decided):
    doctor, kept = await own(decided)
    made = await decided.appeals.make(doctor, kept.line_id, TEXT, [CODE], [])
    assert made.due_on == today() + timedelta(days=30) and made.reference.startswith("2026-Q1-")
    assert await decided.appeals.count_open() == 1
    await decided.appeals.answer(decided.ben, made.appeal_id, "upheld", "You are right, they were lost.", "0,67")
    assert await decided.appeals.count_unread(doctor) == 1
    await decided.appeals.mark_read(doctor)
    assert await decided.appeals.count_unread(doctor) == 0
    assert await decided.decide("2026-Q2") == Decimal("0.67")
    (line,) = await decided.lines("2026-Q2")
    assert line.reasons == (Reason.APPEAL,) and line.payee == CODE
    assert await decided.decide("2026-Q3") == 0


async def test_rejected_appeal_is_answered_with_words_and_adds_nothing(decided):
    doctor, kept = await own(decided)
    made = await decided.appeals.make(doctor, kept.line_id, TEXT, [CODE], [])
    await decided.appeals.answer(decided.ben, made.appeal_id, "rejected", "There were two documents only.", "5")
    found = (await decided.appeals.of_lines([kept]))[kept.line_id]
    assert (found.outcome, found.answer, found.amount) == ("rejected", "There were two documents only.", 0)
    assert await decided.decide("2026-Q2") == 0
    with pytest.raises(Problem) as caught:
        await decided.appeals.answer(decided.ben, made.appeal_id, "rejected", "There were two documents.", "")
    assert caught.value.status == 409
    (answered,) = (await decided.appeals.page(decided.ben, made.reference, is_open=False, cursor=None)).items
    assert answered.line.line_id == kept.line_id
    assert (await decided.appeals.page(decided.ben, "", is_open=True, cursor=None)).items == []


async def test_nobody_appeals_against_the_line_of_another_or_one_that_does_not_exist(decided):
    doctor, _ = await own(decided)
    _, others = await own(decided, OTHER)
    for line_id in (others.line_id, uuid7()):
        with pytest.raises(Problem) as caught:
            await decided.appeals.make(doctor, line_id, TEXT, [CODE], [CODE])
        assert caught.value.status == 404


async def test_second_appeal_short_text_and_late_one_are_refused(decided):
    doctor, kept = await own(decided)
    with pytest.raises(Problem) as caught:
        await decided.appeals.make(doctor, kept.line_id, " short ", [CODE], [])
    assert caught.value.status == 400
    later = datetime.now(UTC) + timedelta(days=92)
    await decided.journal.ensure_months(later, later)
    with clock.use_clock(lambda: later), pytest.raises(Problem) as caught:
        await decided.appeals.make(doctor, kept.line_id, TEXT, [CODE], [])
    assert caught.value.status == 409
    await decided.appeals.make(doctor, kept.line_id, TEXT, [CODE], [])
    with pytest.raises(Problem) as caught:
        await decided.appeals.make(doctor, kept.line_id, TEXT, [CODE], [])
    assert caught.value.status == 409


@pytest.mark.parametrize("amount", ["", "-1", "1.234", "abc", "1e5", "1000000", "٣"])
async def test_wrong_amount_of_an_answer_is_refused(decided, amount):
    doctor, kept = await own(decided)
    made = await decided.appeals.make(doctor, kept.line_id, TEXT, [CODE], [])
    with pytest.raises(Problem) as caught:
        await decided.appeals.answer(decided.ben, made.appeal_id, "upheld", "You are right, they were lost.", amount)
    assert (caught.value.status, caught.value.place) == (400, "amount")


async def test_only_operators_answer(decided):
    doctor, kept = await own(decided)
    made = await decided.appeals.make(doctor, kept.line_id, TEXT, [CODE], [])
    with pytest.raises(Problem) as caught:
        await decided.appeals.answer(doctor, made.appeal_id, "upheld", "I am right.", "5")
    assert caught.value.status == 403

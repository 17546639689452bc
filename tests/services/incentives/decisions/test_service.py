"""Decisions of quarters over a real database and journal, compared with a slow count of the same notes."""

from collections import defaultdict
from datetime import date
from decimal import ROUND_HALF_UP, Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from esante.core.web import Problem
from esante.services.incentives.decisions.model import PayeeKind, Reason
from esante.services.incentives.payments.model import OrderState
from esante.services.incentives.schemes.quarter import Quarter
from tests.support.incentives import EXEMPLA, RIVAL, days_of

Q1, Q2, Q3 = "2026-Q1", "2026-Q2", "2026-Q3"
JANUARY = date(2026, 1, 5)
CODE, OTHER, ASSOCIATION = "90100100", "90100200", "80500100"


async def orders(world, quarter):
    page = await world.payments.orders(world.anna, quarter, "", None)
    return {(one.scheme, one.payee): one for one in page.items}


async def test_documents_are_paid_to_the_account_of_the_code_in_the_note(world):
    await world.label(EXEMPLA, date(2025, 12, 1))
    await world.notes(CODE, days_of(JANUARY, 4))
    await world.notes(CODE, days_of(JANUARY, 3), association=ASSOCIATION)
    assert await world.decide(Q1) == Decimal("1.34") + Decimal("1.01")  # 4 x 0.335, 3 x 0.335 half up
    assert {one.payee: one.amount for one in await world.lines(Q1)} == {
        CODE: Decimal("1.34"),
        ASSOCIATION: Decimal("1.01"),
    }
    found = await orders(world, Q1)
    assert {key: one.state for key, one in found.items()} == {
        ("notes", CODE): OrderState.READY,
        ("notes", ASSOCIATION): OrderState.READY,
    }


async def test_threshold_that_is_not_reached_pays_nothing_and_says_so(world):
    await world.label(EXEMPLA, date(2025, 12, 1))
    await world.notes(CODE, days_of(JANUARY, 2))
    assert await world.decide(Q1) == 0
    (line,) = await world.lines(Q1)
    assert line.reasons == (Reason.THRESHOLD,) and line.documents == 2


async def test_documents_count_only_while_the_software_has_its_label(world):
    await world.label(EXEMPLA, date(2026, 1, 10))
    await world.end_label(EXEMPLA, date(2026, 1, 20))
    await world.notes(CODE, days_of(date(2026, 1, 8), 14))  # 8 to 21 January: 10 days with the label
    await world.decide(Q1)
    counted = [one for one in await world.lines(Q1) if one.documents]
    assert [(one.documents, one.uncounted, one.amount) for one in counted] == [(10, 4, Decimal("3.35"))]
    assert counted[0].reasons == (Reason.ENTITLED, Reason.UNLABELLED)


async def test_doctor_who_changes_software_is_paid_for_the_documents_of_both(world):
    await world.label(EXEMPLA, date(2025, 12, 1))
    await world.label(RIVAL, date(2025, 12, 1))
    await world.notes(CODE, days_of(JANUARY, 2))
    await world.notes(CODE, days_of(date(2026, 2, 2), 2), vendor=RIVAL)
    await world.decide(Q1)
    lines = await world.lines(Q1)
    assert {one.product: one.amount for one in lines} == {"Exempla": Decimal("0.67"), "Rival": Decimal("0.67")}
    assert all(one.reasons == (Reason.ENTITLED, Reason.SOFTWARE_CHANGED) for one in lines)


async def test_cancelled_notes_do_not_count(world):
    await world.label(EXEMPLA, date(2025, 12, 1))
    notes = await world.notes(CODE, days_of(JANUARY, 10))
    await world.cancel(CODE, notes[:2], date(2026, 2, 1))
    assert await world.decide(Q1) == Decimal("2.68")
    (line,) = await world.lines(Q1)
    assert (line.documents, line.withdrawn) == (8, 2) and Reason.WITHDRAWN in line.reasons


async def test_cancellation_that_comes_before_its_note_takes_it_back(world):
    await world.label(EXEMPLA, date(2025, 12, 1))
    notes = await world.notes(CODE, days_of(JANUARY, 3))
    await world.cancel(CODE, [notes[0]], date(2026, 1, 1))
    assert await world.decide(Q1) == 0


async def test_notes_cancelled_later_are_taken_off_the_next_quarter(world):
    await world.label(EXEMPLA, date(2025, 12, 1))
    notes = await world.notes(CODE, days_of(JANUARY, 10))
    assert await world.decide(Q1) == Decimal("3.35")
    await world.cancel(CODE, notes[:4], date(2026, 4, 2))
    await world.notes(CODE, days_of(date(2026, 4, 6), 10))
    assert await world.decide(Q2) == Decimal("3.35") - Decimal("1.34")
    corrected = [one for one in await world.lines(Q2) if one.amount < 0]
    assert [(one.of_quarter, one.amount) for one in corrected] == [(Quarter(2026, 1), Decimal("-1.34"))]
    assert (await orders(world, Q2))["notes", CODE].amount == Decimal("2.01")
    assert await world.decide(Q3) == 0  # it is taken off once


async def test_what_is_owed_and_cannot_be_taken_off_is_carried_on(world):
    await world.label(EXEMPLA, date(2025, 12, 1))
    notes = await world.notes(CODE, days_of(JANUARY, 10))
    await world.decide(Q1)
    await world.cancel(CODE, notes[:8], date(2026, 4, 2))  # below the threshold: nothing was due
    await world.decide(Q2)
    owed = (await orders(world, Q2))["notes", CODE]
    assert (owed.state, owed.amount) == (OrderState.CARRIED, Decimal("-3.35"))
    await world.notes(CODE, days_of(date(2026, 7, 6), 20))
    await world.decide(Q3)
    order = (await orders(world, Q3))["notes", CODE]
    assert (order.carried, order.amount) == (Decimal("-3.35"), Decimal("3.35"))


async def test_decided_quarter_is_not_decided_again(world):
    await world.label(EXEMPLA, date(2025, 12, 1))
    await world.notes(CODE, days_of(JANUARY, 4))
    await world.decide(Q1)
    before = await orders(world, Q1)
    for asked in (world.anna, world.ben):
        with pytest.raises(Problem) as caught:
            await world.decisions.ask(asked, Q1)
        assert caught.value.status == 409
    with pytest.raises(Problem) as caught:
        await world.decisions.confirm(world.anna, Q1)
    assert caught.value.status == 409
    assert await orders(world, Q1) == before


async def test_draft_may_be_decided_anew_and_replaces_its_lines(world):
    await world.label(EXEMPLA, date(2025, 12, 1))
    await world.notes(CODE, days_of(JANUARY, 4))
    await world.decisions.ask(world.anna, Q1)
    await world.decisions.run()
    await world.notes(OTHER, days_of(JANUARY, 4))
    await world.decisions.ask(world.anna, Q1)
    await world.decisions.run()
    assert {one.provider_code for one in await world.lines(Q1)} == {CODE, OTHER}
    assert len(await world.lines(Q1)) == 2


@pytest.mark.parametrize(
    ("quarter", "status"), [("2026", 400), ("2099-Q1", 409), ("2026-Q4", 409), ("2026-Q1'; --", 400)]
)
async def test_quarter_that_cannot_be_decided_is_refused(world, quarter, status):
    with pytest.raises(Problem) as caught:
        await world.decisions.ask(world.anna, quarter)
    assert caught.value.status == status


async def test_second_operator_has_to_confirm_and_earlier_quarters_come_first(world):
    await world.decisions.ask(world.anna, Q1)
    await world.decisions.run()
    with pytest.raises(Problem) as caught:
        await world.decisions.confirm(world.anna, Q1)
    assert "Another operator" in caught.value.title
    with pytest.raises(Problem) as caught:
        await world.decisions.ask(world.anna, Q2)
    assert "not confirmed" in caught.value.title
    await world.decisions.confirm(world.ben, Q1)
    await world.decisions.ask(world.anna, Q2)


async def test_others_than_operators_may_not_decide(world):
    for act in (world.decisions.ask, world.decisions.confirm, world.decisions.find):
        with pytest.raises(Problem) as caught:
            await act(EXEMPLA.requester, Q1)
        assert caught.value.status == 403


async def test_deciding_the_same_evidence_again_gives_the_same_lines(world):
    await world.label(EXEMPLA, date(2025, 12, 1))
    for number in range(5):
        await world.notes(f"9020{number}000", days_of(JANUARY, number + 2))
    await world.decide(Q1)
    run, _ = await world.decisions.find(world.anna, Q1)
    await world.notes("90200000", days_of(date(2026, 2, 2), 20))
    await world.reader.catch_up()
    again, _ = await world.decisions.work_out(Quarter(2026, 1), run.upto_seq, run.decided_at)
    key = repr
    kept = sorted(await world.lines(Q1), key=key)
    assert [(one.key, one.amount, one.reasons) for one in sorted(again, key=lambda one: key(one.key))] == [
        (one.key, one.amount, one.reasons) for one in sorted(kept, key=lambda one: key(one.key))
    ]


async def test_quarter_is_not_decided_without_the_evidence_that_another_process_still_reads(world):
    await world.label(EXEMPLA, date(2025, 12, 1))
    await world.reader.catch_up()
    await world.notes(CODE, days_of(JANUARY, 4))
    await world.decisions.ask(world.anna, Q1)
    async with world.db.transaction() as conn:
        await conn.execute("SELECT 1 FROM journal_cursor WHERE reader = 'incentives.evidence' FOR UPDATE")
        await world.decisions.run()
    run, (lines, _, _) = await world.decisions.find(world.anna, Q1)
    assert (run.error, lines) == ("RuntimeError", 0)
    with pytest.raises(Problem) as caught:
        await world.decisions.confirm(world.ben, Q1)
    assert caught.value.status == 409
    assert await world.decide(Q1) == Decimal("1.34")


NOTE = st.tuples(
    st.sampled_from((CODE, OTHER, "90100300")),
    st.sampled_from(("", ASSOCIATION)),
    st.sampled_from((EXEMPLA, RIVAL)),
    st.dates(date(2026, 1, 1), date(2026, 9, 30)),
    st.one_of(st.none(), st.dates(date(2026, 1, 1), date(2026, 11, 20))),
)


def oracle(notes, quarter, on):
    """What a quarter's notes give by account, as known on a day: a plain loop over the notes."""
    counted, total = defaultdict(int), defaultdict(int)
    for code, association, vendor, day, cancelled in notes:
        is_labelled = vendor is EXEMPLA or day < date(2026, 5, 1)
        is_gone = cancelled is not None and max(cancelled, day) <= on
        if Quarter.of(day) == quarter and is_labelled and not is_gone:
            counted[code, association or code, vendor.product] += 1
            total[code] += 1
    given = defaultdict(Decimal)
    for (code, payee, _), count in counted.items():
        if total[code] >= 3:
            given[code, payee] += (count * Decimal("0.335")).quantize(Decimal("0.01"), ROUND_HALF_UP)
    return given


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(notes=st.lists(NOTE, max_size=60))
async def test_sum_of_lines_is_what_the_notes_give_and_withdrawn_ones_net_out(make_world, notes):
    world = await make_world()
    await world.label(EXEMPLA, date(2025, 12, 1))
    await world.label(RIVAL, date(2025, 12, 1))
    cancelled, waiting = [], sorted(notes, key=lambda one: one[3])
    decided = Decimal(0)
    for quarter in (Quarter(2026, 1), Quarter(2026, 2), Quarter(2026, 3)):
        for one in [note for note in waiting if note[3] <= quarter.last]:
            (note_id,) = await world.notes(one[0], [one[3]], vendor=one[2], association=one[1])
            waiting.remove(one)
            cancelled.append((one, note_id))
        for one, note_id in [*cancelled]:
            if one[4] is not None and max(one[4], one[3]) <= quarter.last:
                await world.cancel(one[0], [note_id], max(one[4], one[3]))
                cancelled.remove((one, note_id))
        if quarter.number == 2:
            await world.end_label(RIVAL, date(2026, 5, 1))
        decided += await world.decide(str(quarter))
    await check_sums(world, notes, decided)


async def check_sums(world, notes, decided):
    """The lines give what the notes give; a correction never adds, so a later cancellation may leave less."""
    expected = Decimal(0)
    for quarter in (Quarter(2026, 1), Quarter(2026, 2), Quarter(2026, 3)):
        expected += sum(oracle(notes, quarter, date(2026, 9, 30)).values(), Decimal(0))
    lines = [one for quarter in (Q1, Q2, Q3) for one in await world.lines(quarter)]
    assert sum((one.amount for one in lines), Decimal(0)) == decided == expected
    assert all(one.payee_kind is PayeeKind.PROVIDER for one in lines)
    found = [one for quarter in (Q1, Q2, Q3) for one in (await orders(world, quarter)).values()]
    carried = sum((one.amount for one in found if one.state is OrderState.CARRIED and one.carried_into), Decimal(0))
    assert sum((one.amount for one in found), Decimal(0)) - carried == decided

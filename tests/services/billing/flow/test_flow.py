"""The flow of notes is counted from the journal, each entry once, and shown to operators only."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from esante.core import clock
from esante.core.journal import advance
from esante.core.web import Problem
from esante.identity.access import requester_of
from esante.services.billing.flow import flow_store
from esante.services.billing.flow.model import BOUNDS, Counted, FlowKind
from esante.services.billing.flow.rules import bound_of, minute_of, percentile
from esante.services.billing.flow.service import NoteFlow
from tests.support.immediate_payment import fee_note, open_billing, with_act


@pytest.fixture(scope="module")
async def world(db, journal, objects):
    async with open_billing(db, journal, objects) as world:
        yield world


@given(st.lists(st.integers(0, 10**7), min_size=1, max_size=300), st.sampled_from([0.5, 0.99, 1.0]))
def test_percentile_is_bound_that_the_share_does_not_exceed(micros, share):
    histogram = {}
    for one in micros:
        histogram[bound_of(one)] = histogram.get(bound_of(one), 0) + 1
    found = percentile(histogram, share)
    within = sum(bound_of(one) <= found for one in micros)
    below = sum(bound_of(one) < found for one in micros)
    assert below < share * len(micros) <= within


def test_percentile_of_nothing_is_unknown():
    assert percentile({}, 0.5) is None


@given(st.integers(0, BOUNDS[-1] * 1_000))
def test_bound_is_the_least_that_is_not_exceeded(micros):
    bound = bound_of(micros)
    assert micros <= bound * 1_000
    assert all(micros > lower * 1_000 for lower in BOUNDS if lower < bound)


async def test_entries_are_counted_once_by_way_and_rule(world, journal):
    flow = NoteFlow(world.db)
    doctor, code = await world.doctor()
    person = await world.patient()
    requester = requester_of(doctor)
    payment = await world.validated(doctor, fee_note(person, code))
    refused = await world.pid.simulate(requester, with_act(fee_note(person, code), "XXXX"))
    assert payment.statutory > 0
    assert refused.adjudication.statutory == 0
    await journal.sealer.seal_all()
    while await advance(world.db, flow.consumer):
        pass
    report = await flow.report(world.operator)
    assert sum(number for _, number in report.minutes["pid"]) == 1
    assert report.days["pid"][-1][1] + report.days["pid"][-2][1] == 1
    assert sum(number for _, number in report.minutes["ra"]) == 0
    assert len(report.minutes["pid"]) == 60
    assert len(report.days["pid"]) == 30
    assert report.simulations == 2
    assert report.p50_ms in BOUNDS
    assert dict(report.refusals) == {"act.unknown": 1}
    assert not await advance(world.db, flow.consumer)
    assert (await flow.report(world.operator)).simulations == 2


async def test_flow_is_for_operators(world):
    doctor, _ = await world.doctor(iban="")
    for requester in (requester_of(doctor), requester_of(await world.patient())):
        with pytest.raises(Problem) as refused:
            await NoteFlow(world.db).report(requester)
        assert refused.value.status == 403


async def test_old_counts_are_deleted(world):
    now = minute_of(clock.now())
    old, recent = now - timedelta(days=91), now - timedelta(days=89)
    async with world.db.transaction() as conn:
        await flow_store.add(conn, {Counted(at, FlowKind.NOTE, "ra"): 7 for at in (old, recent)})
    await NoteFlow(world.db).tidy()
    found = await flow_store.fetch_minutes(world.db, FlowKind.NOTE, old)
    assert [at for at, _, number in found if number == 7] == [recent]

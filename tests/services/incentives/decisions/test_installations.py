"""Installations that vendors claim, decided from the documents that their software sent."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from esante.core import clock
from esante.core.web import Problem
from esante.services.incentives.decisions.model import ClaimState, Reason
from tests.support.incentives import EXEMPLA, RIVAL, SCHEMES, days_of

CODE, OTHER = "90100100", "90100200"
PAST = """
[[scheme]]
key = "connect"
label = "Digital fee notes"
valid_from = 2025-01-01
valid_until = 2025-07-30
unit = "installation"
evidence = "fee_note"
kit = "ra-pid"
threshold = 2
amount = "625.00"
claims_until = 2025-06-30
legal_source = "test"
verified = true
[[scheme.moved]]
until = 2025-07-30
accounts = ["90100200"]
source = "Outage of May and June 2025"
"""


def at(day):
    """A clock that stands on a day at noon."""
    moment = datetime(day.year, day.month, day.day, 11, tzinfo=UTC)
    return clock.use_clock(lambda: moment)


async def claim(world, vendor, code, day):
    await world.reader.catch_up()
    await world.journal.ensure_months(*[datetime(day.year, day.month, day.day, tzinfo=UTC)] * 2)
    with at(day):
        return await world.claims.make(vendor.requester, "connect", code, vendor.version_id)


async def line_of(world, quarter, made):
    return next(one for one in await world.lines(quarter) if one.claim_id == made.claim_id)


async def test_installation_is_paid_once_from_evidence_alone(world):
    await world.label(EXEMPLA, date(2025, 12, 1))
    made = await claim(world, EXEMPLA, CODE, date(2026, 1, 10))
    await world.notes(CODE, days_of(date(2026, 1, 5), 2))
    await world.decide("2026-Q1")
    line = await line_of(world, "2026-Q1", made)
    assert (line.payee, line.amount, line.reasons) == (str(EXEMPLA.id), Decimal("625.00"), (Reason.ENTITLED,))
    (settled,) = (await world.claims.own(EXEMPLA.requester, "", None)).items
    assert (settled.state, settled.decided_in) == (ClaimState.ACCEPTED, "2026-Q1")
    await world.notes(CODE, days_of(date(2026, 4, 5), 5))
    await world.decide("2026-Q2")
    assert [one for one in await world.lines("2026-Q2") if one.claim_id] == []


async def test_claim_without_evidence_stays_open_until_there_is_some(world):
    await world.label(EXEMPLA, date(2025, 12, 1))
    made = await claim(world, EXEMPLA, CODE, date(2026, 1, 10))
    await world.decide("2026-Q1")
    assert (await line_of(world, "2026-Q1", made)).reasons == (Reason.NO_EVIDENCE,)
    await world.notes(CODE, days_of(date(2026, 4, 5), 1))
    await world.decide("2026-Q2")
    assert (await line_of(world, "2026-Q2", made)).reasons == (Reason.THRESHOLD,)
    await world.notes(CODE, days_of(date(2026, 7, 5), 1))
    await world.decide("2026-Q3")
    assert (await line_of(world, "2026-Q3", made)).amount == 625


@pytest.mark.parametrize("order", [(EXEMPLA, RIVAL), (RIVAL, EXEMPLA)])
async def test_of_two_vendors_the_software_that_sent_documents_first_is_paid_and_it_is_shown(world, order):
    for vendor in (EXEMPLA, RIVAL):
        await world.label(vendor, date(2025, 12, 1))
    claims = {vendor.name: await claim(world, vendor, CODE, date(2026, 1, 10)) for vendor in order}
    await world.notes(CODE, days_of(date(2026, 2, 2), 3), vendor=RIVAL)
    await world.notes(CODE, days_of(date(2026, 3, 2), 30), vendor=EXEMPLA)
    await world.decide("2026-Q1")
    paid, not_paid = [await line_of(world, "2026-Q1", claims[one.name]) for one in (RIVAL, EXEMPLA)]
    assert paid.amount == 625 and not_paid.amount == 0 and not_paid.reasons == (Reason.CLAIMED_TWICE,)
    (signal,) = (await world.decisions.signals(world.anna, "2026-Q1", None)).items
    assert (signal["kind"], signal["provider_code"], signal["state"]) == ("claimed-twice", CODE, "open")
    found = {
        one.payee: one.state.value for one in (await world.payments.orders(world.anna, "2026-Q1", "", None)).items
    }
    assert found[str(RIVAL.id)] == "held"


async def test_vendor_who_claims_a_practice_that_was_paid_for_gets_nothing(world):
    for vendor in (EXEMPLA, RIVAL):
        await world.label(vendor, date(2025, 12, 1))
    await claim(world, EXEMPLA, CODE, date(2026, 1, 10))
    await world.notes(CODE, days_of(date(2026, 1, 5), 2))
    await world.decide("2026-Q1")
    late = await claim(world, RIVAL, CODE, date(2026, 4, 10))
    await world.notes(CODE, days_of(date(2026, 4, 12), 5), vendor=RIVAL)
    await world.decide("2026-Q2")
    assert (await line_of(world, "2026-Q2", late)).reasons == (Reason.CONNECTED_BEFORE,)
    with pytest.raises(Problem) as caught:
        await claim(world, EXEMPLA, CODE, date(2026, 4, 10))
    assert caught.value.status == 409


async def test_moved_deadline_holds_for_the_named_account_and_for_no_other(make_world):
    world = await make_world(PAST)
    await world.label(EXEMPLA, date(2025, 1, 1))
    claims = {code: await claim(world, EXEMPLA, code, date(2025, 7, 10)) for code in (CODE, OTHER)}
    for code in claims:
        await world.notes(code, days_of(date(2025, 7, 1), 3))
    await world.decide("2025-Q3")
    assert (await line_of(world, "2025-Q3", claims[OTHER])).amount == 625
    assert (await line_of(world, "2025-Q3", claims[CODE])).reasons[0] is Reason.DEADLINE
    states = {one.provider_code: one.state for one in (await world.claims.all(world.anna, "", "", None)).items}
    assert states == {OTHER: ClaimState.ACCEPTED, CODE: ClaimState.REFUSED}


async def test_connection_after_the_deadline_is_not_paid_although_it_was_claimed_in_time(make_world):
    world = await make_world(PAST)
    await world.label(EXEMPLA, date(2025, 1, 1))
    made = await claim(world, EXEMPLA, CODE, date(2025, 6, 10))
    await world.notes(CODE, days_of(date(2025, 7, 1), 3))
    await world.decide("2025-Q3")
    assert (await line_of(world, "2025-Q3", made)).reasons == (Reason.DEADLINE,)


async def test_evidence_of_a_paid_installation_that_was_taken_back_is_owed_back(world):
    await world.label(EXEMPLA, date(2025, 12, 1))
    made = await claim(world, EXEMPLA, CODE, date(2026, 1, 10))
    notes = await world.notes(CODE, days_of(date(2026, 1, 5), 2))
    await world.decide("2026-Q1")
    await world.cancel(CODE, notes, date(2026, 4, 2))
    await world.decide("2026-Q2")
    line = await line_of(world, "2026-Q2", made)
    assert line.amount == -625 and line.reasons[0] is Reason.CORRECTION


@pytest.mark.parametrize(
    ("scheme", "code", "status"), [("connect", "9010010", 400), ("notes", CODE, 400), ("connect", "9010010x", 400)]
)
async def test_wrong_claim_is_refused(world, scheme, code, status):
    await world.label(EXEMPLA, date(2025, 12, 1))
    await world.reader.catch_up()
    with pytest.raises(Problem) as caught:
        await world.claims.make(EXEMPLA.requester, scheme, code, EXEMPLA.version_id)
    assert caught.value.status == status


async def test_vendor_claims_only_with_a_labelled_version_of_their_own(world):
    await world.label(RIVAL, date(2025, 12, 1))
    await world.reader.catch_up()
    with pytest.raises(Problem) as caught:
        await world.claims.make(EXEMPLA.requester, "connect", CODE, RIVAL.version_id)
    assert caught.value.status == 400
    with pytest.raises(Problem) as caught:
        await world.claims.make(world.anna, "connect", CODE, RIVAL.version_id)
    assert caught.value.status == 403
    assert (await world.claims.own(RIVAL.requester, "", None)).items == []


async def test_budget_goes_to_who_reached_the_threshold_first_and_once_paid_sums_are_not_cut(make_world):
    world = await make_world(SCHEMES.replace('amount = "625.00"', 'amount = "625.00"\nbudget = "1000.00"'))
    await world.label(EXEMPLA, date(2025, 12, 1))
    late, early = [await claim(world, EXEMPLA, code, date(2026, 1, 3)) for code in (CODE, OTHER)]
    await world.notes(CODE, days_of(date(2026, 2, 2), 2))
    await world.notes(OTHER, days_of(date(2026, 2, 1), 2))
    await world.decide("2026-Q1")
    assert (await line_of(world, "2026-Q1", early)).amount == 625
    line = await line_of(world, "2026-Q1", late)
    assert (line.amount, line.reasons) == (0, (Reason.BUDGET,))


async def test_cap_of_a_payee_cuts_what_is_paid_for_documents(make_world):
    world = await make_world(SCHEMES.replace('amount = "0.335"', 'amount = "0.335"\npayee_cap = "5.00"'))
    await world.label(EXEMPLA, date(2025, 12, 1))
    await world.notes(CODE, days_of(date(2026, 1, 5), 10))
    await world.notes(CODE, days_of(date(2026, 4, 5), 10))
    assert await world.decide("2026-Q1") == Decimal("3.35")
    assert await world.decide("2026-Q2") == Decimal("1.65")
    (line,) = await world.lines("2026-Q2")
    assert line.reasons[0] is Reason.PAYEE_CAP and line.documents == 10


async def test_one_practice_is_connected_once_for_each_software_in_the_journal(world):
    await world.notes(CODE, days_of(date(2026, 1, 5), 5))
    await world.notes(CODE, days_of(date(2026, 2, 5), 5), vendor=RIVAL)
    await world.reader.catch_up()
    found = await world.db.fetch("SELECT software, since FROM incentive_connection ORDER BY 1")
    assert [tuple(row) for row in found] == [("Exempla", date(2026, 1, 5)), ("Rival", date(2026, 2, 5))]

"""Simulation, validation, cancellation and correction of notes, over a database and a bank."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import uuid4

import pytest

from esante.core import clock
from esante.core.time_zone import today
from esante.core.web import Problem
from esante.identity.access import requester_of
from esante.services.billing.adjudication.model import Approval
from esante.services.billing.insurance.client import Silent
from esante.services.billing.payment.model import PaymentState
from esante.services.billing.pid.model import Confirmations, PidUnavailable
from tests.support.immediate_payment import YES, copy_as, fee_note, matricule_of, with_act

pytestmark = pytest.mark.usefixtures("balanced")


async def test_golden_case_is_simulated_validated_and_paid_to_the_cent(world):
    person, (doctor, code) = await world.patient(), await world.doctor()
    note = fee_note(person, code, "C1", "C2")
    requester = requester_of(doctor)
    simulation = await world.pid.simulate(requester, note)
    first, second = simulation.adjudication.lines
    assert first.statutory + first.personal == first.tariff
    assert second.tariff == Decimal("0.00")
    payment = await world.pid.validate(requester, simulation.id, YES)
    assert (payment.amount, payment.recovered) == (first.statutory, Decimal("0.00"))
    await world.settle_all()
    paid = await world.payments.of_note(person.id, note.id)
    assert paid.state is PaymentState.PAID
    assert paid.bank_line
    assert world.bank.paid[payment.id.hex] == [first.statutory]


async def refused(status: int, work) -> Problem:
    """Return the problem with which work was refused."""
    with pytest.raises(Problem) as caught:
        await work
    assert caught.value.status == status
    return caught.value


def later(**span):
    """A clock that is so much ahead."""
    return clock.use_clock(lambda: datetime.now(UTC) + timedelta(**span))


# Simulation


async def test_same_note_again_returns_the_same_simulation_while_it_is_valid(world):
    person, (doctor, code) = await world.patient(), await world.doctor()
    note, requester = fee_note(person, code), requester_of(doctor)
    first = await world.pid.simulate(requester, note)
    assert (await world.pid.simulate(requester, note)) == first
    with later(minutes=16):
        second = await world.pid.simulate(requester, note)
    assert second.id != first.id
    assert second.adjudication == first.adjudication


async def test_other_content_with_the_id_of_a_known_note_is_refused(world):
    (doctor, code), requester = await world.doctor(), None
    person, other = await world.patient(), await world.patient()
    requester, note = requester_of(doctor), fee_note(person, code)
    await world.pid.simulate(requester, note)
    await refused(409, world.pid.simulate(requester, with_act(note, "C3")))
    for_another = replace(note, patient=replace(note.patient, matricule=matricule_of(other)))
    await refused(409, world.pid.simulate(requester, for_another))


async def test_simulation_for_another_provider_code_looks_like_an_unknown_one(world):
    person, (doctor, _), (_, code) = await world.patient(), await world.doctor(), await world.doctor()
    await refused(404, world.pid.simulate(requester_of(doctor), fee_note(person, code)))
    await refused(404, world.pid.simulate(requester_of(doctor), fee_note(person, "99999999")))
    await refused(404, world.pid.simulate(requester_of(person), fee_note(person, code)))


async def test_software_bills_only_for_doctors_who_work_at_its_organisation(world):
    site, elsewhere = await world.practice(), await world.practice()
    person, (doctor, code) = await world.patient(), await world.doctor(at=site)
    simulation = await world.pid.simulate(requester_of(site), fee_note(person, code))
    assert simulation.biller_id == doctor.id
    await refused(404, world.pid.simulate(requester_of(elsewhere), fee_note(person, code)))
    await refused(404, world.pid.validate(requester_of(elsewhere), simulation.id, YES))
    await world.directory.suspensions.suspend(doctor, "struck off", actor=world.operator.actor)
    await refused(403, world.pid.simulate(requester_of(site), fee_note(person, code)))


async def test_professions_that_immediate_payment_is_not_for_are_refused_with_the_way_that_is_left(world):
    person, (nurse, code) = await world.patient(), await world.doctor(profession="nurse")
    problem = await refused(403, world.pid.simulate(requester_of(nurse), fee_note(person, code)))
    assert "accelerated reimbursement" in problem.remedy


async def test_doctor_without_a_confirmed_account_cannot_simulate(world):
    person, (doctor, code) = await world.patient(), await world.doctor(iban="")
    await refused(409, world.pid.simulate(requester_of(doctor), fee_note(person, code)))


async def test_unknown_and_not_insured_persons_are_refused_alike(world):
    (doctor, code), known, dead = await world.doctor(), await world.patient(), await world.patient()
    requester = requester_of(doctor)
    world.insurance.unknown.add(matricule_of(known))
    not_insured = await refused(422, world.pid.simulate(requester, fee_note(known, code)))
    nobody = fee_note(known, code)
    nobody = replace(nobody, patient=replace(nobody.patient, matricule="1999999999999"))
    world.insurance.unknown.add("1999999999999")
    unknown = await refused(422, world.pid.simulate(requester, nobody))
    assert (unknown.title, unknown.remedy) == (not_insured.title, not_insured.remedy)
    await world.directory.mark_deceased(dead.id, datetime.now(UTC) - timedelta(days=30), actor=world.operator.actor)
    problem = await refused(422, world.pid.simulate(requester, fee_note(dead, code)))
    assert "died" in problem.title


async def test_silent_insurance_is_answered_503_with_the_way_that_is_left_and_the_same_id(world):
    person, (doctor, code) = await world.patient(), await world.doctor()
    note, requester = fee_note(person, code), requester_of(doctor)
    world.insurance.silent = True
    try:
        with pytest.raises(PidUnavailable) as caught:
            await world.pid.simulate(requester, note)
        assert caught.value.hint == {"way": "ra", "path": "/ra/v1", "noteId": str(note.id)}
        with pytest.raises(PidUnavailable):
            await world.pid.eligibility(requester, matricule_of(person), note.issued_on)
    finally:
        world.insurance.silent = False
    assert (await world.pid.simulate(requester, note)).note.id == note.id


@pytest.mark.parametrize(
    "broken",
    [
        lambda note: replace(note, settlement=replace(note.settlement, currency="USD")),
        lambda note: replace(note, lines=(replace(note.lines[0], gross=Decimal("-1.00")),)),
        lambda note: replace(note, lines=()),
        lambda note: replace(note, patient=replace(note.patient, matricule="", birth_date=note.issued_on)),
        lambda note: replace(note, issued_on=note.issued_on + timedelta(days=30)),
    ],
    ids=["currency", "negative", "no lines", "no matricule", "future"],
)
async def test_absurd_notes_are_refused(world, broken):
    person, (doctor, code) = await world.patient(), await world.doctor()
    await refused(422, world.pid.simulate(requester_of(doctor), broken(fee_note(person, code))))


async def test_eligibility_is_for_those_who_may_bill(world):
    person, (doctor, _), (nurse, _) = (
        await world.patient(),
        await world.doctor(),
        await world.doctor(profession="nurse"),
    )
    number, day = matricule_of(person), datetime.now(UTC).date()
    assert (await world.pid.eligibility(requester_of(doctor), number, day)).eligible
    await refused(403, world.pid.eligibility(requester_of(nurse), number, day))
    await refused(403, world.pid.eligibility(requester_of(person), number, day))
    unknown = await world.pid.eligibility(requester_of(doctor), "1888888888888", day)
    assert (unknown.eligible, unknown.reason, unknown.covers) == (False, "not-insured", ())


# Validation


@pytest.mark.parametrize("missing", ["doctor", "patient", "personal_share"])
async def test_validation_without_a_confirmation_pays_nothing(world, missing):
    person, (doctor, code) = await world.patient(), await world.doctor()
    note = fee_note(person, code)
    simulation = await world.pid.simulate(requester_of(doctor), note)
    given = {"doctor": True, "patient": True, "personal_share": True} | {missing: False}
    await refused(422, world.pid.validate(requester_of(doctor), simulation.id, Confirmations(**given)))
    assert await world.payments.of_note(person.id, note.id) is None


async def test_repeated_validation_returns_the_same_payment_for_ever(world):
    person, (doctor, code) = await world.patient(), await world.doctor()
    requester = requester_of(doctor)
    simulation = await world.pid.simulate(requester, fee_note(person, code))
    first = await world.pid.validate(requester, simulation.id, YES)
    assert (await world.pid.validate(requester, simulation.id, YES)).id == first.id
    await world.settle_all()
    with later(days=400):
        again = await world.pid.validate(requester, simulation.id, YES)
    assert (again.id, again.state) == (first.id, PaymentState.PAID)
    assert len(world.bank.paid[first.id.hex]) == 1


async def test_concurrent_validations_pay_once(world):
    person, (doctor, code) = await world.patient(), await world.doctor()
    requester = requester_of(doctor)
    simulation = await world.pid.simulate(requester, fee_note(person, code))
    found = await asyncio.gather(*(world.pid.validate(requester, simulation.id, YES) for _ in range(32)))
    assert len({payment.id for payment in found}) == 1


async def test_two_simulations_of_one_note_lead_to_one_payment(world):
    person, (doctor, code) = await world.patient(), await world.doctor()
    requester, note = requester_of(doctor), fee_note(person, code)
    first = await world.pid.simulate(requester, note)
    simulations = await asyncio.gather(*(world.pid.simulate(requester, copy_as(note, note.id)) for _ in range(3)))
    payments = [await world.pid.validate(requester, one.id, YES) for one in (first, *simulations)]
    assert len({payment.id for payment in payments}) == 1


async def test_expired_simulation_is_refused_and_can_be_made_again(world):
    person, (doctor, code) = await world.patient(), await world.doctor()
    requester, note = requester_of(doctor), fee_note(person, code)
    simulation = await world.pid.simulate(requester, note)
    with later(minutes=16):
        await refused(410, world.pid.validate(requester, simulation.id, YES))
        again = await world.pid.simulate(requester, note)
        await world.pid.validate(requester, again.id, YES)


async def test_simulation_of_another_looks_like_an_unknown_one(world):
    person, (doctor, code), (other, _) = await world.patient(), await world.doctor(), await world.doctor()
    simulation = await world.pid.simulate(requester_of(doctor), fee_note(person, code))
    for stranger in (requester_of(other), requester_of(person), world.operator):
        theirs = await refused(404, world.pid.validate(stranger, simulation.id, YES))
        unknown = await refused(404, world.pid.validate(stranger, uuid4(), YES))
        assert (theirs.title, theirs.detail) == (unknown.title, unknown.detail)
        await refused(404, world.pid.simulation(stranger, simulation.id))
        await refused(404, world.pid.contest(stranger, simulation.id, []))


async def test_note_that_was_deposited_for_reimbursement_cannot_be_simulated_or_validated(world):
    from esante.services.billing.note.model import Channel

    person, (doctor, code) = await world.patient(), await world.doctor()
    requester, note = requester_of(doctor), fee_note(person, code)
    simulation = await world.pid.simulate(requester, note)
    await world.notes.keep(requester, note, Channel.RA, person=person, biller=doctor)
    await refused(409, world.pid.validate(requester, simulation.id, YES))
    assert await world.payments.of_note(person.id, note.id) is None
    other = fee_note(person, code)
    await world.notes.keep(requester, other, Channel.RA, person=person, biller=doctor)
    await refused(409, world.pid.simulate(requester, other))


# Cancellation and correction


async def test_cancelled_paid_note_is_recovered_from_the_next_payment(world):
    person, (doctor, code) = await world.patient(), await world.doctor()
    requester, note = requester_of(doctor), fee_note(person, code)
    first = await world.validated(doctor, note)
    await world.settle_all()
    await world.pid.reversals.cancel(requester, note.id, "wrong patient")
    await refused(409, world.pid.reversals.cancel(requester, note.id, "again"))
    assert await world.payments.recoverable(code) == first.amount
    other = await world.validated(doctor, fee_note(await world.patient(), code, "C1", "9T01"))
    assert other.recovered == first.amount
    assert other.amount == other.statutory - first.amount
    assert await world.payments.recoverable(code) == Decimal("0.00")
    await world.settle_all()
    assert sum(world.bank.paid[other.id.hex]) == other.amount


async def test_note_cancelled_before_it_was_paid_moves_no_money(world):
    person, (doctor, code) = await world.patient(), await world.doctor()
    note = fee_note(person, code)
    payment = await world.validated(doctor, note)
    reversed_ = await world.pid.reversals.cancel(requester_of(doctor), note.id, "slip")
    assert reversed_.state is PaymentState.WITHDRAWN
    await world.settle_all()
    assert payment.id.hex not in world.bank.paid
    assert await world.payments.recoverable(code) == Decimal("0.00")


async def test_note_cannot_be_cancelled_while_the_bank_is_being_asked(world):
    person, (doctor, code) = await world.patient(), await world.doctor()
    note = fee_note(person, code)
    await world.validated(doctor, note)
    await world.transfers.claim(100)
    await refused(409, world.pid.reversals.cancel(requester_of(doctor), note.id, "slip"))
    with later(seconds=30):
        await world.settle_all()
    await world.pid.reversals.cancel(requester_of(doctor), note.id, "slip")


async def test_correction_reverses_bills_again_and_nets_in_one_act(world):
    person, (doctor, code) = await world.patient(), await world.doctor()
    requester, note = requester_of(doctor), fee_note(person, code, "C1")
    old = await world.validated(doctor, note)
    await world.settle_all()
    new = fee_note(person, code, "C1", "9T01")
    correction = await world.pid.correct(requester, note.id, new, YES)
    assert correction.payment.recovered == old.amount
    assert correction.payment.amount == correction.payment.statutory - old.amount
    assert correction.reversed.cancelled_at is not None
    assert correction.simulation.adjudication.lines[0].statutory > 0  # the note that it replaces does not count
    again = await world.pid.correct(requester, note.id, new, YES)
    assert again.payment.id == correction.payment.id
    kept = await world.notes.find(requester, person.id, note.id)
    assert (kept.status.value, kept.replaced_by_id) == ("replaced", new.id)


async def test_correction_to_less_leaves_the_rest_to_be_recovered(world):
    person, (doctor, code) = await world.patient(), await world.doctor()
    requester, note = requester_of(doctor), fee_note(person, code, "C1", "9T01")
    old = await world.validated(doctor, note)
    await world.settle_all()
    correction = await world.pid.correct(requester, note.id, fee_note(person, code, "C1"), YES)
    assert correction.payment.amount == Decimal("0.00")
    assert correction.payment.state is PaymentState.PAID
    assert await world.payments.recoverable(code) == old.statutory - correction.payment.statutory


async def test_concurrent_corrections_reverse_and_pay_once(world):
    person, (doctor, code) = await world.patient(), await world.doctor()
    requester, note = requester_of(doctor), fee_note(person, code, "C1")
    await world.validated(doctor, note)
    await world.settle_all()
    new = fee_note(person, code, "C1", "9T01")
    await world.pid.simulate(requester, new, replaces_id=note.id)
    found = await asyncio.gather(*(world.pid.correct(requester, note.id, new, YES) for _ in range(12)))
    assert len({one.payment.id for one in found}) == 1


async def test_note_of_another_cannot_be_cancelled_or_corrected(world):
    person, (doctor, code), (other, theirs) = await world.patient(), await world.doctor(), await world.doctor()
    note = fee_note(person, code)
    await world.validated(doctor, note)
    await world.settle_all()
    await refused(404, world.pid.reversals.cancel(requester_of(other), note.id, "theft"))
    await refused(404, world.pid.correct(requester_of(other), note.id, fee_note(person, theirs), YES))


async def test_tidy_keeps_what_was_validated(world):
    person, (doctor, code) = await world.patient(), await world.doctor()
    requester, note, idle = requester_of(doctor), fee_note(person, code), fee_note(await world.patient(), code)
    await world.validated(doctor, note)
    unused = await world.pid.simulate(requester, idle)
    paid = (await world.pid.simulate(requester, note)).id
    with later(days=40):
        await world.pid.tidy()
    await refused(404, world.pid.simulation(requester, unused.id))
    assert (await world.pid.simulation(requester, paid)).note.id == note.id


async def test_every_step_is_journalled_for_the_patient(world):
    from esante.services.billing.note.model import NoteEnded, NoteKept
    from esante.services.billing.payment.model import Paid
    from esante.services.billing.pid.model import PaymentReversed, Simulated, Validated

    person, (doctor, code) = await world.patient(), await world.doctor()
    note = fee_note(person, code)
    await world.validated(doctor, note)
    await world.settle_all()
    await world.pid.reversals.cancel(requester_of(doctor), note.id, "slip")
    types = [Simulated, Validated, NoteKept, Paid, NoteEnded, PaymentReversed]
    entries = await world.journal.entries_of(person.id, types)
    assert {entry.type for entry in entries} == {type_.TYPE for type_ in types}


async def test_act_that_needs_an_approval_is_paid_as_often_as_it_was_approved(world):
    """The insurance says what the medical control (CMSS) approved; 9T08 is a sample act that needs it."""
    person, (doctor, code) = await world.patient(), await world.doctor()
    requester, day = requester_of(doctor), today()

    async def rules_of_next() -> set[str]:
        simulation = await world.pid.simulate(requester, fee_note(person, code, "9T08"))
        [line] = simulation.adjudication.lines
        if not line.is_refused:
            await world.pid.validate(requester, simulation.id, YES)
        return {one.rule for one in line.findings}

    assert "act.approval" in await rules_of_next()
    approval = Approval(code="9T08", since=day - timedelta(days=9), until=day, quantity=1)
    world.insurance.approved[matricule_of(person)] = [approval]
    assert "act.approval" not in await rules_of_next()
    assert "act.approval" in await rules_of_next()
    await world.settle_all()


async def test_note_that_needs_no_approval_does_not_wait_for_one(world, monkeypatch):
    async def silent(matricule):
        raise Silent

    monkeypatch.setattr(world.insurance, "approvals", silent)
    person, (doctor, code) = await world.patient(), await world.doctor()
    requester = requester_of(doctor)
    assert not (await world.pid.simulate(requester, fee_note(person, code))).adjudication.lines[0].is_refused
    with pytest.raises(PidUnavailable):
        await world.pid.simulate(requester, fee_note(person, code, "9T08"))

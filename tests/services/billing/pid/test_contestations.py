"""Contestations: contested once, answered by the insurance or an operator, or lapsed in time."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from esante.core import clock
from esante.core.web import Problem
from esante.identity.access import requester_of
from esante.services.billing.pid.model import ContestationState, Objection
from esante.services.billing.pid.rules import findings_of
from tests.support.immediate_payment import fee_note


@pytest.fixture
async def contested(world):
    """A doctor, a simulation with a refused line, and its contestation."""
    person, (doctor, code) = await world.patient(), await world.doctor()
    requester = requester_of(doctor)
    simulation = await world.pid.simulate(requester, fee_note(person, code, "C1", "C2"))
    finding = next(one for one in findings_of(simulation.adjudication) if one.line == 2)
    objection = Objection(finding_id=finding.id, code="1", text="It was another session.")
    [found] = await world.pid.contest(requester, simulation.id, [objection])
    return requester, simulation, objection, found


async def refused(status: int, work) -> None:
    with pytest.raises(Problem) as caught:
        await work
    assert caught.value.status == status


async def test_finding_is_contested_once(world, contested):
    requester, simulation, objection, found = contested
    assert (found.state, found.rule != "", found.line) == (ContestationState.OPEN, True, 2)
    assert await world.pid.contest(requester, simulation.id, [objection]) == [found]


@pytest.mark.parametrize("objection", [Objection(finding_id=uuid4(), code="1"), None])
async def test_what_the_simulation_does_not_have_cannot_be_contested(world, contested, objection):
    requester, simulation, known, _ = contested
    wrong = objection or Objection(finding_id=known.finding_id, code="")
    await refused(422, world.pid.contest(requester, simulation.id, [wrong]))
    await refused(400, world.pid.contest(requester, simulation.id, []))


async def test_operator_answers_once(world, contested):
    requester, _, _, found = contested
    contestations = world.pid.contestations
    await refused(403, contestations.answer(requester, found.id, accepted=True, text="mine"))
    answered = await contestations.answer(world.operator, found.id, accepted=False, text="The article says otherwise.")
    assert (answered.state, answered.answer) == (ContestationState.REFUSED, "The article says otherwise.")
    await refused(409, contestations.answer(world.operator, found.id, accepted=True, text="again"))
    await refused(404, contestations.answer(world.operator, uuid4(), accepted=True, text="nothing"))


async def test_contestation_that_nobody_answers_lapses(world, contested):
    requester, *_, found = contested
    assert await world.pid.contestations.lapse() == 0
    with clock.use_clock(lambda: datetime.now(UTC) + timedelta(days=31)):
        assert await world.pid.contestations.lapse() >= 1
    page = await world.pid.contestations.search(requester)
    assert [(one.id, one.state) for one in page.items] == [(found.id, ContestationState.LAPSED)]


async def test_doctor_sees_only_their_contestations(world, contested):
    *_, found = contested
    (other, _), person = await world.doctor(), await world.patient()
    assert (await world.pid.contestations.search(requester_of(other))).items == []
    assert found.id in {one.id for one in (await world.pid.contestations.search(world.operator)).items}
    await refused(403, world.pid.contestations.search(requester_of(person)))

"""Recalls that come with the program: everybody with a dose of the lot is notified, once."""

from esante.services.vaccination.products.catalogue import use_samples
from esante.services.vaccination.recalls.model import LotRecalled
from tests.services.vaccination.card.test_service import person_with_doctor
from tests.support.vaccination import copied, given, renew


async def test_person_with_a_dose_of_a_recalled_lot_is_notified_once(world, cards, histories, recalls):
    affected, doctor = await person_with_doctor(world)
    other, colleague = await person_with_doctor(world)
    await cards.enter(doctor, affected.id, [copied("2025-03-03", lot="recall-01")])
    await cards.enter(colleague, other.id, [copied("2025-03-03", lot="RECALL02")])
    await renew(world, histories)
    await recalls.notify()
    await recalls.notify()
    ((_, event),) = await world.events(affected, LotRecalled)
    assert (event.product, event.lot) == ("boostrix_polio", "RECALL01")
    assert await world.events(other, LotRecalled) == []


async def test_dose_that_becomes_known_after_the_recall_is_notified_too(world, cards, histories, recalls):
    person, doctor = await person_with_doctor(world)
    await recalls.notify()
    await cards.enter(doctor, person.id, [given(lot="RECALL01")], reason="given before the recall was known here")
    await renew(world, histories)
    await recalls.notify()
    assert len(await world.events(person, LotRecalled)) == 1


async def test_invented_recall_reaches_nobody_outside_a_demonstration(world, cards, histories, recalls):
    person, doctor = await person_with_doctor(world)
    await cards.enter(doctor, person.id, [copied("2025-03-03", lot="RECALL01")])
    await renew(world, histories)
    use_samples(False)
    try:
        await recalls.notify()
    finally:
        use_samples(True)
    assert await world.events(person, LotRecalled) == []

"""Lots: everybody who got one, recalled once, told to everybody and to the next doctor."""

import asyncio
from datetime import timedelta

import pytest

from esante.core.journal import advance
from esante.core.storage import NIL, uuid7
from esante.core.time_zone import today
from esante.services.notices import Notices
from esante.services.notices.letters import Letters
from esante.services.vaccination.card.service import UnansweredWarnings
from esante.services.vaccination.declaration import SERVICE
from esante.services.vaccination.recalls.model import LotRecalled, LotSearched, RecallChanged
from tests.services.vaccination.card.test_service import person_with_doctor
from tests.support.record import refusal_of
from tests.support.vaccination import BOOSTRIX, copied, given, renew

SOURCE = "Letter of the Directorate of Health of 3 March 2026"


async def dose_of(world, cards, histories, lot):
    """A person with a dose of a lot, and their doctor."""
    person, doctor = await person_with_doctor(world)
    await cards.enter(doctor, person.id, [given(lot=lot)])
    await renew(world, histories)
    return person, doctor


def new_lot() -> str:
    return f"L{uuid7().hex[-8:]}".upper()


async def recall_lot(world, recalls, lot, **fields):
    fields = {"product": BOOSTRIX, "recalled_on": today(), "reason": "Contaminated", "source": SOURCE} | fields
    return await recalls.recall(world.people["operator"], lot=lot, **fields)


async def test_search_finds_everybody_however_the_lot_is_written(world, cards, histories, recalls):
    lot = new_lot()
    written = (lot, f"{lot[:3]}-{lot[3:]}", lot.lower())
    persons = [(await dose_of(world, cards, histories, one))[0] for one in written]
    await dose_of(world, cards, histories, new_lot())
    count, page = await recalls.find_persons(world.people["operator"], f"{lot[:4]} {lot[4:]}")
    assert count == 3 and {one.person.id for one in page.items} == {person.id for person in persons}
    for person in persons:
        ((entry, event),) = await world.events(person, LotSearched)
        assert entry.actor.kind == "operator" and event.purpose == "HOPERAT"


async def test_search_is_paged_by_person(world, cards, histories, recalls):
    lot = new_lot()
    persons = [(await dose_of(world, cards, histories, lot))[0] for _ in range(5)]
    seen, cursor = [], None
    while True:
        _, page = await recalls.find_persons(world.people["operator"], lot, cursor=cursor, limit=2)
        seen += [one.person.id for one in page.items]
        if (cursor := page.next) is None:
            break
    assert sorted(seen) == sorted(person.id for person in persons)


@pytest.mark.parametrize("who", ["doctor", "hospital"])
async def test_only_operators_search_and_recall(world, recalls, who):
    requester = world.people[who]
    assert await refusal_of(recalls.find_persons(requester, "A1")) == (403, "forbidden")
    assert await refusal_of(recalls.page(requester)) == (403, "forbidden")
    assert await refusal_of(recalls.lift(requester, uuid7())) == (403, "forbidden")
    act = recalls.recall(requester, BOOSTRIX, "A1", today(), "why", SOURCE)
    assert await refusal_of(act) == (403, "forbidden")


@pytest.mark.parametrize(
    "wrong",
    [
        {"product": "nothing"},
        {"lot": ""},
        {"lot": "---"},
        {"lot": "A" * 41},
        {"lot": "A1\nB"},
        {"recalled_on": today() + timedelta(days=2)},
        {"recalled_on": None},
        {"reason": ""},
        {"source": ""},
        {"source": "x" * 301},
    ],
)
async def test_impossible_recall_is_refused_and_nothing_kept(world, recalls, wrong):
    before = (await recalls.page(world.people["operator"], limit=100)).items
    fields = {"lot": "WRONG1"} | wrong
    assert (await refusal_of(recall_lot(world, recalls, **fields)))[0] == 400
    assert len((await recalls.page(world.people["operator"], limit=100)).items) == len(before)


async def test_everybody_who_got_the_lot_is_notified_once(world, cards, histories, recalls):
    lot = new_lot()
    person, _ = await dose_of(world, cards, histories, lot)
    other, _ = await dose_of(world, cards, histories, new_lot())
    await recall_lot(world, recalls, lot.lower())
    await asyncio.gather(*(recalls.notify() for _ in range(3)))
    await recalls.notify()
    ((_, event),) = await world.events(person, LotRecalled)
    assert event.product == BOOSTRIX
    assert await world.events(other, LotRecalled) == []
    ((recall, progress), *_) = (await recalls.page(world.people["operator"])).items
    assert (recall.source, progress.doses, progress.notified) == (SOURCE, 1, 1)


async def test_dose_that_is_copied_after_the_recall_is_notified_too(world, cards, histories, recalls):
    lot = new_lot()
    await recall_lot(world, recalls, lot)
    await recalls.notify()
    person, doctor = await person_with_doctor(world)
    await cards.enter(doctor, person.id, [copied(lot=lot)])
    await renew(world, histories)
    await recalls.notify()
    assert len(await world.events(person, LotRecalled)) == 1


async def test_lot_is_recalled_once_even_by_two_operators(world, recalls):
    lot = new_lot()
    acts = [recall_lot(world, recalls, lot), recall_lot(world, recalls, lot)]
    done = await asyncio.gather(*acts, return_exceptions=True)
    assert sorted(getattr(one, "status", 200) for one in done) == [200, 409]


async def test_card_warns_of_a_recalled_lot_until_it_is_lifted(world, cards, recalls):
    lot = new_lot()
    recall_id = await recall_lot(world, recalls, lot)
    person, doctor = await person_with_doctor(world)
    with pytest.raises(UnansweredWarnings) as found:
        await cards.enter(doctor, person.id, [given(lot=lot.lower())])
    assert [one.rule for one in found.value.warnings] == ["recalled"]
    await recalls.lift(world.people["operator"], recall_id)
    await cards.enter(doctor, person.id, [given(lot=lot)])
    assert await refusal_of(recalls.lift(world.people["operator"], recall_id)) == (404, "not-found")


async def test_recall_is_a_notice_and_a_letter_to_who_never_signed_in(world, cards, histories, recalls, journal):
    lot = new_lot()
    person, _ = await dose_of(world, cards, histories, lot)
    await recall_lot(world, recalls, lot)
    await recalls.notify()
    await world.journal.sealer.seal_all()
    notices = Notices(world.db, journal, SERVICE.notices)
    letters = Letters(world.db, journal, world.directory, SERVICE.notices, {})
    for consumer in (notices.consumer, letters.consumer):
        while await advance(world.db, consumer):
            pass
    (notice, *_) = await notices.unread(person.id)
    assert notice.kind.name == "vaccine_recalled"
    page = await letters.page(world.people["operator"], person_id=person.id)
    assert [letter.kind.name for letter, _ in page.items] == ["vaccine_recalled"]


async def test_recall_is_journalled_with_its_source(world, recalls):
    lot = new_lot()
    recall_id = await recall_lot(world, recalls, lot)
    await world.journal.sealer.seal_all()
    entries = await world.journal.entries_of(NIL, [RecallChanged], limit=5)
    assert (entries[0].event.recall_id, entries[0].event.source) == (recall_id, SOURCE)
    assert entries[0].actor.kind == "operator"

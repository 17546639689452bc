"""The opt-out from secondary use: by whom, when it holds, what the journal has of it."""

from dataclasses import replace
from datetime import timedelta

import pytest

from esante.core import clock
from esante.core.clock import use_clock
from esante.core.storage import insert, uuid7
from esante.identity.access import Access, Requester, requester_of
from esante.identity.directory import Directory, Identifier
from esante.identity.directory.merging.service import Merging
from esante.services.research import OptedIn, OptedOut, OptOuts
from esante.services.research.opt_out.model import OptOut
from esante.services.research.opt_out.opt_out_store import opt_out_row
from tests.support.consent import access_events, problem_of
from tests.support.directory_entries import MRN, a_person
from tests.support.record import open_world
from tests.support.signed_in_pages import BASE


@pytest.fixture
def patient():
    return Requester(kind="patient", id=uuid7(), name="Petra Patient", origin="192.0.2.9")


async def test_person_is_out_from_the_moment_until_they_are_in_again(journal, db, opt_outs, patient):
    start = clock.now()
    for day, out in ((1, True), (5, False), (9, True)):
        moment = start + timedelta(days=day)
        with use_clock(lambda moment=moment: moment):
            await opt_outs.change(patient, out=out)
    for day, expected in ((0, False), (1, True), (4, True), (5, False), (8, False), (9, True), (400, True)):
        at = start + timedelta(days=day)
        assert (patient.id in await opt_outs.opted_out(db, at)) is expected
        assert (await opt_outs.opted_out_among(db, [patient.id, uuid7()], at) == {patient.id}) is expected
    history = await opt_outs.history(patient)
    assert [one.until is None for one in history] == [True, False]
    events = await access_events(journal, patient.id, OptedOut, OptedIn)
    assert [type(one) for one in events] == [OptedOut, OptedIn, OptedOut]


async def test_repeating_changes_nothing_and_is_not_journalled(journal, opt_outs, patient):
    await opt_outs.change(patient, out=False)
    await opt_outs.change(patient, out=True)
    await opt_outs.change(patient, out=True)
    assert len(await opt_outs.history(patient)) == 1
    assert len(await access_events(journal, patient.id, OptedOut, OptedIn)) == 1


@pytest.mark.parametrize("kind", ["practitioner", "operator", "researcher", "organization"])
async def test_nobody_but_the_person_decides(opt_outs, kind):
    stranger = Requester(kind=kind, id=uuid7(), name="Stranger")
    assert (await problem_of(opt_outs.change(stranger, out=True))).status == 403
    assert (await problem_of(opt_outs.history(stranger))).status == 403


async def test_somebody_who_acts_for_a_person_without_being_their_legal_representative_is_refused(opt_outs, patient):
    acting = Requester(kind="patient", id=uuid7(), name="Friend", patient=patient.id)
    assert (await problem_of(opt_outs.change(acting, out=True))).status == 403


async def test_parent_decides_for_a_child_and_the_child_does_not(journal, objects, db, opt_outs):
    async with open_world(db, journal, objects) as world:
        child = await world.person("Weber")
        parent = replace(await world.parent_of(child), patient=child.id)
    assert (await problem_of(opt_outs.change(requester_of(child), out=True))).status == 403
    await opt_outs.change(parent, out=True)
    assert child.id in await opt_outs.opted_out(db, clock.now()) and len(await opt_outs.history(parent)) == 1


async def test_opt_out_holds_for_all_entries_that_are_merged_as_one_person(journal, db, accounts):
    directory = Directory(db, journal)
    merging, opt_outs = (
        Merging(db, journal, directory),
        OptOuts(db, journal, Access(db, journal, directory, base_url=BASE)),
    )
    surviving = await directory.register_person(a_person(family="Reuter"))
    losing = await directory.register_person(
        a_person(family="Reuter", identifiers=(Identifier(MRN, f"L-{uuid7().hex}"),))
    )
    await opt_outs.change(requester_of(losing), out=True)
    first, second = (Requester(kind="operator", id=uuid7(), name=name) for name in ("One", "Two"))
    proposal = await merging.propose(first, losing.id, surviving.id, "Same person, seen with passport")
    assert surviving.id not in await opt_outs.opted_out(db, clock.now())
    await merging.confirm(second, proposal.id)
    both = {surviving.id, losing.id}
    assert both <= await opt_outs.opted_out(db, clock.now())
    for one in both:
        assert await opt_outs.opted_out_among(db, [one, uuid7()], clock.now()) == {one}
    assert len(await opt_outs.history(requester_of(surviving))) == 1
    await opt_outs.change(requester_of(surviving), out=False)
    assert not both & await opt_outs.opted_out(db, clock.now())


async def test_thousands_of_persons_are_returned_at_once(db, opt_outs):
    start = clock.now()
    persons = [uuid7() for _ in range(5_000)]
    async with db.transaction() as conn:
        rows = [OptOut(person_id=one, since=start) for one in persons]
        await insert(conn, [opt_out_row(one) for one in rows])
    assert await opt_outs.opted_out(db, start) == frozenset(persons)
    assert await opt_outs.opted_out(db, start - timedelta(seconds=1)) == frozenset()

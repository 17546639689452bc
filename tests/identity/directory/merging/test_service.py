"""Merges of entries: who may do what, in which order, and where a losing entry leads."""

import asyncio
from collections import namedtuple
from datetime import date

import pytest

from esante.core.journal import Actor
from esante.core.storage import uuid7
from esante.core.web import Problem
from esante.identity.directory import (
    Identifier,
    MergeLinks,
    PersonQuery,
    PersonsMerged,
    PersonsSeparated,
    matricule,
    patient_resource,
)
from esante.identity.directory.merging.model import MergeProposed, MergeState, MergeWithdrawn
from esante.identity.directory.merging.relation import MergeRelation
from esante.identity.directory.merging.service import Merging
from tests.support.directory_entries import MATRICULE, MRN, a_person

Operator = namedtuple("Operator", "kind id name actor origin")


def an_operator(name="Op", kind="operator"):
    id_ = uuid7()
    return Operator(kind, id_, name, Actor(kind=kind, id=id_, name=name), "192.0.2.9")


ONE, TWO = an_operator("One"), an_operator("Two")


@pytest.fixture
def merging(db, journal, directory):
    return Merging(db, journal, directory)


@pytest.fixture
async def pair(directory):
    """Two entries of one person: the second one without a matricule."""
    surviving = await directory.register_person(a_person(family="Reuter"))
    losing = await directory.register_person(a_person(family="Reuter", identifiers=(a_local_number(),)))
    return losing, surviving


def a_local_number():
    return Identifier(MRN, f"L-{uuid7().hex}")


async def merged(merging, losing, surviving):
    proposal = await merging.propose(ONE, losing.id, surviving.id, "Same person, seen with passport")
    return await merging.confirm(TWO, proposal.id)


async def refusal(awaitable):
    with pytest.raises(Problem) as caught:
        await awaitable
    return caught.value.status


async def search(directory, **criteria):
    actor = Actor(kind="organization", id=uuid7())
    return [person.id for person in await directory.search_persons(PersonQuery(**criteria), actor=actor)]


async def test_losing_entry_leads_to_the_surviving_one_on_every_look_up(merging, directory, pair):
    losing, surviving = pair
    number = losing.identifiers[0]
    assert (await directory.find_person(number.system, number.value)).id == losing.id
    await merged(merging, losing, surviving)
    assert (await directory.find_person(number.system, number.value)).id == surviving.id
    assert await search(directory, value=number.value) == [surviving.id]
    found = await search(directory, family="Reuter", birth_date=losing.birth_date)
    assert surviving.id in found
    assert losing.id not in found
    assert await directory.merges.volumes(losing.id) == (surviving.id, losing.id)
    assert await directory.merges.volumes(surviving.id) == (surviving.id, losing.id)


async def test_read_of_either_entry_names_the_other(merging, directory, pair):
    losing, surviving = pair
    await merged(merging, losing, surviving)
    lost = patient_resource(losing, directory.catalogue, await directory.merges.links(losing.id))
    assert (lost["active"], lost["link"]) == (
        False,
        [{"other": {"reference": f"Patient/{surviving.id}"}, "type": "replaced-by"}],
    )
    kept = patient_resource(surviving, directory.catalogue, await directory.merges.links(surviving.id))
    assert (kept["active"], kept["link"]) == (
        True,
        [{"other": {"reference": f"Patient/{losing.id}"}, "type": "replaces"}],
    )


async def test_undone_merge_leaves_entries_as_they_were_and_keeps_the_history(merging, directory, pair, db):
    losing, surviving = pair
    before = [await directory.person(one.id) for one in pair]
    merge = await merged(merging, losing, surviving)
    await merging.undo(ONE, merge.id, "They are two people")
    assert [await directory.person(one.id) for one in pair] == before
    assert await directory.merges.volumes(losing.id) == (losing.id,)
    assert await directory.merges.links(surviving.id) == MergeLinks()
    number = losing.identifiers[0]
    assert (await directory.find_person(number.system, number.value)).id == losing.id
    [history] = await merging.history(ONE, [losing.id])
    assert history.state is MergeState.UNDONE
    assert (history.proposer, history.decider, history.undoer) == ("One", "Two", "One")
    assert history.undo_reason == "They are two people"


async def test_every_act_is_journalled_under_both_persons(merging, directory, pair, journal):
    losing, surviving = pair
    withdrawn = await merging.propose(ONE, losing.id, surviving.id, "Not sure yet")
    await merging.withdraw(TWO, withdrawn.id, "Not the same person")
    merge = await merged(merging, losing, surviving)
    await merging.undo(TWO, merge.id, "Wrong after all")
    types = [MergeProposed, MergeWithdrawn, PersonsMerged, PersonsSeparated]
    for person in pair:
        entries = await journal.entries_of(person.id, types)
        assert [type(entry.event) for entry in reversed(entries)] == [
            MergeProposed,
            MergeWithdrawn,
            MergeProposed,
            PersonsMerged,
            PersonsSeparated,
        ]


async def test_own_proposal_cannot_be_confirmed(merging, pair, directory):
    losing, surviving = pair
    proposal = await merging.propose(ONE, losing.id, surviving.id, "Same person")
    assert await refusal(merging.confirm(ONE, proposal.id)) == 403
    assert await directory.merges.volumes(losing.id) == (losing.id,)


@pytest.mark.parametrize("kind", ["patient", "practitioner", "organization", "vendor"])
async def test_only_operators_act(merging, pair, kind):
    losing, surviving = pair
    other = an_operator(kind=kind)
    proposal = await merging.propose(ONE, losing.id, surviving.id, "Same person")
    for act in (
        merging.propose(other, losing.id, surviving.id, "Same person"),
        merging.confirm(other, proposal.id),
        merging.withdraw(other, proposal.id, "No reason"),
        merging.undo(other, proposal.id, "No reason"),
        merging.find(other, proposal.id),
        merging.history(other, [losing.id]),
        merging.list_merges(other, MergeState.PROPOSED, None, None),
    ):
        assert await refusal(act) == 403


async def test_entries_with_different_valid_matricules_are_not_merged(merging, directory):
    born = date(1980, 4, 9)
    one, other = [
        await directory.register_person(
            a_person(family="Twin", identifiers=(Identifier(MATRICULE, matricule(born, serial)),))
        )
        for serial in (901, 902)
    ]
    assert await refusal(merging.propose(ONE, one.id, other.id, "Same person")) == 409


async def test_wrong_check_digit_does_not_prevent_a_merge(merging, directory):
    born = date(1980, 4, 9)
    right = matricule(born, 903)
    wrong = right[:-1] + str((int(right[-1]) + 1) % 10)
    one, other = [
        await directory.register_person(a_person(family="Typo", identifiers=(Identifier(MATRICULE, number),)))
        for number in (right, wrong)
    ]
    assert (await merging.propose(ONE, other.id, one.id, "One digit was mistyped")).state is MergeState.PROPOSED


async def test_matricule_corrected_to_differ_after_the_proposal_stops_the_confirmation(merging, directory, pair):
    losing, surviving = pair
    proposal = await merging.propose(ONE, losing.id, surviving.id, "Same person")
    other = Identifier(MATRICULE, matricule(date(1980, 4, 9), 904))
    await directory.update_person(
        type(losing)(**{**{name: getattr(losing, name) for name in losing.__slots__}, "identifiers": (other,)}),
        actor=ONE.actor,
    )
    assert await refusal(merging.confirm(TWO, proposal.id)) == 409


async def test_merges_form_no_chain(merging, directory, pair):
    losing, surviving = pair
    third = await directory.register_person(a_person(family="Reuter", identifiers=(a_local_number(),)))
    await merged(merging, losing, surviving)
    assert await refusal(merging.propose(ONE, surviving.id, third.id, "Same person")) == 409
    assert await refusal(merging.propose(ONE, third.id, losing.id, "Same person")) == 409
    assert await refusal(merging.propose(ONE, losing.id, third.id, "Same person")) == 409
    await merged(merging, third, surviving)
    assert set(await directory.merges.volumes(surviving.id)) == {surviving.id, losing.id, third.id}


async def test_entry_is_not_merged_with_itself_or_with_nobody(merging, pair):
    losing, _ = pair
    assert await refusal(merging.propose(ONE, losing.id, losing.id, "Same person")) == 404
    assert await refusal(merging.propose(ONE, losing.id, uuid7(), "Same person")) == 404


async def test_decided_proposal_is_not_decided_again(merging, pair):
    losing, surviving = pair
    merge = await merged(merging, losing, surviving)
    assert await refusal(merging.confirm(TWO, merge.id)) == 409
    assert await refusal(merging.withdraw(TWO, merge.id, "Too late")) == 409
    await merging.undo(TWO, merge.id, "They differ")
    assert await refusal(merging.undo(TWO, merge.id, "They differ")) == 409
    assert await refusal(merging.confirm(TWO, uuid7())) == 404


async def test_two_operators_who_confirm_at_once_merge_once(merging, pair, journal):
    losing, surviving = pair
    proposal = await merging.propose(ONE, losing.id, surviving.id, "Same person")
    third = an_operator("Three")
    results = await asyncio.gather(
        merging.confirm(TWO, proposal.id), merging.confirm(third, proposal.id), return_exceptions=True
    )
    assert sum(isinstance(result, Problem) for result in results) == 1
    assert len(await journal.entries_of(losing.id, [PersonsMerged])) == 1


async def test_reason_is_needed(merging, pair):
    losing, surviving = pair
    assert await refusal(merging.propose(ONE, losing.id, surviving.id, " ")) == 400
    assert await refusal(merging.propose(ONE, losing.id, surviving.id, "x" * 501)) == 400


async def test_other_process_learns_of_a_merge_and_of_its_end(merging, db, pair, monkeypatch):
    losing, surviving = pair
    elsewhere = MergeRelation(db)
    assert await elsewhere.surviving(losing.id) == losing.id
    merge = await merged(merging, losing, surviving)
    elsewhere.forget()
    assert await elsewhere.surviving(losing.id) == surviving.id
    await merging.undo(TWO, merge.id, "They differ")
    elsewhere.forget()
    assert await elsewhere.surviving(losing.id) == losing.id

"""A person whose entries were merged: one record to read, and after the end of the merge two as they were."""

import pytest

from esante.core.storage import TABLES, Kind
from esante.identity.access import Confidentiality, RecordState, requester_of
from esante.identity.directory.merging.service import Merging
from esante.services.record import Listed, Read
from tests.identity.directory.merging.test_service import ONE, TWO
from tests.support.record import letter, refusal_of


@pytest.fixture
def merging(world):
    return Merging(world.db, world.journal, world.directory)


class Pair:
    """Two entries with a document each; the doctor is in the circle of the losing one only."""

    def __init__(self, world, merging):
        self.world, self.merging = world, merging
        self.doctor, self.hospital = world.people["doctor"], world.people["hospital"]

    async def prepare(self):
        world = self.world
        self.losing, self.surviving = await world.person(), await world.person()
        self.patient = requester_of(self.surviving)
        await world.into_circle(self.losing, world.people["doctor_entry"])
        self.of_losing, self.of_surviving = [
            (await world.record.deposit(self.hospital, person.id, *letter())).document
            for person in (self.losing, self.surviving)
        ]
        return self

    async def merge(self):
        proposal = await self.merging.propose(ONE, self.losing.id, self.surviving.id, "Same person")
        return await self.merging.confirm(TWO, proposal.id)

    async def listed(self, requester, person, **more):
        timeline = await self.world.record.timeline(requester, person.id, **more)
        return {document.id for document in timeline.documents}

    async def rows(self):
        """All rows of both persons, of every declared table but the journal's."""
        found = {}
        for table in TABLES.values():
            if table.kind is Kind.PERSON and not table.name.startswith("journal"):
                rows = await self.world.db.fetch(
                    f"SELECT to_jsonb(t)::text AS row FROM {table.name} t WHERE person_id = ANY($1)",
                    [self.losing.id, self.surviving.id],
                )
                found[table.name] = sorted(row["row"] for row in rows)
        return found


@pytest.fixture
async def pair(world, merging):
    return await Pair(world, merging).prepare()


async def test_documents_of_both_entries_are_one_timeline_by_the_grants_of_both(pair):
    assert await pair.listed(pair.patient, pair.surviving) == {pair.of_surviving.id}
    assert await pair.listed(pair.doctor, pair.surviving) == set()
    await pair.merge()
    both = {pair.of_surviving.id, pair.of_losing.id}
    for requester in (pair.patient, pair.doctor):
        for person in (pair.surviving, pair.losing):
            assert await pair.listed(requester, person) == both
    assert await pair.listed(pair.world.people["other"], pair.surviving) == set()


async def test_document_of_the_losing_entry_is_read_under_either_key(pair):
    await pair.merge()
    for person in (pair.surviving, pair.losing):
        document, content = await pair.world.record.content(pair.patient, person.id, pair.of_losing.id)
        assert document == pair.of_losing
        assert content.startswith(b"Dear colleague")
    reads = await pair.world.events(pair.losing, Read)
    assert len(reads) == 2
    assert await pair.world.events(pair.surviving, Read) == []


async def test_end_of_the_merge_gives_back_every_row_and_every_byte(pair):
    rows = await pair.rows()
    contents = [
        (await pair.world.record.content(pair.hospital, one.person_id, one.id))[1]
        for one in (pair.of_losing, pair.of_surviving)
    ]
    merge = await pair.merge()
    await pair.listed(pair.patient, pair.surviving)
    await pair.listed(pair.doctor, pair.surviving)
    await pair.merging.undo(TWO, merge.id, "Two people after all")
    assert await pair.rows() == rows
    assert [
        (await pair.world.record.content(pair.hospital, one.person_id, one.id))[1]
        for one in (pair.of_losing, pair.of_surviving)
    ] == contents
    assert await pair.listed(pair.patient, pair.surviving) == {pair.of_surviving.id}
    assert await pair.listed(pair.doctor, pair.surviving) == set()
    assert await refusal_of(pair.world.record.content(pair.patient, pair.surviving.id, pair.of_losing.id)) == (
        404,
        "not-found",
    )


async def test_block_under_either_entry_hides_both(pair):
    await pair.world.access.restrictions.block(
        requester_of(pair.losing), "practitioner", pair.world.people["doctor_entry"].id
    )
    await pair.merge()
    assert await pair.listed(pair.doctor, pair.surviving) == set()
    await pair.world.access.restrictions.unblock(pair.patient, pair.world.people["doctor_entry"].id)
    assert len(await pair.listed(pair.doctor, pair.surviving)) == 2


async def test_hidden_document_of_the_losing_entry_stays_hidden_and_the_survivor_decides(pair):
    await pair.merge()
    await pair.world.record.set_confidentiality(
        pair.patient, pair.surviving.id, pair.of_losing.id, Confidentiality.HIDDEN
    )
    assert await pair.listed(pair.doctor, pair.surviving) == {pair.of_surviving.id}


async def test_survivor_revokes_a_grant_of_the_losing_entry(pair):
    await pair.merge()
    [grant] = await pair.world.access.grants.list_active(pair.surviving.id)
    await pair.world.access.grants.revoke(pair.patient, grant.id)
    assert await pair.listed(pair.doctor, pair.surviving) == set()


async def test_opt_out_of_the_survivor_covers_both_and_is_lifted_for_both(pair):
    await pair.merge()
    sharing = pair.world.access.restrictions.set_sharing
    await sharing(pair.patient, False)
    assert await pair.listed(pair.doctor, pair.losing) == set()
    await sharing(pair.patient, True)
    assert len(await pair.listed(pair.doctor, pair.losing)) == 2


async def test_record_of_the_losing_entry_is_closed_while_that_of_the_survivor_is(pair):
    await pair.merge()
    await pair.world.access.lifecycle.change(pair.patient, "close")
    consent = await pair.world.access.consent(pair.losing.id)
    assert consent.state is not RecordState.OPEN
    assert await pair.listed(pair.doctor, pair.surviving) == set()


async def test_new_document_for_the_losing_entry_is_filed_under_the_survivor(pair):
    await pair.merge()
    document = (await pair.world.record.deposit(pair.hospital, pair.losing.id, *letter())).document
    assert document.person_id == pair.surviving.id


async def test_losing_entry_no_longer_opens_the_record_for_who_signs_in_with_it(pair):
    await pair.merge()
    assert await pair.listed(requester_of(pair.losing), pair.surviving) == set()


async def test_pages_of_a_merged_timeline_repeat_and_lose_nothing(pair):
    for person in [pair.losing, pair.surviving] * 6:
        await pair.world.record.deposit(pair.hospital, person.id, *letter())
    await pair.merge()
    whole = await pair.world.record.timeline(pair.patient, pair.surviving.id)
    seen, cursor = [], None
    while True:
        page = await pair.world.record.timeline(pair.patient, pair.surviving.id, cursor=cursor, limit=5)
        seen += page.documents
        cursor = page.next
        if cursor is None:
            break
    assert seen == list(whole.documents)
    assert len(seen) == 14


async def test_listing_is_journalled_under_each_entry_whose_documents_it_shows(pair):
    await pair.merge()
    await pair.listed(pair.doctor, pair.surviving)
    for person in (pair.surviving, pair.losing):
        [(_, event)] = await pair.world.events(person, Listed)
        assert event.count == 1

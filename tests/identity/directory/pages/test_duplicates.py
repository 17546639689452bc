"""The queue of similar entries, the comparison side by side, and merges, as operators use them."""

from dataclasses import replace
from datetime import date, timedelta
from itertools import count

import pytest

from esante.core.storage import NIL, uuid7
from esante.identity.access import Access, Requester, requester_of
from esante.identity.directory import Directory, Identifier, PersonRead, PersonSearched, matricule
from esante.identity.directory.matching.duplicates import Duplicates
from esante.identity.directory.matching.events import DuplicatesSearched, PairJudged
from esante.identity.directory.merging.service import Merging
from esante.identity.directory.pages import duplicates as duplicate_pages
from esante.identity.directory.pages import merges as merge_pages
from tests.support.directory_entries import MATRICULE, MRN, a_person
from tests.support.portal_browser import page_text
from tests.support.signed_in_pages import BASE, application_of, browsers_of

ADA = Requester(kind="operator", id=uuid7(), name="Ada Erste")
BEA = Requester(kind="operator", id=uuid7(), name="Bea Zweite")
QUEUE, MERGES = "/operator/duplicates", "/operator/merges"


class World:
    def __init__(self, db, journal):
        self.db, self.journal = db, journal
        self.days = count(1)
        self.directory = Directory(db, journal)
        self.access = Access(db, journal, self.directory, base_url=BASE)
        self.duplicates = Duplicates(db, journal, self.directory)
        self.merging = Merging(db, journal, self.directory)
        authenticate = self.access.page_requester
        self.app = application_of(
            self.access,
            [
                *duplicate_pages.routes(self.duplicates, self.merging, self.directory.catalogue, authenticate),
                *merge_pages.routes(self.duplicates, self.merging, self.directory, authenticate),
            ],
        )

    async def register_pair(self, family):
        """Register a person, and the same without a matricule, as a hospital abroad might have them."""
        born = date(1940, 1, 1) + timedelta(days=977 * next(self.days))
        number = Identifier(MATRICULE, matricule(born, int(uuid7().hex[-6:], 16) % 1000))
        person = a_person(family=family, given=("Marguerite", "Anne"), birth_date=born, identifiers=(number,))
        again = replace(
            person,
            id=uuid7(),
            given=("Margueritte",),
            identifiers=(Identifier(MRN, uuid7().hex),),
        )
        return [await self.directory.register_person(one) for one in (person, again)]


@pytest.fixture(scope="module")
async def world(db, journal):
    return World(db, journal)


@pytest.fixture
async def visit(world):
    async with browsers_of(world.app) as visit:
        yield visit


@pytest.fixture
async def pair(world):
    pair = await world.register_pair(f"Reuland{uuid7().hex[-6:]}")
    await world.duplicates.search()
    return sorted(pair, key=lambda person: person.id)


def place_of(pair):
    return f"{QUEUE}/{pair[0].id}/{pair[1].id}"


async def test_queue_without_pairs_says_so_and_how_to_compare_again(world, visit, db):
    await db.fetch("DELETE FROM directory_pair")
    ada = await visit(ADA)
    assert "No similar entries wait" in page_text(await ada.get(QUEUE))
    assert "esante directory duplicates" in page_text(await ada.get(QUEUE))
    assert "No pair of entries has this name" in page_text(await ada.get(f"{QUEUE}?q=xyzzy"))
    assert "No pair was found to be of two people yet" in page_text(await ada.get(f"{QUEUE}?state=different"))
    assert "No merge waits to be confirmed" in page_text(await ada.get(MERGES))
    for url in (f"{QUEUE}?state=other", f"{MERGES}?state=other", f"{QUEUE}/{uuid7()}/{uuid7()}"):
        await ada.get(url, 404)


async def test_pair_is_listed_found_by_name_and_number_and_compared_in_words(world, visit, pair):
    ada = await visit(ADA)
    family = pair[0].family
    for query in ("", f"?q={family.upper()[:9]}", f"?q={pair[0].identifiers[0].value}"):
        assert f"{family} –" in page_text(await ada.get(QUEUE + query))
    page = await ada.get(place_of(pair))
    text = page_text(page)
    assert "probable" in text
    assert "one character differs" in text
    assert str(pair[0].birth_date.year) in text
    assert len(page.xpath("//main//table/tbody/tr")) == 7


async def test_searches_and_readings_of_operators_are_journalled_with_their_motive(world, visit, pair, journal):
    ada = await visit(ADA)
    await ada.get(f"{QUEUE}?q={pair[0].family}")
    await ada.get(place_of(pair))
    for person in pair:
        [searched] = await journal.entries_of(person.id, [PersonSearched])
        [read] = await journal.entries_of(person.id, [PersonRead])
        assert (searched.event.motive, read.event.motive) == ("HOPERAT", "HOPERAT")
        assert searched.actor.id == read.actor.id == ADA.id


async def test_two_operators_merge_a_pair_and_one_undoes_it(world, visit, pair):
    ada, bea = await visit(ADA), await visit(BEA)
    page = await ada.get(place_of(pair))
    answer = await ada.submit(page, f"{place_of(pair)}/merge", surviving="second", reason="Seen with her passport")
    merge = answer.headers["location"]
    own = await ada.get(merge)
    assert "Another person must confirm your proposal." in page_text(own)
    assert not own.xpath(f"//form[@action='{merge}/confirm']")
    assert pair[0].name in page_text(await bea.get(MERGES))
    await bea.submit(await bea.get(merge), f"{merge}/confirm")
    assert await world.directory.merges.surviving(pair[0].id) == pair[1].id
    assert pair[0].family not in page_text(await ada.get(QUEUE))
    assert pair[0].family in page_text(await ada.get(f"{MERGES}?state=merged"))
    assert (await ada.submit(await ada.get(merge), f"{merge}/undo", 400, reason=" ")).status_code == 400
    await ada.submit(await ada.get(merge), f"{merge}/undo", reason="It was her sister")
    assert await world.directory.merges.surviving(pair[0].id) == pair[0].id
    text = page_text(await ada.get(merge))
    assert "It was her sister" in text
    assert "Bea Zweite" in text


async def test_pair_of_two_people_leaves_the_queue_for_good_until_it_is_put_back(world, visit, pair, journal):
    ada, place = await visit(ADA), place_of(pair)
    await ada.submit(await ada.get(place), f"{place}/different", reason="Cousins of one name")
    await world.duplicates.search()
    assert pair[0].family not in page_text(await ada.get(QUEUE))
    assert "Cousins of one name" in page_text(await ada.get(f"{QUEUE}?state=different"))
    judged = await ada.get(place)
    assert "Judged to be two people" in page_text(judged)
    await ada.submit(judged, f"{place}/reopen", reason="New evidence")
    assert pair[0].family in page_text(await ada.get(QUEUE))
    for person in pair:
        events = [entry.event for entry in await journal.entries_of(person.id, [PairJudged])]
        assert [event.different for event in events] == [False, True]


async def test_second_decision_on_a_pair_says_that_somebody_was_first(world, visit, pair):
    ada, bea, place = await visit(ADA), await visit(BEA), place_of(pair)
    late = await bea.get(place)
    await ada.submit(await ada.get(place), f"{place}/different", reason="Two people")
    answer = await bea.submit(late, f"{place}/different", 409, reason="Two people")
    assert "Somebody else has decided about this pair in the meantime." in answer.text


async def test_markup_in_names_is_shown_as_text(world, visit):
    pair = sorted(await world.register_pair("<script>alert(1)</script>"), key=lambda person: person.id)
    await world.duplicates.search()
    ada = await visit(ADA)
    page = await ada.get(place_of(pair))
    assert not page.xpath("//main//script")
    assert "<script>alert(1)</script>" in page_text(page)


async def test_others_than_operators_find_nothing(world, visit, pair):
    patient = await visit(requester_of(pair[0]))
    for url in (QUEUE, place_of(pair), MERGES, f"{MERGES}/{uuid7()}"):
        await patient.get(url, 404)
    stranger = await visit()
    assert (await stranger.http.get(QUEUE)).headers["location"].startswith("/signin")
    for act in ("merge", "different", "reopen"):
        assert (await patient.http.post(f"{place_of(pair)}/{act}")).status_code in (403, 404)


async def test_pages_of_the_queue_repeat_and_lose_nothing(world, visit):
    for number in range(23):
        await world.register_pair(f"Pager{number:03}")
    await world.duplicates.search()
    ada = await visit(ADA)
    first = await ada.get(f"{QUEUE}?q=Pager")
    links = [a.get("href") for a in first.xpath("//main//li//a")]
    (following,) = first.xpath("//a[@rel='next']/@href")
    links += [a.get("href") for a in (await ada.get(following)).xpath("//main//li//a")]
    assert len(links) == len(set(links)) >= 23


async def test_search_is_journalled_with_its_counts(world, journal, pair):
    entries, pairs = await world.duplicates.search()
    [event] = [entry.event for entry in await journal.entries_of(NIL, [DuplicatesSearched])][:1]
    assert (event.entries, event.pairs) == (entries, pairs)

"""Sharing without telling: sightings, advisories, exercises, exchange."""

import json
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from esante.core.web import LANGUAGES, Problem
from esante.services.soc.intelligence.misp import read_misp
from esante.services.soc.intelligence.model import Tlp
from esante.services.soc.intelligence.observables import guess_observable
from esante.services.soc.intelligence.stix import read_stix
from esante.services.soc.sharing.advisories import PAGE_SIZE, Advisories
from esante.services.soc.sharing.exchange import to_misp, to_stix
from esante.services.soc.sharing.model import AdvisoryText
from esante.services.soc.sharing.sightings import SightingBook, sharing_bounds

IP = "198.51.100.7"
TEXTS = {language: AdvisoryText(f"Title {language}", f"Text {language}") for language in LANGUAGES}


@pytest.fixture
def book(world):
    """Sightings under a key."""
    return SightingBook(world.db, world.journal, world.tenants, b"k" * 32)


@pytest.fixture
def advisories(world):
    """The advisories."""
    return Advisories(world.db, world.journal, world.tenants)


async def see(world, book, tenant, text=IP, at=None):
    async with world.db.transaction() as conn:
        await book.record_in(conn, tenant.tenant_id, [guess_observable(text)], at or datetime.now(UTC))


async def refused(call):
    with pytest.raises(Problem) as caught:
        await call
    return caught.value.status


async def test_number_of_other_members_is_shown_from_the_floor_on_only(world, book):
    await world.db.fetch("DELETE FROM soc_sighting")
    members = [await world.member(f"Member {number}") for number in range(4)]
    seen = []
    for tenant, _ in members:
        await see(world, book, tenant)
        await see(world, book, tenant)
        seen.append((await book.ask(members[0][1], "198.51.100[.]7")).others)
    assert seen == [None, None, None, 3] and sharing_bounds()["floor"] == 3


async def test_member_learns_nothing_about_what_it_has_not_seen_itself(world, book):
    await world.db.fetch("DELETE FROM soc_sighting")
    members = [await world.member(f"Member {number}") for number in range(5)]
    for tenant, _ in members[1:]:
        await see(world, book, tenant, "198.51.100.9")
    unseen = await book.ask(members[0][1], "198.51.100.9")
    absent = await book.ask(members[0][1], "198.51.100.10")
    assert unseen.others is None and absent.others is None
    assert (await book.ask(world.anna, "198.51.100.9")).others == 4


async def test_sightings_that_are_too_old_do_not_count_and_are_deleted(world, book):
    await world.db.fetch("DELETE FROM soc_sighting")
    members = [await world.member(f"Member {number}") for number in range(4)]
    old = datetime.now(UTC) - timedelta(days=sharing_bounds()["days"])
    for tenant, _ in members:
        await see(world, book, tenant, at=old)
    await see(world, book, members[0][0])
    assert (await book.ask(members[0][1], IP)).others is None
    await book.tidy()
    assert await world.db.fetchval("SELECT count(*) FROM soc_sighting") == 1


async def test_questions_of_a_member_are_limited(world, book, monkeypatch):
    monkeypatch.setitem(sharing_bounds(), "questions_per_day", 2)
    _, contact = await world.member("Asker")
    for _ in range(2):
        await book.ask(contact, IP)
    assert await refused(book.ask(contact, IP)) == 429
    assert await refused(book.ask(contact, "no observable")) == 400


async def test_table_of_sightings_holds_no_value_and_another_key_gives_other_tokens(world, book):
    tenant, _ = await world.member("Hôpital")
    await see(world, book, tenant)
    rows = await world.db.fetch("SELECT token FROM soc_sighting")
    other = SightingBook(world.db, world.journal, world.tenants, b"o" * 32)
    assert book.token_of(guess_observable(IP)) in {row["token"] for row in rows}
    assert other.token_of(guess_observable(IP)) not in {row["token"] for row in rows}


async def test_advisory_reaches_its_members_only_and_is_acknowledged_once(world, advisories):
    (one, contact), (_, other) = await world.member("Hôpital A"), await world.member("Hôpital B")
    sent = await advisories.publish(
        world.anna, TEXTS, Tlp.AMBER, members=[one.tenant_id], indicators="hxxps://bad[.]example.org/x\n198.51.100.7\n"
    )
    assert (await advisories.advisory(contact, sent.advisory_id)).texts == TEXTS
    assert await refused(advisories.advisory(other, sent.advisory_id)) == 404
    assert await refused(advisories.acknowledge(other, sent.advisory_id)) == 404
    assert (await advisories.page(other)).items == []
    await advisories.acknowledge(contact, sent.advisory_id)
    await advisories.acknowledge(contact, sent.advisory_id)
    (receipt,) = await advisories.receipts(world.anna, sent.advisory_id)
    assert (receipt.name, receipt.acknowledged_by) == ("Hôpital A", contact.name)
    shown = await advisories.advisory(world.anna, sent.advisory_id)
    assert (shown.receipts, shown.acknowledged) == (1, 1)
    seen = await advisories.advisory(contact, sent.advisory_id)
    assert (seen.receipts, seen.acknowledged) == (0, 0) and seen.own_at is not None
    await advisories.withdraw(world.anna, sent.advisory_id)
    assert await refused(advisories.advisory(contact, sent.advisory_id)) == 404


async def test_advisory_without_a_language_or_with_a_wrong_line_is_refused(world, advisories):
    _, contact = await world.member("Hôpital C")
    some = {language: text for language, text in TEXTS.items() if language != "lb"}
    assert await refused(advisories.publish(world.anna, some, Tlp.GREEN)) == 400
    assert await refused(advisories.publish(world.anna, TEXTS, Tlp.GREEN, indicators="what?")) == 400
    assert await refused(advisories.publish(world.anna, TEXTS, Tlp.GREEN, members=[uuid4()])) == 400
    assert await refused(advisories.publish(contact, TEXTS, Tlp.GREEN)) == 403


async def test_advisories_are_paged_newest_first_and_searched(world, advisories):
    _, contact = await world.member("Hôpital D")
    for number in range(PAGE_SIZE + 1):
        texts = {language: AdvisoryText(f"Warning {number:02}", "x") for language in LANGUAGES}
        await advisories.publish(world.anna, texts, Tlp.GREEN)
    page = await advisories.page(contact)
    rest = await advisories.page(contact, "", page.next)
    titles = [one.in_language("en").title for one in (*page.items, *rest.items)]
    assert titles == [f"Warning {number:02}" for number in reversed(range(PAGE_SIZE + 1))] and rest.next is None
    assert len((await advisories.page(contact, "warning 07")).items) == 1


INDICATORS = (
    f"{IP}\n203.0.113.0/24\nbad.example.org\nhttps://bad.example.org/it's\n{'a' * 64}\n{'b' * 32}\nx@bad.example.org"
)


@pytest.mark.parametrize(("write", "read"), [(to_stix, read_stix), (to_misp, read_misp)])
async def test_advisory_that_is_given_on_is_read_back_the_same(world, advisories, write, read):
    await world.member("Hôpital E")
    lines = "\n".join(line for line in INDICATORS.splitlines() if "/24" not in line)
    sent = await advisories.publish(world.anna, TEXTS, Tlp.GREEN, indicators=lines)
    reading = read(write(sent, "Agency"))
    assert {(one.kind, one.value) for one in reading.indicators} == {(one.kind, one.value) for one in sent.indicators}
    assert {one.tlp for one in reading.indicators} == {Tlp.GREEN} and not reading.skipped


@pytest.mark.parametrize("write", [to_stix, to_misp])
@pytest.mark.parametrize(
    ("tlp", "allowed"), [(Tlp.CLEAR, True), (Tlp.AMBER, True), (Tlp.AMBER_STRICT, False), (Tlp.RED, False)]
)
async def test_strict_advisory_is_not_given_on(world, advisories, write, tlp, allowed):
    await world.member("Hôpital F")
    sent = await advisories.publish(world.anna, TEXTS, tlp)
    if allowed:
        assert write(sent, "Agency")
    else:
        with pytest.raises(Problem) as caught:
            write(sent, "Agency")
        assert caught.value.status == 403


async def test_exercise_says_so_in_what_is_given_on_and_in_the_journal(world, advisories):
    await world.member("Hôpital G")
    sent = await advisories.publish(world.anna, TEXTS, Tlp.GREEN, is_exercise=True)
    report = next(one for one in json.loads(to_stix(sent, "Agency"))["objects"] if one["type"] == "report")
    event = json.loads(to_misp(sent, "Agency"))["response"][0]["Event"]
    assert report["name"].startswith("EXERCISE") and report["labels"] == ["exercise"]
    assert event["info"].startswith("EXERCISE") and {"name": "exercise:generic"} in event["Tag"]

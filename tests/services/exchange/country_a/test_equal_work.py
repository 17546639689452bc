"""Somebody absent, without consent, with a closed record or blocking the country: one answer, and the same work."""

import re
from collections import Counter
from datetime import timedelta

import pytest
from lxml import etree

from esante.core.storage import Objects
from esante.identity.access import Confidentiality, requester_of
from esante.services.exchange.contact_points import service
from esante.services.exchange.hl7v3.model import InstanceId
from tests.conftest import create_database, open_journal
from tests.support.country_a import COUNTRY, open_country_a
from tests.support.exchange_abroad import dispensation_cda, number_of, patient, prescription, summary
from tests.support.record import open_world
from tests.support.work import Work, counted_work

_KEYS = re.compile(rb"urn:uuid:[0-9a-f-]+|[0-9a-f]{8}-[0-9a-f-]{27}|\d+|boundary=[0-9a-f]+|--[0-9a-f]{32}")
_PERSONAL = ("FROM access_record", "FROM directory_person", "FROM directory_identifier", "exchange_dispensation")


@pytest.fixture
async def counted(server, tmp_path, monkeypatch):
    """A professional before country A over a database of its own, and the work that messages cause."""
    monkeypatch.setattr(service, "REFRESH", timedelta(hours=1))  # countries are read again by time, whoever asks
    with counted_work() as work:
        async with (
            open_journal(await create_database(server), tmp_path / "journal") as journal,
            open_world(journal.db, journal, Objects.open("", tmp_path)) as world,
            open_country_a(world, tmp_path) as (abroad, _),
        ):
            yield world, abroad, work


async def persons(world):
    """Return the numbers of those who must not be told apart, by what they are."""
    silent, closed, withdrawn, sharing = [await patient(world, consents=one) for one in ("", *[COUNTRY] * 3)]
    for person in (silent, closed, withdrawn, sharing):
        await summary(world, person)
        await prescription(world, person, "5")
    await world.access.lifecycle.change(requester_of(closed), "close")
    from esante.services.exchange.consent import CountryConsents

    await CountryConsents(world.access).withdraw(requester_of(withdrawn), COUNTRY)
    await world.access.restrictions.set_sharing(requester_of(sharing), False, risk_confirmed=True)
    found = {"silent": silent, "closed": closed, "withdrawn": withdrawn, "opted out": sharing}
    return {name: (person, number_of(person)) for name, person in found.items()} | {
        "absent": (silent, InstanceId("2.999.77", "9" * 12))
    }


def normalised(work: Work) -> Work:
    """Return work without the rows of what is there of one person and not of another."""
    counted: Counter[tuple[str, tuple[int, ...], int]] = Counter()
    for (text, lists, rows), times in work.statements.items():
        counted[text, lists, 0 if any(one in text for one in _PERSONAL) or "person" in text else rows] += times
    work.statements = counted
    return work


async def calls(abroad, person, number: InstanceId):
    """Send every kind of message about somebody; return what of the answers must not differ."""
    cx = number.cx
    found = await abroad.discover(number)
    yield (found.refusal.code, found.refusal.text, found.is_error, found.response, found.patients)
    for code in ("60591-5", "57833-6", "11502-2"):
        listing = await abroad.list_documents(cx, code)
        yield (listing.is_failure, listing.errors, listing.documents)
    retrieved = await abroad.retrieve(cx, "2.25.1^L3", "2.25.2^L1")
    yield (retrieved.errors, retrieved.documents)
    document = dispensation_cda(person, "5", document="d").replace(
        number_of(person).extension.encode(), number.extension.encode()
    )
    pharmacist = abroad.as_role("2262")
    yield await pharmacist.submit(cx, document)
    yield await pharmacist.submit(cx, document, "DISCARD-60593-1")


async def test_absent_and_refused_patients_cost_and_answer_the_same(counted):
    world, abroad, work = counted
    everybody = await persons(world)
    for person, number in everybody.values():  # caches are filled
        [one async for one in calls(abroad, person, number)]
    seen = {}
    for name, (person, number) in everybody.items():
        work.clear()
        seen[name] = [(answer, normalised(work.taken())) async for answer in calls(abroad, person, number)]
    for name, steps in seen.items():
        for (answer, done), (expected, model) in zip(steps, seen["absent"], strict=True):
            assert answer == expected, name
            assert not model.difference(done), f"{name}: {model.difference(done)}"


async def test_hidden_and_absent_documents_cost_and_answer_the_same(counted):
    world, abroad, work = counted
    person = await patient(world, consents=COUNTRY)
    shown, hidden = await summary(world, person), await summary(world, person)
    await world.record.set_confidentiality(requester_of(person), person.id, hidden, Confidentiality.HIDDEN)
    twin = await patient(world, consents=COUNTRY)
    await summary(world, twin)
    cx = number_of(person).cx
    listing = await abroad.list_documents(cx, "60591-5")
    assert {one.unique_id for one in listing.documents} == {f"2.25.{shown.int}^L3", f"2.25.{shown.int}^L1"}
    seen = []
    for key in (hidden.int, hidden.int + 1):
        work.clear()
        retrieved = await abroad.retrieve(cx, f"2.25.{key}^L3")
        seen.append(([(one.code, one.context) for one in retrieved.errors], work.taken()))
    assert seen[0][0] == seen[1][0]
    assert not seen[0][1].difference(seen[1][1]), seen[0][1].difference(seen[1][1])


async def test_whole_answers_about_hidden_and_absent_differ_in_numbers_only(counted):
    """Two persons with the same shown summary, of whom the second has hidden documents beside, answer alike."""
    world, abroad, _ = counted
    first, second = await patient(world, consents=COUNTRY), await patient(world, consents=COUNTRY)
    for person in (first, second):
        await summary(world, person, text="the same words", date="2024-03-11T10:15:00Z")
    for type_ in ("60591-5", "11502-2"):
        from tests.support.exchange_abroad import deposit

        key = await deposit(world, second, type_)
        await world.record.set_confidentiality(requester_of(second), second.id, key, Confidentiality.HIDDEN)
    key = await prescription(world, second, "6")
    await world.record.set_confidentiality(requester_of(second), second.id, key, Confidentiality.HIDDEN)
    answers = []
    for person in (first, second):
        from esante.core.xds import StoredQuery, write_query

        cx, found = number_of(person).cx, []
        for code in ("60591-5", "57833-6", "11502-2", "34105-7", "18748-4"):
            query = {"$XDSDocumentEntryPatientId": [cx], "$XDSDocumentEntryClassCode": [code]}
            content, _ = await abroad.send(
                "/XCA_Service",
                "urn:x",
                write_query(StoredQuery("urn:uuid:14d4debf-8f97-4251-9a74-a90016b0af0d", query)),
                abroad.assertions(cx),
            )
            found.append(_KEYS.sub(b"#", etree.tostring(content)))
        answers.append(found)
    assert answers[0] == answers[1]

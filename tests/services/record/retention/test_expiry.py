"""The end of retention on a real database: told before, deleted for good, shared contents kept."""

from datetime import UTC, date, datetime, timedelta

import orjson
import pytest

from esante.core import clock
from esante.core.storage import Unavailable, sha256
from esante.core.time_limits import end_of, last_of_month
from esante.core.time_zone import day_of
from esante.identity.access import Act, DispositionChanged, RecordState, requester_of
from esante.services.record import Deposit, DepositedEvent, Filters, Status
from esante.services.record.retention import expiry, store
from esante.services.record.retention.events import ContentDeleted
from esante.services.record.retention.rules import FOR_LIFE
from tests.support.lifecycle_clock import running_clock
from tests.support.record import fhir_document, letter, refusal_of
from tests.support.retention import CONSENTS, TABLES, consume, executor_of, large_letter, months, rows_left
from tests.support.summaries import summary_bytes, token_of

START = datetime(2028, 2, 29, 12, tzinfo=UTC)
LAST = date(2038, 2, 28)


@pytest.fixture
async def now(world):
    """A clock at the day of the deposits, and the partitions of the journal for ten years and more."""
    await months(
        world, START, *(datetime(year, month, 1, tzinfo=UTC) for year in (2037, 2038, 2039) for month in range(1, 13))
    )
    with running_clock(START) as running:
        yield running


async def deposited(world, person, content=None, who="doctor", **kwargs):
    given, meta = content or letter()
    return (await world.record.deposit(world.people[who], person.id, given, meta, **kwargs)).document


async def documents_of(world, person):
    timeline = await world.record.timeline(requester_of(person), person.id, Filters(status=tuple(Status)))
    return [document.id for document in timeline.documents]


async def open_now(world):
    """A person whose record opened at the moment of the clock."""
    person = await world.person(opened=False)
    await world.access.lifecycle.announce([person.id])
    await world.access.lifecycle.change(requester_of(person), "activate")
    return person


async def told(world, person):
    """The announcements of the end of documents and clinical data."""
    events = [event for _, event in await world.events(person, DispositionChanged)]
    return [event for event in events if (event.change, event.act) == ("announced", Act.EXPIRE)]


async def test_deposit_is_dated_by_the_rule(world, now):
    person = await open_now(world)
    document = await deposited(world, person)
    assert (await world.record.document(requester_of(person), person.id, document.id)).expires_on == LAST


@pytest.mark.parametrize("extra", ["", "Lang. " * 14_000], ids=["inline", "object store"])
async def test_document_with_restricted_lines_ends_in_both_forms(world, now, objects, extra):
    person = await open_now(world)
    content = summary_bytes(extra=extra), Deposit(confirmation="")
    document = await deposited(world, person, content)
    token = token_of(orjson.loads(content[0]), "bipolar")
    await world.record.restrictions.restrict(requester_of(person), person.id, document.id, [token])
    now.set(datetime(2037, 11, 3, 12, tzinfo=UTC))
    executor = executor_of(world)
    await executor.run()
    assert set(await rows_left(world, person.id)) >= {"document", "document_whole", "fhir_resource"}
    now.set(end_of(LAST))
    await executor.run()
    assert await rows_left(world, person.id) == {}
    now.set(end_of(LAST) + timedelta(days=400))
    assert await world.record.retention.removal.run() == (2 if extra else 0)


async def test_content_of_a_document_with_restricted_lines_stays_in_the_object_store(world, now, objects):
    person, other = await open_now(world), await open_now(world)
    content = summary_bytes(extra="Lang. " * 14_000), Deposit(confirmation="")
    document = await deposited(world, person, content)
    token = token_of(orjson.loads(content[0]), "bipolar")
    await world.record.restrictions.restrict(requester_of(person), person.id, document.id, [token])
    await deposited(world, other, content)
    async with world.db.transaction() as conn:
        await store.delete_documents(conn, other.id, await documents_of(world, other), clock.now())
    later = START + timedelta(days=40)
    await months(world, later)
    now.set(later)
    assert await world.record.retention.removal.run() == 0
    assert (await world.record.content(requester_of(person), person.id, document.id))[1] == content[0]
    async with world.db.transaction() as conn:
        await store.delete_documents(conn, person.id, [document.id], clock.now())
    now.set(later + timedelta(days=20))
    assert await world.record.retention.removal.run() == 2


async def test_document_is_told_and_deleted_when_its_month_is_over_and_not_before(world, now):
    person = await open_now(world)
    document = await deposited(world, person)
    now.set(START + timedelta(days=20))
    young = await deposited(world, person)
    executor = executor_of(world)
    now.set(datetime(2037, 11, 2, 12, tzinfo=UTC))  # in 90 days it is 31 January
    await executor.run()
    assert await told(world, person) == []
    now.set(datetime(2037, 11, 3, 12, tzinfo=UTC))
    await executor.run()
    await executor.run()
    (event,) = await told(world, person)
    assert (event.act, event.count, event.categories) == (Act.EXPIRE, 1, ("letter",))
    assert event.due_at == end_of(LAST)
    now.set(end_of(LAST) - timedelta(seconds=1))
    await executor.run()
    assert set(await documents_of(world, person)) == {document.id, young.id}
    now.set(end_of(LAST))
    await executor.run()
    assert await documents_of(world, person) == [young.id]
    ((entry, gone),) = await world.events(person, ContentDeleted)
    assert (gone.documents, gone.count, gone.current, gone.categories) == ((document.id,), 1, 1, ("letter",))
    assert (entry.actor.kind, gone.rule) == ("system", "disposition.retention")
    status, _ = await refusal_of(world.record.content(requester_of(person), person.id, document.id))
    assert status == 404


async def test_old_documents_without_a_date_are_dated_told_and_only_then_deleted(world, db, now):
    person = await open_now(world)
    for _ in range(3):
        await deposited(world, person)
    await db.fetch(
        "UPDATE document SET expires_on = NULL, deposited_at = '2016-02-29T12:00:00Z' WHERE person_id = $1", person.id
    )
    assert await world.record.retention.date_all() >= 3
    assert await world.record.retention.date_all() == 0
    executor = executor_of(world)
    await executor.run()
    (event,) = await told(world, person)
    assert event.due_at - now.at > timedelta(days=90)
    assert len(await documents_of(world, person)) == 3 == event.count
    with running_clock(event.due_at) as later:
        await months(world, later.at)
        await executor.run()
        assert await documents_of(world, person) == []


async def test_interrupted_dating_goes_on_where_it_was(world, db, now, monkeypatch):
    person = await open_now(world)
    for _ in range(5):
        await deposited(world, person)
    await db.fetch("UPDATE document SET expires_on = NULL WHERE person_id = $1", person.id)
    monkeypatch.setattr(expiry, "_UNDATED", 2)
    done, original = [], store.set_days

    async def broken(conn, table, rows):
        if done:
            raise ConnectionResetError
        done.append(rows)
        await original(conn, table, rows)

    monkeypatch.setattr(store, "set_days", broken)
    with pytest.raises(Unavailable):
        await world.record.retention.date_all()
    monkeypatch.setattr(store, "set_days", original)
    assert await world.record.retention.date_all() == 3


async def test_versions_end_each_ten_years_after_its_own_deposit(world, now):
    person = await open_now(world)
    first = await deposited(world, person)
    now.set(START + timedelta(days=400))
    await months(world, now.at)
    second = await deposited(world, person, replaces=first.id)
    executor = executor_of(world)
    now.set(end_of(LAST) - timedelta(days=100))
    await executor.run()
    now.set(end_of(LAST))
    await executor.run()
    assert await documents_of(world, person) == [second.id]
    left = await world.record.document(requester_of(person), person.id, second.id)
    assert (left.replaces, left.version) == (None, 2)
    ((_, gone),) = await world.events(person, ContentDeleted)
    assert (gone.count, gone.current) == (1, 0)
    third = await deposited(world, person, replaces=second.id)
    assert third.version == 3


async def test_resources_of_a_deleted_document_are_gone_and_those_of_another_stay(world, now):
    person = await open_now(world)
    allergy = {
        "resourceType": "AllergyIntolerance",
        "identifier": [{"system": "urn:example:allergy", "value": "1"}],
        "code": {"coding": [{"system": "http://snomed.info/sct", "code": "91936005"}]},
        "patient": {"reference": "urn:uuid:patient"},
    }
    keys = []
    for days in (0, 400):
        now.advance(days=days)
        await months(world, now.at)
        bundle = fhir_document(person)
        subject = bundle["entry"][1]["fullUrl"]
        bundle["entry"].append(
            {
                "fullUrl": f"urn:uuid:{sha256(str(days).encode()).hex()[:32]}",
                "resource": allergy | {"patient": {"reference": subject}},
            }
        )
        keys.append(
            (await deposited(world, person, (orjson.dumps(bundle), Deposit(media_type="application/fhir+json")))).id
        )
    await consume(world, world.record.clinical.indexer.consumer)
    sources = "SELECT DISTINCT source FROM fhir_resource WHERE person_id = $1"
    assert {row["source"] for row in await world.db.fetch(sources, person.id)} == set(keys)
    now.set(end_of(LAST) - timedelta(days=100))
    await executor_of(world).run()
    now.set(end_of(LAST))
    await executor_of(world).run()
    assert {row["source"] for row in await world.db.fetch(sources, person.id)} == {keys[1]}


async def test_clinical_data_written_directly_end_version_by_version(world, now):
    person = await open_now(world)
    writer = world.record.clinical_writer("http://esante.test/fhir")
    body = {
        "resourceType": "AllergyIntolerance",
        "patient": {"reference": f"Patient/{person.id}"},
        "code": {"text": "Nuts"},
    }
    doctor = world.people["doctor"]
    await world.into_circle(person, world.people["doctor_entry"])
    created = await writer.create(doctor, "AllergyIntolerance", orjson.dumps(body))
    now.set(START + timedelta(days=400))
    await months(world, now.at)
    await writer.create(doctor, "AllergyIntolerance", orjson.dumps(body | {"code": {"text": "Milk"}}))
    assert (await rows_left(world, person.id))["fhir_resource"] == 2
    now.set(end_of(LAST) - timedelta(days=100))
    await executor_of(world).run()
    assert len(await told(world, person)) == 1
    now.set(end_of(LAST))
    await executor_of(world).run()
    rows = await world.db.fetch("SELECT id FROM fhir_resource WHERE person_id = $1", person.id)
    assert len(rows) == 1 and rows[0]["id"] != created.version.id
    day = await world.db.fetchval("SELECT expires_on FROM contribution WHERE person_id = $1", person.id)
    assert day == date(2039, 4, 4)


async def test_content_that_another_document_has_stays_until_the_last_is_gone(world, objects, now):
    content = large_letter("shared")
    digest = sha256(content[0])
    one, other = await open_now(world), await open_now(world)
    await deposited(world, one, content)
    now.set(START + timedelta(days=400))
    await months(world, now.at)
    await deposited(world, other, content)
    removal, executor = world.record.retention.removal, executor_of(world)

    async def end(last: date) -> None:
        now.set(end_of(last_of_month(last)) - timedelta(days=100))
        await months(world, now.at, now.at + timedelta(days=120))
        await executor.run()
        (event,) = [one for one in await told(world, person) if one.due_at > now.at]
        now.set(event.due_at)
        await executor.run()
        assert await removal.run() == 0
        now.advance(days=6)
        await removal.run()
        assert await objects.get(digest) == content[0]
        now.advance(days=2)
        await months(world, now.at)

    person = one
    await end(LAST)
    assert await removal.run() == 0
    assert await objects.get(digest) == content[0]
    person = other
    await end(date(2039, 4, 4))
    assert await removal.run() == 1
    with pytest.raises(FileNotFoundError):
        await objects.get(digest)


async def test_deposit_of_the_same_bytes_keeps_a_content_that_was_to_be_removed(world, objects, db, now):
    content = large_letter("again")
    digest = sha256(content[0])
    person = await open_now(world)
    await deposited(world, person, content)
    now.set(end_of(LAST) - timedelta(days=100))
    await executor_of(world).run()
    now.set(end_of(LAST))
    await executor_of(world).run()
    now.advance(days=8)
    again = await deposited(world, person, content)
    assert await world.record.retention.removal.run() == 0
    now.advance(days=8)
    await months(world, now.at)
    assert await world.record.retention.removal.run() == 0
    assert (await world.record.content(requester_of(person), person.id, again.id))[1] == content[0]
    assert await db.fetchval("SELECT count(*) FROM document_removal WHERE sha256 = $1", digest) == 0


async def test_objection_after_deposits_deletes_content_and_tables(world, now):
    person = await open_now(world)
    patient = requester_of(person)
    await world.into_circle(person, world.people["doctor_entry"])
    await deposited(world, person, large_letter("to be deleted"))
    for _ in range(3):
        await deposited(world, person)
    await world.access.lifecycle.change(patient, "object")
    executor = executor_of(world)
    now.advance(days=14)
    await months(world, now.at)
    await executor.run()
    assert (await rows_left(world, person.id))["document"] == 4
    assert (
        await refusal_of(
            world.record.content(
                patient,
                person.id,
                (await world.db.fetchval("SELECT document_id FROM document WHERE person_id = $1", person.id)),
            )
        )
    )[0] == 404
    now.advance(days=1)
    await executor.run()
    assert await rows_left(world, person.id, (*TABLES, *CONSENTS)) == {}
    assert (await world.access.consent(person.id)).state is RecordState.DELETED
    assert await world.access.lifecycle.change(patient, "reopen") is RecordState.OPEN
    assert await documents_of(world, person) == []


async def test_holder_who_changes_their_mind_loses_nothing(world, now):
    person = await open_now(world)
    patient = requester_of(person)
    document = await deposited(world, person)
    await world.access.lifecycle.change(patient, "object")
    now.advance(days=10)
    await world.access.lifecycle.change(patient, "reopen")
    now.advance(days=30)
    await months(world, now.at)
    await executor_of(world).run()
    assert await documents_of(world, person) == [document.id]


async def test_begun_deletion_cannot_be_stopped_any_more(world, now, monkeypatch):
    monkeypatch.setattr(expiry, "DOCUMENTS", 1)
    person = await open_now(world)
    for _ in range(3):
        await deposited(world, person)
    await world.access.lifecycle.change(requester_of(person), "object")
    (planned,) = [one for one in await world.access.dispositions.find_open(person.id) if one.act is Act.DELETE]
    now.set(planned.due_at)
    await months(world, now.at)
    executor = executor_of(world)
    await executor.step(person.id, planned.id)
    assert (await rows_left(world, person.id))["document"] == 2
    status, _ = await refusal_of(world.access.lifecycle.change(requester_of(person), "reopen"))
    assert status == 409
    await executor.work()
    assert await rows_left(world, person.id) == {}


async def test_documents_of_a_closed_record_end_at_their_time_and_for_life_with_the_record(world, now):
    person = await open_now(world)
    patient = requester_of(person)
    kept, other = await deposited(world, person), await deposited(world, person)
    await world.record.retention.keep(patient, kept.series_id)
    now.set(START + timedelta(days=400))
    await months(world, now.at)
    await world.access.lifecycle.change(patient, "close")
    now.set(end_of(LAST) - timedelta(days=100))
    await executor_of(world).run()
    now.set(end_of(LAST))
    await executor_of(world).run()
    rows = await world.db.fetch("SELECT document_id, expires_on FROM document WHERE person_id = $1", person.id)
    assert [tuple(row) for row in rows] == [(kept.id, FOR_LIFE)]
    assert other.id != kept.id
    (deletion,) = [one for one in await world.access.dispositions.find_open(person.id) if one.act is Act.DELETE]
    now.set(deletion.due_at - timedelta(days=90))
    await months(world, now.at, deletion.due_at)
    await executor_of(world).run()
    now.set(deletion.due_at)
    await executor_of(world).run()
    assert await rows_left(world, person.id) == {}


async def test_deposit_journals_the_same_as_before(world, now):
    person = await open_now(world)
    document = await deposited(world, person)
    ((_, event),) = await world.events(person, DepositedEvent)
    assert (event.documents, event.delay) == ((document.id,), (day_of(clock.now()) - document.event_date).days)

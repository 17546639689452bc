"""From what happens in a record to the notification at the receiver."""

from esante.core.fhir import check
from esante.identity.access import Confidentiality, requester_of
from esante.services.record import Deposit
from esante.services.subscriptions import EventsNotified, SubscriptionEnded, SubscriptionRequested

from .conftest import GUIDE, LETTER, REPORT, resource


async def test_a_handshake_then_each_event_with_its_number(country, receiver):
    person = await country.world.person()
    hospital = country.people["hospital"]
    made = await country.subscribe(hospital, receiver.url, header=["Authorization: Bearer abc", "X-Ward: 7"])
    assert made["status"] == "requested"
    await country.delivered()
    [handshake] = receiver.requests
    assert handshake.target == "/hook?secret=s3cr3t"
    assert handshake.status["type"] == "handshake"
    assert handshake.status["events-since-subscription-start"] == "0"
    assert (handshake.headers["authorization"], handshake.headers["x-ward"]) == ("Bearer abc", "7")
    assert handshake.headers["content-type"] == "application/fhir+json"
    assert (await country.read(hospital, made))["status"] == "active"

    documents = [await country.deposit(person) for _ in range(3)]
    await country.delivered()
    assert [key for request in receiver.events for key in request.foci] == [
        f"http://esante.test/fhir/DocumentReference/{document.key}" for document in documents
    ]
    assert receiver.taken == [1, 2, 3]
    last = receiver.events[-1]
    assert last.status["subscription"]["reference"].endswith(f"Subscription/{made['id']}")
    assert (last.status["status"], last.status["events-since-subscription-start"]) == ("active", "3")
    for request in receiver.requests:
        assert check(request.body, expect="Bundle", invariants=True).issues == ()


async def test_empty_content_tells_that_something_happened_and_nothing_else(country, receiver):
    person = await country.world.person()
    await country.subscribe(country.people["laboratory"], receiver.url, content="empty")
    document = await country.deposit(person, by="laboratory")
    await country.delivered()
    [event] = receiver.events
    assert (event.numbers, event.foci) == ([1], [])
    assert len(event.bundle["entry"]) == 1
    for secret in (document.key, str(person.id), person.id.hex, "topic"):
        assert secret not in event.body.decode()
    assert check(event.body, invariants=True).issues == ()


async def test_every_kind_of_change_is_told_to_who_sees_it_then(country, receiver):
    person = await country.world.person()
    me, hospital = requester_of(person), country.people["hospital"]
    await country.world.into_circle(person, country.people["doctor_entry"])
    doctor = country.people["doctor"]
    await country.subscribe(doctor, receiver.url, f"DocumentReference?patient=Patient/{person.id}")
    record = country.world.record
    first = await country.deposit(person)
    second = (await record.deposit(hospital, person.id, b"A second version.", _meta(), replaces=first.id)).document
    await record.set_confidentiality(me, person.id, second.id, Confidentiality.RESTRICTED)
    await country.delivered()
    await record.withdraw(hospital, person.id, second.id, "mistaken")
    await country.delivered()
    keys = [reference.rpartition("/")[2] for request in receiver.events for reference in request.foci]
    assert keys == [first.key, second.key, second.key, second.key]
    assert {entry["request"]["method"] for one in receiver.events for entry in one.bundle["entry"]} == {"GET"}


async def test_a_document_of_another_patient_comes_in_where_it_belongs(country, receiver):
    wrong, right = await country.world.person(), await country.world.person("Reuter")
    for person in (wrong, right):
        await country.world.into_circle(person, country.people["doctor_entry"])
    await country.subscribe(country.people["doctor"], receiver.url)
    document = await country.deposit(wrong)
    await country.delivered()
    moved = await country.world.record.correct_person(
        country.people["hospital"], wrong.id, document.id, right.id, "names mixed up"
    )
    await country.delivered()
    keys = [reference.rpartition("/")[2] for request in receiver.events for reference in request.foci]
    assert keys == [document.key, moved.key]  # that it left the wrong record is told to nobody who may not see it


async def test_filters(country, receiver):
    person, other = await country.world.person(), await country.world.person()
    laboratory = country.people["laboratory"]
    await country.subscribe(
        laboratory, receiver.url, f"DocumentReference?patient={person.id}&type=http://loinc.org|{REPORT},{LETTER}"
    )
    await country.subscribe(laboratory, receiver.url, "category=letter", f"type={REPORT}")
    wanted = await country.deposit(person, by="laboratory", type_=LETTER)
    await country.deposit(other, by="laboratory", type_=LETTER)
    await country.deposit(person, by="laboratory", type_="11502-2")
    await country.delivered()
    keys = [reference.rpartition("/")[2] for request in receiver.events for reference in request.foci]
    assert keys == [wanted.key]


async def test_who_subscribes_later_is_not_told_of_before(country, receiver):
    person = await country.world.person()
    await country.deposit(person)
    await country.subscribe(country.people["hospital"], receiver.url, f"patient={person.id}")
    await country.delivered()
    assert receiver.events == []


async def test_an_app_of_the_patient_is_told_of_her_record(country, receiver):
    person = await country.world.person()
    me = requester_of(person)
    await country.subscribe(me, receiver.url, f"patient=Patient/{person.id}")
    await country.deposit(person)
    await country.delivered()
    assert receiver.taken == [1]


async def test_several_events_come_in_one_notification_as_far_as_the_subscriber_wants(country, receiver):
    person = await country.world.person()
    made = await country.subscribe(country.people["hospital"], receiver.url, f"patient={person.id}")
    for _ in range(5):
        await country.deposit(person)
    await country.delivered()
    assert [request.numbers for request in receiver.events] == [[1, 2, 3, 4, 5]]
    assert len(receiver.events[0].bundle["entry"]) == 6
    await _delete(country, made)


async def test_max_count_limits_the_events_of_one_notification(country, receiver):
    person = await country.world.person()
    made = await country.subscribe(
        country.people["hospital"],
        receiver.url,
        f"patient={person.id}",
        channel=_with(receiver.url, "backport-max-count", valuePositiveInt=2),
    )
    for _ in range(5):
        await country.deposit(person)
    await country.delivered()
    assert [request.numbers for request in receiver.events] == [[1, 2], [3, 4], [5]]
    await _delete(country, made)


async def test_the_person_reads_in_her_log_who_was_told(country, receiver):
    person = await country.world.person()
    await country.world.into_circle(person, country.people["doctor_entry"])
    doctor = country.people["doctor"]
    made = await country.subscribe(doctor, receiver.url, f"patient=Patient/{person.id}")
    document = await country.deposit(person)
    await country.delivered()
    async with country.client(doctor) as http:
        assert (await http.delete(f"/fhir/Subscription/{made['id']}")).status_code == 204
    [(_, asked), (told_entry, told), (_, ended)] = await country.world.events(
        person, SubscriptionRequested, EventsNotified, SubscriptionEnded
    )
    assert told.documents == (document.id,)
    assert (told.rule, told.grant_kind, told.categories) == ("grant.circle", "circle", (document.category,))
    assert told_entry.actor == doctor.actor
    assert told.endpoint == f"http://127.0.0.1:{receiver.port}"
    assert asked.endpoint == told.endpoint
    assert ended.cause == "removed"
    for entry, event in await country.world.events(person, SubscriptionRequested, EventsNotified, SubscriptionEnded):
        assert "s3cr3t" not in f"{entry} {event}"


def _meta():
    return Deposit(type=LETTER, title="Letter", media_type="text/plain")


def _with(url, name, **value):
    channel = resource(url)["channel"]
    return channel | {"extension": [{"url": f"{GUIDE}/{name}", **value}]}


async def _delete(country, made):
    async with country.client(country.people["hospital"]) as http:
        await http.delete(f"/fhir/Subscription/{made['id']}")

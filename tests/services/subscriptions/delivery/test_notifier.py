"""Numbers, journal entries and contents of notifications."""

from esante.core.fhir import check
from esante.services.subscriptions import EventsNotified, SubscriptionEnded, SubscriptionRequested
from tests.support.subscriptions import GUIDE, resource


async def test_waiting_events_are_sent_in_one_notification(platform, receiver):
    person = await platform.world.person()
    created = await platform.subscribe(platform.people["hospital"], receiver.url, f"patient={person.id}")
    for _ in range(5):
        await platform.deposit(person)
    await platform.deliver()
    assert [request.numbers for request in receiver.events] == [[1, 2, 3, 4, 5]]
    assert len(receiver.events[0].bundle["entry"]) == 6
    await _delete(platform, created)


async def test_max_count_limits_the_events_of_a_notification(platform, receiver):
    person = await platform.world.person()
    created = await platform.subscribe(
        platform.people["hospital"],
        receiver.url,
        f"patient={person.id}",
        channel=_with(receiver.url, "backport-max-count", valuePositiveInt=2),
    )
    for _ in range(5):
        await platform.deposit(person)
    await platform.deliver()
    assert [request.numbers for request in receiver.events] == [[1, 2], [3, 4], [5]]
    await _delete(platform, created)


async def test_empty_content_reveals_no_resource(platform, receiver):
    person = await platform.world.person()
    await platform.subscribe(platform.people["laboratory"], receiver.url, content="empty")
    document = await platform.deposit(person, by="laboratory", type_="11502-2")
    await platform.deliver()
    [event] = receiver.events
    assert (event.numbers, event.foci) == ([1], [])
    assert len(event.bundle["entry"]) == 1
    for secret in (document.key, str(person.id), person.id.hex, "topic"):
        assert secret not in event.body.decode()
    assert check(event.body, invariants=True).issues == ()


async def test_access_log_has_the_subscription_and_its_notifications(platform, receiver):
    person = await platform.world.person()
    await platform.world.into_circle(person, platform.people["doctor_entry"])
    doctor = platform.people["doctor"]
    created = await platform.subscribe(doctor, receiver.url, f"patient=Patient/{person.id}")
    document = await platform.deposit(person)
    await platform.deliver()
    async with platform.client(doctor) as http:
        assert (await http.delete(f"/fhir/Subscription/{created['id']}")).status_code == 204
    [(_, requested), (entry, notified), (_, ended)] = await platform.world.events(
        person, SubscriptionRequested, EventsNotified, SubscriptionEnded
    )
    assert notified.documents == (document.id,)
    assert (notified.rule, notified.grant_kind, notified.categories) == (
        "grant.circle",
        "circle",
        (document.category,),
    )
    assert entry.actor == doctor.actor
    assert notified.endpoint == f"http://127.0.0.1:{receiver.port}"
    assert requested.endpoint == notified.endpoint
    assert ended.cause == "removed"
    for entry, event in await platform.world.events(person, SubscriptionRequested, EventsNotified, SubscriptionEnded):
        assert "s3cr3t" not in f"{entry} {event}"


def _with(url, name, **value):
    channel = resource(url)["channel"]
    return channel | {"extension": [{"url": f"{GUIDE}/{name}", **value}]}


async def _delete(platform, created):
    async with platform.client(platform.people["hospital"]) as http:
        await http.delete(f"/fhir/Subscription/{created['id']}")

"""The delivery worker: order, retries, fairness, several processes."""

import asyncio
from datetime import timedelta

import pytest

from esante.core.fhir import check
from tests.support.rest_hook_receiver import FAULTS, receiving
from tests.support.subscriptions import active_subscription, add_clinic, dead_letters_of, running_worker


async def test_handshake_then_numbered_events_in_order(platform, receiver):
    person = await platform.world.person()
    hospital = platform.people["hospital"]
    created = await platform.subscribe(hospital, receiver.url, header=["Authorization: Bearer abc", "X-Ward: 7"])
    assert created["status"] == "requested"
    await platform.deliver()
    [handshake] = receiver.requests
    assert handshake.target == "/hook?secret=s3cr3t"
    assert handshake.status["type"] == "handshake"
    assert handshake.status["events-since-subscription-start"] == "0"
    assert (handshake.headers["authorization"], handshake.headers["x-ward"]) == ("Bearer abc", "7")
    assert handshake.headers["content-type"] == "application/fhir+json"
    assert (await platform.read(hospital, created))["status"] == "active"

    documents = [await platform.deposit(person) for _ in range(3)]
    await platform.deliver()
    assert [key for request in receiver.events for key in request.foci] == [
        f"http://esante.test/fhir/DocumentReference/{document.key}" for document in documents
    ]
    assert receiver.event_numbers == [1, 2, 3]
    last = receiver.events[-1]
    assert last.status["subscription"]["reference"].endswith(f"Subscription/{created['id']}")
    assert (last.status["status"], last.status["events-since-subscription-start"]) == ("active", "3")
    for request in receiver.requests:
        assert check(request.body, expect="Bundle", invariants=True).issues == ()


@pytest.mark.parametrize("fault", FAULTS)
async def test_failed_delivery_is_repeated_with_the_same_numbers(platform, fault):
    person = await platform.world.person()
    quick = platform.with_policy(timeout=timedelta(seconds=0.3), attempts=5)
    async with receiving() as receiver:
        software = await add_clinic(quick, person)
        await active_subscription(quick, software, receiver.url)
        receiver.mode = fault
        await quick.deposit(person, by="clinic")
        await quick.match_events()
        async with running_worker(quick):
            await receiver.wait_for_requests(3)
            receiver.mode = "ok"
            await receiver.wait_for_requests(len(receiver.requests) + 1)
        await quick.subscriptions.worker.run_until_idle()
        assert set(receiver.event_numbers) == {1}
        assert len(receiver.event_numbers) >= 3
        await quick.deposit(person, by="clinic")
        await quick.deliver()
        assert receiver.event_numbers[-1] == 2


@pytest.mark.parametrize("answer", ["interim", "endless"])
async def test_long_or_interim_response_counts_by_its_status(platform, answer):
    person = await platform.world.person()
    async with receiving(answer) as receiver:
        software = await add_clinic(platform, person)
        await active_subscription(platform, software, receiver.url)
        await platform.deposit(person, by="clinic")
        await platform.deliver()
        assert receiver.event_numbers == [1]


async def test_failed_handshake_sets_error_at_once(platform):
    laboratory = platform.people["laboratory"]
    async with receiving("500") as receiver:
        created = await platform.subscribe(laboratory, receiver.url)
        await platform.deliver()
        found = await platform.read(laboratory, created)
        assert (found["status"], found["error"]) == ("error", "The endpoint replied with an error. 500")
        assert len(receiver.requests) == 1
        receiver.mode = "ok"
        assert (await platform.put(laboratory, found, status="requested")).json()["status"] == "requested"
        await platform.deliver()
        found = await platform.read(laboratory, created)
        assert (found["status"], found.get("error")) == ("active", None)
    assert await dead_letters_of(platform, created) == []


async def test_unreachable_endpoint_gets_no_numbers_or_entries(platform):
    """Events are numbered and journalled only once there is a connection."""
    person = await platform.world.person()
    slow = platform.with_policy(first_wait=timedelta(hours=1), longest_wait=timedelta(hours=1))
    software = await add_clinic(slow, person)
    async with receiving() as receiver:
        created = await active_subscription(slow, software, receiver.url)
    await slow.deposit(person, by="clinic")
    await slow.deliver()
    found = await slow.read(software, created)
    assert (found["status"], found["error"]) == ("active", "The endpoint does not accept connections.")
    async with slow.client(software) as http:
        status = (await http.get(f"/fhir/Subscription/{created['id']}/$status")).json()
    assert {"name": "events-since-subscription-start", "valueString": "0"} in (
        status["entry"][0]["resource"]["parameter"]
    )


async def test_failed_delivery_waits_before_the_next_attempt(platform):
    person = await platform.world.person()
    slow = platform.with_policy(first_wait=timedelta(hours=1), longest_wait=timedelta(hours=5))
    async with receiving() as receiver:
        software = await add_clinic(slow, person)
        created = await active_subscription(slow, software, receiver.url)
        receiver.mode = "500"
        await slow.deposit(person, by="clinic")
        await slow.deliver()
        await slow.deliver()
        assert len(receiver.events) == 1
        wait = await slow.world.db.fetchval(
            "SELECT retry_at - now() FROM subscription WHERE subscription_id = $1::text::uuid", created["id"]
        )
        assert timedelta(minutes=29) < wait <= timedelta(hours=1)


async def test_order_is_kept_and_nothing_is_lost_over_many_faults(platform):
    person = await platform.world.person()
    sturdy = platform.with_policy(attempts=50, timeout=timedelta(seconds=0.2), batch=3)
    async with receiving() as receiver:
        software = await add_clinic(sturdy, person)
        await active_subscription(sturdy, software, receiver.url)
        documents = []
        for round_ in range(4):
            receiver.mode = FAULTS[round_]
            documents += [await sturdy.deposit(person, by="clinic") for _ in range(4)]
            await sturdy.match_events()
            async with running_worker(sturdy):
                await receiver.wait_for_requests(len(receiver.requests) + 2)
            receiver.mode = "ok"
            await sturdy.subscriptions.worker.run_until_idle()
        firsts = list(dict.fromkeys(receiver.event_numbers))
        assert firsts == list(range(1, 17))
        by_number = {}
        for request in receiver.events:
            by_number |= dict(zip(request.numbers, request.foci, strict=True))
        assert [by_number[n].rpartition("/")[2] for n in firsts] == [document.key for document in documents]


async def test_hanging_endpoint_does_not_delay_others(platform):
    person = await platform.world.person()
    narrow = platform.with_policy(at_once=4, at_once_per_endpoint=2, timeout=timedelta(seconds=8), attempts=2)
    async with receiving() as dead, receiving() as alive:
        software = await add_clinic(narrow, person)
        for _ in range(6):
            await active_subscription(narrow, software, dead.url)
        await active_subscription(narrow, software, alive.url)
        dead.mode, dead.requests = "hang", []
        await narrow.deposit(person, by="clinic")
        await narrow.match_events()
        async with running_worker(narrow):
            await alive.wait_for_requests(2)
            await dead.wait_for_requests(2)
            assert alive.event_numbers == [1]
            assert dead.max_open_requests <= 2
    free = await narrow.world.db.fetchval("SELECT count(*) FROM subscription WHERE claim IS NOT NULL")
    assert free == 0  # on the way out, what was taken is let go


async def test_two_workers_share_subscriptions_and_send_nothing_twice(platform):
    person = await platform.world.person()
    processes = [platform.with_policy(batch=1), platform.with_policy(batch=1)]
    async with receiving() as receiver:
        software = await add_clinic(platform, person)
        for _ in range(3):
            await active_subscription(platform, software, receiver.url)
        receiver.requests = []
        for _ in range(5):
            await platform.deposit(person, by="clinic")
        await platform.match_events()
        await asyncio.gather(*(process.subscriptions.worker.run_until_idle() for process in processes))
        for process in processes:
            await process.subscriptions.worker.run_until_idle()
        by_subscription = {}
        for request in receiver.events:
            by_subscription.setdefault(request.status["subscription"]["reference"], []).extend(request.numbers)
        assert list(by_subscription.values()) == [[1, 2, 3, 4, 5]] * 3

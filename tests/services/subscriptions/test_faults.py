"""Endpoints that fail: what is tried again, in which order, and what becomes of what fails for good."""

import asyncio
import sys
import textwrap
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from esante.core.journal import advance
from esante.core.storage import NIL
from esante.core.web import Problem
from esante.services.subscriptions import DeadLetterSettled, DeliveryFailed

from .conftest import subscriptions_of
from .receivers import ANSWERS, receiving

FAULTS = sorted({*ANSWERS, "hang"} - {"ok", "patient", "endless"})
SOURCE = Path(__file__).resolve().parents[3]


async def active(country, requester, url, *filters, **changes):
    """A subscription whose handshake was taken."""
    made = await country.subscribe(requester, url, *filters, **changes)
    await country.subscriptions.worker.run_until_idle()
    assert (await country.read(requester, made))["status"] == "active"
    return made


async def mine(country, person):
    """A new organisation's software, which sees what it deposits itself for a person."""
    hospital = await country.world.organization("hospital", f"Clinic {person.id.hex[-6:]}")
    requester = await country.software(f"kis-{person.id.hex[-12:]}", hospital.id)
    country.people["clinic"] = requester
    return requester


@asynccontextmanager
async def working(country):
    """A worker meanwhile."""
    worker = asyncio.create_task(country.subscriptions.worker.run())
    yield
    worker.cancel()
    await asyncio.gather(worker, return_exceptions=True)


async def letters_of(country, made):
    page = await country.subscriptions.admin.letters(limit=100)
    return [letter for letter in page.items if str(letter.subscription.id) == made["id"]]


@pytest.mark.parametrize("fault", FAULTS)
async def test_whatever_goes_wrong_is_tried_again_with_the_same_numbers(country, fault):
    person = await country.world.person()
    quick = country.with_terms(timeout=timedelta(seconds=0.3), attempts=5)
    async with receiving() as receiver:
        software = await mine(quick, person)
        await active(quick, software, receiver.url)
        receiver.mode = fault
        await quick.deposit(person, by="clinic")
        await quick.matched()
        async with working(quick):
            await receiver.got(3)
            receiver.mode = "ok"
            await receiver.got(len(receiver.requests) + 1)
        await quick.subscriptions.worker.run_until_idle()
        assert set(receiver.taken) == {1}
        assert len(receiver.taken) >= 3
        await quick.deposit(person, by="clinic")
        await quick.delivered()
        assert receiver.taken[-1] == 2


@pytest.mark.parametrize("answer", ["patient", "endless"])
async def test_a_long_or_slow_answer_counts_by_its_status(country, answer):
    person = await country.world.person()
    async with receiving(answer) as receiver:
        software = await mine(country, person)
        await active(country, software, receiver.url)
        await country.deposit(person, by="clinic")
        await country.delivered()
        assert receiver.taken == [1]


async def test_no_redirect_is_followed(country):
    async with receiving() as elsewhere, receiving("302") as receiver:
        ANSWERS["302"] = ANSWERS["302"].replace(b"127.0.0.1:1/", f"127.0.0.1:{elsewhere.port}/".encode())
        made = await country.subscribe(country.people["laboratory"], receiver.url)
        await country.delivered()
        assert (await country.read(country.people["laboratory"], made))["status"] == "error"
        assert elsewhere.connections == 0


async def test_a_failed_handshake_is_an_error_at_once(country):
    laboratory = country.people["laboratory"]
    async with receiving("500") as receiver:
        made = await country.subscribe(laboratory, receiver.url)
        await country.delivered()
        found = await country.read(laboratory, made)
        assert (found["status"], found["error"]) == ("error", "The endpoint answered with an error. 500")
        assert len(receiver.requests) == 1
        receiver.mode = "ok"
        assert (await country.put(laboratory, found, status="requested")).json()["status"] == "requested"
        await country.delivered()
        found = await country.read(laboratory, made)
        assert (found["status"], found.get("error")) == ("active", None)
    assert await letters_of(country, made) == []


async def test_what_cannot_be_reached_is_told_of_nothing(country):
    """No number is given and nobody's log says "was told" until there is somebody at the other end."""
    person = await country.world.person()
    slow = country.with_terms(first_wait=timedelta(hours=1), longest_wait=timedelta(hours=1))
    software = await mine(slow, person)
    async with receiving() as receiver:
        made = await active(slow, software, receiver.url)
    await slow.deposit(person, by="clinic")
    await slow.delivered()
    found = await slow.read(software, made)
    assert (found["status"], found["error"]) == ("active", "The endpoint does not take connections.")
    async with slow.client(software) as http:
        status = (await http.get(f"/fhir/Subscription/{made['id']}/$status")).json()
    assert {"name": "events-since-subscription-start", "valueString": "0"} in (
        status["entry"][0]["resource"]["parameter"]
    )


async def test_a_delivery_that_failed_waits_its_turn(country):
    person = await country.world.person()
    slow = country.with_terms(first_wait=timedelta(hours=1), longest_wait=timedelta(hours=5))
    async with receiving() as receiver:
        software = await mine(slow, person)
        made = await active(slow, software, receiver.url)
        receiver.mode = "500"
        await slow.deposit(person, by="clinic")
        await slow.delivered()
        await slow.delivered()
        assert len(receiver.events) == 1
        wait = await slow.world.db.fetchval(
            "SELECT retry_at - now() FROM subscription WHERE subscription_id = $1::text::uuid", made["id"]
        )
        assert timedelta(minutes=29) < wait <= timedelta(hours=1)


async def test_order_is_kept_and_nothing_is_lost_over_many_faults(country):
    person = await country.world.person()
    sturdy = country.with_terms(attempts=50, timeout=timedelta(seconds=0.2), batch=3)
    async with receiving() as receiver:
        software = await mine(sturdy, person)
        await active(sturdy, software, receiver.url)
        documents = []
        for round_ in range(4):
            receiver.mode = FAULTS[round_]
            documents += [await sturdy.deposit(person, by="clinic") for _ in range(4)]
            await sturdy.matched()
            async with working(sturdy):
                await receiver.got(len(receiver.requests) + 2)
            receiver.mode = "ok"
            await sturdy.subscriptions.worker.run_until_idle()
        firsts = list(dict.fromkeys(receiver.taken))
        assert firsts == list(range(1, 17))
        by_number = {}
        for request in receiver.events:
            by_number |= dict(zip(request.numbers, request.foci, strict=True))
        assert [by_number[n].rpartition("/")[2] for n in firsts] == [document.key for document in documents]


async def test_after_the_last_attempt_it_lies_among_the_dead_letters_until_an_operator_tries_again(country):
    person, operator = await country.world.person(), country.people["operator"]
    async with receiving() as receiver:
        software = await mine(country, person)
        made = await active(country, software, receiver.url)
        receiver.mode = "500"
        for _ in range(2):
            await country.deposit(person, by="clinic")
        await country.delivered()
        assert len(receiver.events) == 3
        assert (await country.read(software, made))["status"] == "error"
        [letter] = await letters_of(country, made)
        assert (letter.count, letter.attempts, letter.error) == (2, 3, "status 500")
        [failed] = [e.event for e in await country.world.journal.entries_of(NIL, [DeliveryFailed], limit=1)]
        assert (str(failed.subscription_id), failed.attempts) == (made["id"], 3)

        await country.deposit(person, by="clinic")  # in error nothing is sent, and nothing is lost
        await country.delivered()
        assert len(receiver.events) == 3

        receiver.mode = "ok"
        await country.subscriptions.admin.retry(operator, letter.id)
        await country.delivered()
        assert list(dict.fromkeys(receiver.taken)) == [1, 2, 3]
        assert (await country.read(software, made))["status"] == "active"
        assert await letters_of(country, made) == []
        with pytest.raises(Problem) as settled:
            await country.subscriptions.admin.retry(operator, letter.id)
        assert settled.value.status == 404
    [entry] = await country.world.journal.entries_of(NIL, [DeadLetterSettled], limit=1)
    assert (entry.event.act, entry.event.count, entry.actor.kind) == ("retry", 2, "operator")


async def test_what_an_operator_gives_up_is_passed_over_and_can_still_be_asked_for(country):
    person, operator = await country.world.person(), country.people["operator"]
    async with receiving() as receiver:
        software = await mine(country, person)
        made = await active(country, software, receiver.url)
        receiver.mode = "hang"
        quick = country.with_terms(timeout=timedelta(seconds=0.2))
        given_up = await quick.deposit(person, by="clinic")
        await quick.delivered()
        [letter] = await letters_of(country, made)
        await country.subscriptions.admin.give_up(operator, letter.id)
        later = await country.deposit(person, by="clinic")
        receiver.mode, receiver.requests = "ok", []
        await country.delivered()
        assert receiver.requests == []  # its subscriber has to ask again
        found = await country.read(software, made)
        assert found["status"] == "error"
        await country.put(software, found, status="requested")
        await country.delivered()
        assert receiver.taken == [2]
        assert receiver.events[0].foci[0].endswith(later.key)
        asked = await country.events(software, made)
        assert [entry["request"]["url"].rpartition("/")[2] for entry in asked["entry"][1:]] == [
            given_up.key,
            later.key,
        ]


async def test_a_patient_and_a_doctor_decide_about_no_delivery(country):
    for name in ("doctor", "hospital"):
        with pytest.raises(Problem) as refused:
            await country.subscriptions.admin.give_up(country.people[name], NIL)
        assert refused.value.status == 403


async def test_a_dead_endpoint_holds_nobody_up(country):
    person = await country.world.person()
    narrow = country.with_terms(at_once=4, at_once_per_endpoint=2, timeout=timedelta(seconds=8), attempts=2)
    async with receiving() as dead, receiving() as alive:
        software = await mine(narrow, person)
        for _ in range(6):
            await active(narrow, software, dead.url)
        await active(narrow, software, alive.url)
        dead.mode, dead.requests = "hang", []
        await narrow.deposit(person, by="clinic")
        await narrow.matched()
        async with working(narrow):
            await alive.got(2)
            await dead.got(2)
            assert alive.taken == [1]
            assert dead.most_at_once <= 2
    free = await narrow.world.db.fetchval("SELECT count(*) FROM subscription WHERE claim IS NOT NULL")
    assert free == 0  # on the way out, what was taken is let go


async def test_two_processes_share_the_work_and_send_nothing_twice(country):
    person = await country.world.person()
    processes = [country.with_terms(batch=1), country.with_terms(batch=1)]
    async with receiving() as receiver:
        software = await mine(country, person)
        for _ in range(3):
            await active(country, software, receiver.url)
        receiver.requests = []
        for _ in range(5):
            await country.deposit(person, by="clinic")
        await country.matched()
        await asyncio.gather(*(process.subscriptions.worker.run_until_idle() for process in processes))
        for process in processes:
            await process.subscriptions.worker.run_until_idle()
        by_subscription = {}
        for request in receiver.events:
            by_subscription.setdefault(request.status["subscription"]["reference"], []).extend(request.numbers)
        assert list(by_subscription.values()) == [[1, 2, 3, 4, 5]] * 3


async def test_a_reader_that_fails_or_runs_twice_makes_each_event_once(country, monkeypatch):
    from esante.services.subscriptions import event_matcher

    person = await country.world.person()
    async with receiving() as receiver:
        software = await mine(country, person)
        await active(country, software, receiver.url)
        await country.deposit(person, by="clinic")
        await country.world.journal.sealer.seal_all()
        insert = event_matcher.insert

        async def dies(conn, rows):
            await insert(conn, rows)
            raise RuntimeError("power cut")

        monkeypatch.setattr(event_matcher, "insert", dies)
        with pytest.raises(RuntimeError):
            await advance(country.world.db, country.subscriptions.reader)
        monkeypatch.undo()
        await asyncio.gather(*(advance(country.world.db, country.subscriptions.reader) for _ in range(4)))
        await country.delivered()
        assert receiver.taken == [1]


PROCESS = """
    import asyncio, sys
    from datetime import timedelta
    from pathlib import Path
    from esante.identity.access import Access
    from esante.identity.directory import Directory
    from esante.core.journal import Journal
    from esante.services.record import Record
    from esante.core.storage import Database, Objects
    from tests.services.subscriptions.conftest import BASE, LOOPBACK, Subscriptions, fast

    async def main(dsn, folder):
        db = await Database.open(dsn)
        objects = Objects.open("", Path(folder))
        journal = Journal.open(db, objects, Path(folder) / "key.pem", "esante/journal")
        directory = Directory(db, journal)
        access = Access(db, journal, directory, base_url=BASE)
        record = Record(db, objects, journal, directory, access)
        terms = fast(lease=timedelta(seconds=1), attempts=50)
        service = Subscriptions(db, journal, access, record, base_url=f"{BASE}/fhir", networks=LOOPBACK, policy=terms)
        await service.worker.run()

    asyncio.run(main(*sys.argv[1:]))
"""


async def test_what_a_killed_process_was_at_is_taken_up_by_another(country, tmp_path):
    person = await country.world.person()
    async with receiving() as receiver:
        software = await mine(country, person)
        made = await active(country, software, receiver.url)
        receiver.mode = "hang"
        for _ in range(2):
            await country.deposit(person, by="clinic")
        await country.matched()
        command = [sys.executable, "-c", textwrap.dedent(PROCESS), country.world.journal.dsn, str(tmp_path)]
        first = await asyncio.create_subprocess_exec(*command, cwd=SOURCE, stdin=asyncio.subprocess.DEVNULL)
        try:
            await receiver.got(2)
        finally:
            first.kill()
            await first.wait()
        receiver.mode = "ok"
        assert (await country.read(software, made))["status"] == "active"
        async with working(country):
            await receiver.got(3)
        assert [request.numbers for request in receiver.events] == [[1, 2], [1, 2]]


async def test_what_is_worn_out_is_ended_with_its_cause(country):
    person = await country.world.person()
    db, software = country.world.db, await mine(country, person)
    async with receiving() as receiver:
        made = [await active(country, software, receiver.url) for _ in range(4)]
    await country.deposit(person, by="clinic")
    await country.matched()
    long_ago = datetime.now(UTC) - timedelta(days=400)
    ids = [one["id"] for one in made]
    for sql, key in (
        ("UPDATE subscription SET ends_at = $2 WHERE subscription_id = $1::text::uuid RETURNING 1", ids[0]),
        (
            "UPDATE subscription SET status = 'error', changed_at = $2"
            " WHERE subscription_id = $1::text::uuid RETURNING 1",
            ids[1],
        ),
        (
            "UPDATE subscription SET status = 'off', changed_at = $2"
            " WHERE subscription_id = $1::text::uuid RETURNING 1",
            ids[2],
        ),
    ):
        assert await db.fetchval(sql, key, long_ago)
    full = country.with_terms(waiting=0)
    await full.subscriptions.tidy()
    async with country.client(software) as http:
        left = {e["resource"]["id"]: e["resource"] for e in (await http.get("/fhir/Subscription")).json()["entry"]}
    assert ids[2] not in left
    assert {key: (left[key]["status"], left[key]["error"]) for key in (ids[0], ids[1], ids[3])} == {
        ids[0]: ("off", "The subscription has come to its end."),
        ids[1]: ("off", "The subscription was in error for too long."),
        ids[3]: ("off", "Too many events were waiting."),
    }
    waiting = "SELECT count(*) FROM subscription_event WHERE state = 'waiting' AND subscription_id = ANY($1::uuid[])"
    assert await db.fetchval(waiting, ids) == 0
    assert (await subscriptions_of(country.world, country.subscriptions.policy).admin.figures()).letters >= 0

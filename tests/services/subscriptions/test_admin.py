"""The operators' use cases: dead letters and the state of the queue."""

from datetime import timedelta

import pytest

from esante.core.storage import NIL, Objects
from esante.core.web import Problem
from esante.services.subscriptions import (
    DeadLetterSettled,
    DeliveryFailed,
)
from tests.conftest import create_database, open_journal
from tests.support.record import open_world
from tests.support.rest_hook_receiver import receiving
from tests.support.subscriptions import (
    active_subscription,
    add_clinic,
    dead_letters_of,
    fast_policy,
    make_subscriptions,
)


async def test_dead_letter_is_delivered_after_an_operator_retries(platform):
    person, operator = await platform.world.person(), platform.people["operator"]
    async with receiving() as receiver:
        software = await add_clinic(platform, person)
        created = await active_subscription(platform, software, receiver.url)
        receiver.mode = "500"
        for _ in range(2):
            await platform.deposit(person, by="clinic")
        await platform.deliver()
        assert len(receiver.events) == 3
        assert (await platform.read(software, created))["status"] == "error"
        [letter] = await dead_letters_of(platform, created)
        assert (letter.count, letter.attempts, letter.error) == (2, 3, "status 500")
        [failed] = [e.event for e in await platform.world.journal.entries_of(NIL, [DeliveryFailed], limit=1)]
        assert (str(failed.subscription_id), failed.attempts) == (created["id"], 3)

        await platform.deposit(person, by="clinic")  # in error nothing is sent, and nothing is lost
        await platform.deliver()
        assert len(receiver.events) == 3

        receiver.mode = "ok"
        await platform.subscriptions.admin.retry(operator, letter.id)
        await platform.deliver()
        assert list(dict.fromkeys(receiver.event_numbers)) == [1, 2, 3]
        assert (await platform.read(software, created))["status"] == "active"
        assert await dead_letters_of(platform, created) == []
        with pytest.raises(Problem) as settled:
            await platform.subscriptions.admin.retry(operator, letter.id)
        assert settled.value.status == 404
    [entry] = await platform.world.journal.entries_of(NIL, [DeadLetterSettled], limit=1)
    assert (entry.event.act, entry.event.count, entry.actor.kind) == ("retry", 2, "operator")


async def test_given_up_events_are_skipped_but_returned_by_events_operation(platform):
    person, operator = await platform.world.person(), platform.people["operator"]
    async with receiving() as receiver:
        software = await add_clinic(platform, person)
        created = await active_subscription(platform, software, receiver.url)
        receiver.mode = "hang"
        quick = platform.with_policy(timeout=timedelta(seconds=0.2))
        given_up = await quick.deposit(person, by="clinic")
        await quick.deliver()
        [letter] = await dead_letters_of(platform, created)
        await platform.subscriptions.admin.give_up(operator, letter.id)
        later = await platform.deposit(person, by="clinic")
        receiver.mode, receiver.requests = "ok", []
        await platform.deliver()
        assert receiver.requests == []  # its subscriber has to ask again
        found = await platform.read(software, created)
        assert found["status"] == "error"
        await platform.put(software, found, status="requested")
        await platform.deliver()
        assert receiver.event_numbers == [2]
        assert receiver.events[0].foci[0].endswith(later.key)
        answer = await platform.events(software, created)
        assert [entry["request"]["url"].rpartition("/")[2] for entry in answer["entry"][1:]] == [
            given_up.key,
            later.key,
        ]


async def test_only_operators_settle_dead_letters(platform):
    for name in ("doctor", "hospital"):
        with pytest.raises(Problem) as refused:
            await platform.subscriptions.admin.give_up(platform.people[name], NIL)
        assert refused.value.status == 403


async def test_empty_queue_has_no_figures_or_letters(server, tmp_path):
    async with (
        open_journal(await create_database(server), tmp_path) as journal,
        open_world(journal.db, journal, Objects.open("", tmp_path)) as world,
    ):
        admin = make_subscriptions(world, fast_policy()).admin
        figures = await admin.figures()
        assert (figures.waiting, figures.oldest, figures.letters) == (0, None, 0)
        assert (await admin.letters()).items == (await admin.subscriptions()).items == []

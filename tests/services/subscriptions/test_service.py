"""The periodic cleanup."""

from datetime import UTC, datetime, timedelta

from tests.support.rest_hook_receiver import receiving
from tests.support.subscriptions import active_subscription, add_clinic, make_subscriptions


async def test_tidy_turns_off_outdated_subscriptions_with_their_cause(platform):
    person = await platform.world.person()
    db, software = platform.world.db, await add_clinic(platform, person)
    async with receiving() as receiver:
        created = [await active_subscription(platform, software, receiver.url) for _ in range(4)]
    await platform.deposit(person, by="clinic")
    await platform.match_events()
    long_ago = datetime.now(UTC) - timedelta(days=400)
    ids = [one["id"] for one in created]
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
    full = platform.with_policy(waiting=0)
    await full.subscriptions.tidy()
    async with platform.client(software) as http:
        left = {e["resource"]["id"]: e["resource"] for e in (await http.get("/fhir/Subscription")).json()["entry"]}
    assert ids[2] not in left
    assert {key: (left[key]["status"], left[key]["error"]) for key in (ids[0], ids[1], ids[3])} == {
        ids[0]: ("off", "The subscription has ended."),
        ids[1]: ("off", "The subscription had errors for too long."),
        ids[3]: ("off", "There were too many events waiting."),
    }
    waiting = "SELECT count(*) FROM subscription_event WHERE state = 'waiting' AND subscription_id = ANY($1::uuid[])"
    assert await db.fetchval(waiting, ids) == 0
    assert (await make_subscriptions(platform.world, platform.subscriptions.policy).admin.figures()).letters >= 0

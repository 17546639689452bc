"""Messages from acceptance to the last state: policy, idempotence, bounds, what is kept, and what others get."""

from dataclasses import replace
from datetime import timedelta
from itertools import permutations

import pytest

from esante.core import clock
from esante.core.clock import use_clock
from esante.core.storage import uuid7
from esante.core.web import Problem
from esante.services.healthnet.messages import service
from esante.services.healthnet.messages.rules import may_write
from esante.services.healthnet.messages.terms import message_terms_on
from esante.services.healthnet.policy.model import Site
from esante.services.healthnet.policy.parser import parse_policy
from esante.services.healthnet.policy.rules import Decider
from tests.support.healthnet import WORDS
from tests.support.healthnet_messages import GATEWAY, TEXT

REASON = "A reason that is long enough."


async def refused(status, act):
    """The words with which an act is refused."""
    with pytest.raises(Problem) as error:
        await act
    assert error.value.status == status
    return error.value.title, error.value.place


async def test_message_is_accepted_listed_fetched_and_read(exchange):
    message_id, sealed, receipt = await exchange.send()
    ((listed, first),) = (await exchange.messages.waiting(exchange.practice.site, None)).items
    assert (listed.message_id, listed.sender, first) == (message_id, exchange.laboratory.site.key, receipt)
    assert await exchange.messages.content(exchange.practice.site, message_id) == sealed
    await exchange.acknowledge(message_id, "delivered")
    assert (await exchange.messages.waiting(exchange.practice.site, None)).items == []
    assert await exchange.messages.content(exchange.practice.site, message_id) == sealed
    await exchange.acknowledge(message_id, "read")
    assert await exchange.states(message_id) == {"accepted", "delivered", "read"}
    await refused(410, exchange.messages.content(exchange.practice.site, message_id))
    assert (await exchange.world.events(exchange.practice.site.key)).count("message_changed") == 3


async def test_content_is_nowhere_on_the_platform(exchange):
    await exchange.send(content=TEXT * 40)
    for (table,) in await exchange.db.fetch("SELECT tablename FROM pg_tables WHERE tablename LIKE 'healthnet_%'"):
        rows = await exchange.db.fetch(f"SELECT t::text AS row FROM {table} t")
        assert not any(b"Hemoglobin".hex() in row["row"] or "Hemoglobin" in row["row"] for row in rows), table


async def test_same_message_again_gives_the_same_receipt_and_another_one_is_refused(exchange):
    message_id, sealed, receipt = await exchange.send()
    again = exchange.messages.send(GATEWAY, exchange.laboratory.site, message_id, exchange.practice.site.key, sealed)
    assert await again == receipt
    other = exchange.laboratory.seal(exchange.practice, message_id, b"another")
    for site, content in ((exchange.laboratory, other), (await exchange.site("hospital"), sealed)):
        await refused(409, exchange.messages.send(GATEWAY, site.site, message_id, exchange.practice.site.key, content))
    assert len((await exchange.messages.waiting(exchange.practice.site, None)).items) == 1
    assert await exchange.states(message_id) == {"accepted"}


@pytest.mark.parametrize("states", [*permutations(["delivered", "read", "refused"])])
async def test_state_never_goes_back_and_each_is_recorded_once(exchange, states):
    message_id, _, _ = await exchange.send()
    recorded, rank = {}, {"delivered": 1, "read": 2, "refused": 2}
    for state in states:
        reason = "duplicate" if state == "refused" else ""
        if any(rank[state] <= rank[one] for one in recorded):
            await refused(409, exchange.acknowledge(message_id, state, reason))
        else:
            recorded[state] = await exchange.acknowledge(message_id, state, reason)
    for state, receipt in recorded.items():
        assert await exchange.acknowledge(message_id, state, "duplicate" if state == "refused" else "") == receipt
    assert await exchange.states(message_id) == {"accepted", *recorded}


@pytest.mark.parametrize(
    ("state", "reason"),
    [
        ("accepted", ""),
        ("expired", ""),
        ("", ""),
        ("read", "other"),
        ("refused", ""),
        ("refused", "bored"),
        ("x", "x"),
    ],
)
async def test_unknown_state_or_reason_is_refused(exchange, state, reason):
    message_id, _, _ = await exchange.send()
    await refused(400, exchange.acknowledge(message_id, state, reason))


async def test_message_of_others_and_none_are_refused_alike(exchange):
    message_id, _, _ = await exchange.send()
    others = exchange.laboratory.site, (await exchange.site("practice")).site
    for site in others:
        for found in (message_id, uuid7()):
            words = await refused(404, exchange.messages.content(site, found))
            assert words == await refused(404, exchange.messages.acknowledge(GATEWAY, site, found, "read"))
    for found in (message_id, uuid7()):
        await refused(404, exchange.messages.receipts([others[1].key], found))
    assert (await exchange.messages.waiting(others[1], None)).items == []


async def test_recipient_whom_the_policy_forbids_and_one_that_is_not_there_are_refused_alike(exchange):
    suspended, platform = await exchange.site("practice"), exchange.laboratory.site.key
    await exchange.world.sites.suspend(exchange.world.ann, suspended.site.site_id, REASON)
    sealed = exchange.laboratory.seal(exchange.practice, uuid7())
    found = set()
    for recipient in ("S99999", "", platform, suspended.site.key, "'; --"):
        send = exchange.messages.send(GATEWAY, exchange.laboratory.site, uuid7(), recipient, sealed)
        found.add(await refused(404, send))
        await refused(404, exchange.messages.key_of(exchange.laboratory.site, recipient))
    assert len(found) == 1


async def test_site_that_the_released_policy_leaves_out_may_not_write_any_more(exchange):
    await exchange.send()
    text = POLICY.replace("allow: [practices, laboratories]", "allow: practices")
    await exchange.db.fetch("INSERT INTO healthnet_policy VALUES (1, $1, true, now())", text)
    await refused(404, exchange.send())


POLICY = """\
language: 1
title: T
groups:
  practices: {kind: practice}
  laboratories: {kind: laboratory}
  core: {kind: platform, sites: [P-1]}
services:
  messaging: {title: M, offered-by: core, ports: tcp/443}
  results: {title: R, offered-by: laboratories, ports: tcp/8443}
rules:
  messages: {allow: [practices, laboratories], by: messaging}
  results: {allow: practices, by: results}
quarantine:
  still-reaches: results
"""


@pytest.mark.parametrize(
    ("sender", "recipient", "allowed"),
    [
        (Site(key="A", kind="practice"), Site(key="L", kind="laboratory"), True),
        (Site(key="A", kind="practice"), Site(key="B", kind="practice"), True),
        (Site(key="A", kind="practice"), Site(key="A", kind="practice"), False),
        (Site(key="A", kind="practice"), Site(key="H", kind="hospital"), False),
        (Site(key="H", kind="hospital"), Site(key="A", kind="practice"), False),
        (Site(key="A", kind="practice", is_quarantined=True), Site(key="L", kind="laboratory"), False),
        (Site(key="A", kind="practice"), Site(key="P-1", kind="platform"), True),
        (Site(key="P-1", kind="platform"), Site(key="A", kind="practice"), False),
    ],
)
def test_policy_decides_who_writes_to_whom(sender, recipient, allowed):
    assert may_write(Decider(parse_policy("p", POLICY, WORDS)), sender, recipient) is allowed


def test_policy_without_the_service_allows_no_message():
    policy = parse_policy("p", POLICY.replace("messaging", "mail"), WORDS)
    assert not may_write(Decider(policy), Site(key="A", kind="practice"), Site(key="L", kind="laboratory"))


@pytest.mark.parametrize(
    "content",
    [b"", TEXT, b"a.b.c.d.e", b"..." * 9, b"eyJhbGciOiJkaXIiLCJlbmMiOiJBMjU2R0NNIn0..AA.AA.AA", b"\xff" * 99],
)
async def test_content_that_is_not_encrypted_is_refused(exchange, content):
    send = exchange.messages.send(GATEWAY, exchange.laboratory.site, uuid7(), exchange.practice.site.key, content)
    await refused(400, send)
    assert (await exchange.messages.waiting(exchange.practice.site, None)).items == []


async def test_content_beyond_the_bound_is_refused_and_the_largest_is_accepted(exchange, monkeypatch):
    terms = message_terms_on(clock.now().date())
    _, sealed, _ = await exchange.send(content=b"x" * 5_000_000)
    assert len(sealed) <= terms.max_bytes
    monkeypatch.setattr(service, "message_terms_on", lambda day: replace(terms, max_bytes=1_000))
    await refused(413, exchange.send(content=b"x" * 1_000))


async def test_recipient_who_fetches_nothing_has_a_bound(exchange, monkeypatch):
    terms = replace(message_terms_on(clock.now().date()), most_waiting=2)
    monkeypatch.setattr(service, "message_terms_on", lambda day: terms)
    message_id, sealed, receipt = await exchange.send()
    await exchange.send()
    await refused(503, exchange.send())
    again = exchange.messages.send(GATEWAY, exchange.laboratory.site, message_id, exchange.practice.site.key, sealed)
    assert await again == receipt
    await exchange.acknowledge(message_id, "delivered")
    await exchange.send()


async def test_message_that_nobody_fetches_expires_with_a_receipt(exchange):
    waiting, _, _ = await exchange.send()
    delivered, _, _ = await exchange.send()
    await exchange.acknowledge(delivered, "delivered")
    assert await exchange.messages.expire(GATEWAY) == 0
    later = clock.now() + timedelta(days=31)
    with use_clock(lambda: later):
        assert await exchange.messages.expire(GATEWAY) == 1
        assert await exchange.messages.expire(GATEWAY) == 0
    assert await exchange.states(waiting) == {"accepted", "expired"}
    assert await exchange.states(delivered) == {"accepted", "delivered"}
    await refused(410, exchange.messages.content(exchange.practice.site, waiting))
    await refused(410, exchange.messages.content(exchange.practice.site, delivered))
    await refused(409, exchange.acknowledge(waiting, "read"))


async def test_list_has_pages_in_the_order_of_arrival(exchange, monkeypatch):
    monkeypatch.setattr(service, "WAITING_PAGE", 2)
    sent = [(await exchange.send())[0] for _ in range(5)]
    found, cursor = [], None
    while True:
        page = await exchange.messages.waiting(exchange.practice.site, cursor)
        found += [message.message_id for message, _ in page.items]
        if (cursor := page.next) is None:
            break
    assert found == sent
    await refused(400, exchange.messages.waiting(exchange.practice.site, "x"))


async def test_statement_about_a_key_counts_only_when_the_site_itself_signed_it(exchange):
    from joserfc.jwk import ECKey, OKPKey

    one, other = exchange.laboratory, exchange.practice
    signing = OKPKey.generate_key("Ed25519"), ECKey.generate_key("P-256")
    forged = [other.statement(), other.statement(site=one.site.key), one.statement(site=other.site.key), "", "a.b.c"]
    forged += [one.statement(key=key) for key in signing]
    for statement in forged:
        await refused(400, exchange.messages.announce_key(GATEWAY, one.site, one.certificate, statement))
    fresh = one.statement()
    await exchange.messages.announce_key(GATEWAY, one.site, one.certificate, fresh)
    assert await exchange.messages.key_of(other.site, one.site.key) == fresh

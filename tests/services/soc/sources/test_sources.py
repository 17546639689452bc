"""Sources of members and their keys: who changes them, what is kept, what is journalled."""

import hashlib
from datetime import timedelta

import pytest

from esante.core import clock
from esante.core.storage import uuid7
from esante.core.web import Problem
from esante.services.soc.sources.model import SourceKind
from esante.services.soc.sources.valid_keys import ValidKeys
from tests.support.certificates import self_signed
from tests.support.soc_intake import IntakeWorld


@pytest.fixture
async def world(db, journal):
    return IntakeWorld(db, journal)


async def _entries(world, kind):
    return await world.db.fetchval("SELECT count(*) FROM journal_entry WHERE type = $1", kind)


async def test_key_is_shown_once_and_only_its_hash_is_kept(world):
    feed = await world.feed()
    (key,) = await world.sources.keys(world.anna, feed.tenant_id, feed.source.source_id)
    assert key.hash == hashlib.sha256(feed.secret.encode()).digest()
    row = await world.db.fetchrow("SELECT * FROM soc_key WHERE key_id = $1", feed.key_id)
    assert feed.secret.encode() not in repr(dict(row)).encode()
    entries = await world.db.fetch("SELECT content FROM journal_entry WHERE type LIKE 'soc.%'")
    assert entries
    assert not any(feed.secret.encode() in (one["content"] or b"") for one in entries)


async def test_contact_acts_for_the_own_member_and_finds_nothing_of_another(world):
    tenant, contact = await world.member("Own clinic")
    other, _ = await world.member("Other clinic")
    source = await world.sources.add(contact, tenant.tenant_id, "fw", SourceKind.SYSLOG)
    key, _ = await world.sources.issue_key(contact, tenant.tenant_id, source.source_id)
    assert await world.sources.all(contact, tenant.tenant_id) == [source]
    theirs = await world.sources.add(world.anna, other.tenant_id, "fw", SourceKind.SYSLOG)
    their_key, _ = await world.sources.issue_key(world.anna, other.tenant_id, theirs.source_id)
    for act in (
        lambda: world.sources.all(contact, other.tenant_id),
        lambda: world.sources.add(contact, other.tenant_id, "more", SourceKind.SYSLOG),
        lambda: world.sources.issue_key(contact, other.tenant_id, theirs.source_id),
        lambda: world.sources.issue_key(contact, tenant.tenant_id, theirs.source_id),
        lambda: world.sources.revoke(contact, other.tenant_id, their_key.key_id),
        lambda: world.sources.revoke(contact, tenant.tenant_id, their_key.key_id),
        lambda: world.sources.end(contact, other.tenant_id, theirs.source_id),
        lambda: world.sources.end(contact, tenant.tenant_id, theirs.source_id),
    ):
        with pytest.raises(Problem) as refused:
            await act()
        assert refused.value.status == 404
    await world.sources.revoke(contact, tenant.tenant_id, key.key_id)
    await world.sources.end(contact, tenant.tenant_id, source.source_id)


async def test_acts_are_journalled_and_ended_source_has_no_key_and_no_expectation(world):
    feed = await world.feed()
    before = await _entries(world, "soc.source_changed")
    source = await world.sources.change(
        world.anna,
        feed.tenant_id,
        feed.source.source_id,
        name="new name",
        kind=SourceKind.AUDIT,
        expected_every=timedelta(minutes=5),
    )
    assert (source.name, source.expected_every) == ("new name", timedelta(minutes=5))
    await world.sources.end(world.anna, feed.tenant_id, feed.source.source_id)
    assert await _entries(world, "soc.source_changed") == before + 2
    (ended,) = await world.sources.all(world.anna, feed.tenant_id)
    assert ended.ended_at is not None
    assert ended.expected_every is None
    (key,) = await world.sources.keys(world.anna, feed.tenant_id, feed.source.source_id)
    assert not key.is_valid(clock.now())
    with pytest.raises(Problem) as refused:
        await world.sources.issue_key(world.anna, feed.tenant_id, feed.source.source_id)
    assert refused.value.status == 409


async def test_wrong_values_are_refused(world, tmp_path):
    feed = await world.feed()
    ids = feed.tenant_id, feed.source.source_id
    expired = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
    for act, status in (
        (lambda: world.sources.add(world.anna, feed.tenant_id, "FIREWALL", SourceKind.SYSLOG), 409),
        (lambda: world.sources.add(world.anna, feed.tenant_id, "x", SourceKind.SYSLOG), 400),
        (lambda: world.sources.add(world.anna, feed.tenant_id, "fw", SourceKind.SYSLOG, timedelta(seconds=1)), 400),
        (lambda: world.sources.issue_key(world.anna, *ids, days=0), 400),
        (lambda: world.sources.register_certificate(world.anna, *ids, b"no certificate"), 400),
        (lambda: world.sources.register_certificate(world.anna, *ids, expired), 400),
        (lambda: world.sources.revoke(world.anna, uuid7(), feed.key_id), 404),
        (lambda: world.sources.source(world.anna, uuid7(), feed.source.source_id), 404),
    ):
        with pytest.raises(Problem) as refused:
            await act()
        assert refused.value.status == status
    pem = self_signed(tmp_path, "client")[0].read_bytes()
    await world.sources.register_certificate(world.anna, *ids, pem)
    with pytest.raises(Problem) as refused:
        await world.sources.register_certificate(world.anna, *ids, pem)
    assert refused.value.status == 409


async def test_keys_work_until_they_expire_are_revoked_or_cannot_be_read_again(world, monkeypatch):
    feed, keys = await world.feed(), ValidKeys(world.db)
    await keys.refresh()
    sender = keys.of_secret(feed.secret)
    assert (sender.tenant_id, sender.source_id) == (feed.tenant_id, feed.source.source_id)
    with clock.use_clock(lambda: sender.expires_at):
        assert keys.of_secret(feed.secret) is None
        assert keys.current(feed.key_id) is None
    with monkeypatch.context() as patched:
        patched.setattr("esante.services.soc.sources.valid_keys.STALE_SECONDS", 0)
        assert keys.of_secret(feed.secret) is None
    await world.sources.revoke(world.anna, feed.tenant_id, feed.key_id)
    assert keys.of_secret(feed.secret) is not None
    await keys.refresh()
    assert keys.of_secret(feed.secret) is None

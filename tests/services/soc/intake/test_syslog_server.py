"""Syslog over TCP and TLS: who is let in, what is kept, what is refused."""

import asyncio
import ssl

import orjson
import pytest

from esante.services.soc.intake import listener, syslog_server
from tests.support.certificates import self_signed
from tests.support.soc_intake import SHADOW_EVENT, counted, keyed_line, line, until


async def _open(running, *, tls=False, certificate=None):
    context = None
    if tls:
        context = ssl.create_default_context(cafile=str(running.folder / "server.pem"))
        if certificate:
            context.load_cert_chain(*certificate)
    port = running.syslog_tls if tls else running.syslog
    return await asyncio.open_connection("localhost", port, ssl=context)


async def _closed(reader):
    try:
        return await asyncio.wait_for(reader.read(), 20) == b""
    except (ConnectionError, ssl.SSLError):
        return True


async def test_messages_of_both_framings_over_tls_are_stored_in_order_without_the_key(world, running):
    feed = await world.feed()
    await running.intake.keys.refresh()
    _, writer = await _open(running, tls=True)
    writer.write(counted(keyed_line(feed.secret, "one")) + line("two") + b"\n" + counted(line("three")))
    await writer.drain()
    stored = await until(lambda: _three(world, feed))
    assert [one.summary for one in stored] == ["one", "two", "three"]
    assert not any(feed.secret.encode() in one.content for one in stored)
    assert {one.host for one in stored} == {"fw-1"}
    assert stored[0].event["raw_data"] == "<134>1 2026-05-04T12:00:00Z fw-1 app 1 - - one"
    writer.close()


async def _three(world, feed):
    found = await world.stored(feed)
    return found if len(found) == 3 else None


@pytest.mark.parametrize("first", [line("no key"), keyed_line("x" * 43), b"\x16\x03\x01 nonsense"])
async def test_connection_without_a_working_key_is_closed_and_stores_nothing(world, running, first):
    feed = await world.feed()
    reader, writer = await _open(running)
    writer.write(first + b"\n" + line("after") + b"\n")
    assert await _closed(reader)
    assert not await world.stored(feed)


async def test_key_of_inactive_member_does_not_work(world, running):
    feed = await world.feed()
    await world.tenants.change(world.anna, feed.tenant_id, is_active=False, quota=5)
    await running.intake.keys.refresh()
    reader, writer = await _open(running)
    writer.write(keyed_line(feed.secret) + b"\n")
    assert await _closed(reader)


async def test_registered_client_certificate_needs_no_key_and_another_is_refused(world, running, tmp_path):
    feed = await world.feed()
    for name in ("mine", "other"):
        (tmp_path / name).mkdir()
    mine, other = self_signed(tmp_path / "mine", "client"), self_signed(tmp_path / "other", "client")
    await world.sources.register_certificate(world.anna, feed.tenant_id, feed.source.source_id, mine[0].read_bytes())
    await running.intake.keys.refresh()
    _, writer = await _open(running, tls=True, certificate=mine)
    writer.write(counted(line("by certificate")))
    await until(lambda: world.stored(feed))
    with pytest.raises((ConnectionError, ssl.SSLError)):
        reader, writer = await _open(running, tls=True, certificate=other)
        writer.write(counted(line("by another")))
        await writer.drain()
        assert not await reader.read()
        raise ConnectionError
    assert len(await world.stored(feed)) == 1


async def test_key_revoked_in_the_middle_of_a_connection_ends_it_within_seconds(world, running):
    feed = await world.feed()
    await running.intake.keys.refresh()
    reader, writer = await _open(running)
    writer.write(keyed_line(feed.secret, "before") + b"\n")
    await until(lambda: world.stored(feed))
    await world.sources.revoke(world.anna, feed.tenant_id, feed.key_id)
    assert await _closed(reader)
    assert len(await world.stored(feed)) == 1


async def test_half_open_tls_is_closed_and_others_are_served_meanwhile(world, running, monkeypatch):
    monkeypatch.setattr(listener, "HANDSHAKE_SECONDS", 1.0)
    feed = await world.feed()
    await running.intake.keys.refresh()
    half_open = [await asyncio.open_connection("localhost", running.syslog_tls) for _ in range(20)]
    for _, writer in half_open:
        writer.write(b"\x16\x03\x01\x02\x00\x01")
    _, writer = await _open(running, tls=True)
    writer.write(counted(keyed_line(feed.secret)))
    await until(lambda: world.stored(feed))
    for reader, _ in half_open:
        assert await _closed(reader)


async def test_message_that_is_never_completed_ends_the_connection(world, running, monkeypatch):
    monkeypatch.setattr(syslog_server, "MESSAGE_SECONDS", 0.5)
    feed = await world.feed()
    await running.intake.keys.refresh()
    reader, writer = await _open(running)
    writer.write(counted(keyed_line(feed.secret)) + b"500 <134>1 never")
    assert await _closed(reader)
    assert len(await world.stored(feed)) == 1


async def test_silent_connection_without_certificate_is_closed(running, monkeypatch):
    monkeypatch.setattr(syslog_server, "FIRST_SECONDS", 0.5)
    reader, _ = await _open(running)
    assert await _closed(reader)


async def test_connection_is_read_no_further_than_a_bound_ahead_of_what_is_stored(world, running, monkeypatch):
    feed = await world.feed(quota=1)
    await running.intake.keys.refresh()
    _, writer = await _open(running)
    writer.write(keyed_line(feed.secret) + b"\n")
    text, sent = line("x" * 1_000) + b"\n", 0
    for _ in range(20_000):
        writer.write(text)
        sent += len(text)
        try:
            await asyncio.wait_for(writer.drain(), 0.5)
        except TimeoutError:
            break
    else:
        pytest.fail("20 MB were read of a member that may send one event a second")
    (connection,) = running.intake.syslog.connections
    assert connection._ahead < 2 * syslog_server.AHEAD_BYTES
    writer.transport.abort()


async def test_message_in_xml_with_line_breaks_is_one_atna_record(world, running, shared_data):
    feed = await world.feed()
    await running.intake.keys.refresh()
    message = next(iter(sorted((shared_data / "atna").rglob("*.xml")))).read_bytes()
    _, writer = await _open(running, tls=True)
    record = b"<110>1 2026-05-04T12:00:00Z pacs audit 1 IHE+RFC-3881 - " + message
    writer.write(counted(keyed_line(feed.secret), record))
    stored = await until(lambda: _two(world, feed))
    assert stored[1].class_uid in (3002, 6002, 6003, 2004)
    assert stored[1].event["raw_data"].endswith(message.decode().strip())


async def _two(world, feed):
    found = await world.stored(feed)
    return found if len(found) == 2 else None


async def test_windows_event_as_json_in_syslog_is_normalised_and_found_by_a_rule(world, running):
    feed = await world.feed()
    await running.intake.keys.refresh()
    _, writer = await _open(running)
    body = orjson.dumps(SHADOW_EVENT).decode()
    writer.write(keyed_line(feed.secret, body) + b"\n")
    (alert,) = await until(lambda: world.raised(feed))
    (event,) = await world.stored(feed)
    assert (event.class_uid, event.rules) == (1007, (alert.rule,))
    assert (alert.title, alert.subject, alert.techniques) == ("Shadow copies were deleted", "ws-17", ("T1490",))
    assert {one.field for one in alert.evidence} == {"CommandLine"}
    assert {one.event for one in alert.evidence} == {str(event.event_id)}

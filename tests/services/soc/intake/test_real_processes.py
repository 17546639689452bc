"""The intake as a process, with senders that others wrote, and kills in the stream."""

import asyncio
import itertools
import logging
import os
import shutil
import signal
import socket
import ssl
import subprocess
from pathlib import Path

import httpx
import orjson
import pytest

from tests.support.certificates import self_signed
from tests.support.soc_intake import SHADOW_EVENT, IntakeWorld, counted, keyed_line, line, until
from tests.support.soc_process import IntakeProcess


@pytest.fixture(scope="module")
def process(dsn, journal, tmp_path_factory):
    """An intake process over this module's database."""
    process = IntakeProcess(tmp_path_factory.mktemp("intake"), dsn)
    process.start()
    yield process
    assert process.stop() == 0


@pytest.fixture
async def world(db, journal):
    return IntakeWorld(db, journal)


async def _feed_of_process(world):
    """Return a member whose key the process knows, which reads keys every two seconds."""
    feed = await world.feed()
    await asyncio.sleep(2.5)
    return feed


def _program(name):
    path = shutil.which(name, path="/usr/sbin:/usr/bin:/sbin:/bin")
    if path is None:
        pytest.skip(f"{name} is not installed")
    return path


async def _run(*command, stdin=b"", **environment):
    done = await asyncio.to_thread(
        subprocess.run, command, input=stdin, capture_output=True, timeout=60, check=False, **environment
    )
    assert done.returncode == 0, done.stderr
    return done


async def test_logger_of_util_linux_sends_over_tcp(world, process):
    feed = await _feed_of_process(world)
    options = ["--server", "127.0.0.1", "--port", str(process.syslog), "--tcp", "--rfc5424=notq", "--tag", "ward"]
    key = ["--sd-id", "esante@32473", "--sd-param", f'key="{feed.secret}"']
    await _run(_program("logger"), *options, *key, "--octet-count", "counted")
    await _run(_program("logger"), *options, *key, "by line feed")
    await until(lambda: _stored(world, feed, 2))
    stored = await world.stored(feed)
    assert {one.summary for one in stored} == {"counted", "by line feed"}
    assert {one.event["unmapped"]["program"] for one in stored} == {"ward"}
    assert not any(feed.secret.encode() in one.content for one in stored)


async def _stored(world, feed, count):
    return len(await world.stored(feed)) >= count


async def test_rsyslog_sends_over_tls_with_a_registered_certificate(world, process, tmp_path):
    rsyslogd = _program("rsyslogd")
    feed = await world.feed()
    certificate, key = self_signed(tmp_path, "practice.example")
    await world.sources.register_certificate(
        world.anna, feed.tenant_id, feed.source.source_id, certificate.read_bytes()
    )
    await asyncio.sleep(2.5)
    config = tmp_path / "rsyslog.conf"
    port = process.syslog_tls
    log_socket = tmp_path / "log.socket"
    config.write_text(
        f"""
        global(workDirectory="{tmp_path}" DefaultNetstreamDriver="ossl"
               DefaultNetstreamDriverCAFile="{process.certificate}"
               DefaultNetstreamDriverCertFile="{certificate}" DefaultNetstreamDriverKeyFile="{key}")
        module(load="imuxsock" SysSock.Use="off")
        input(type="imuxsock" Socket="{log_socket}" CreatePath="on")
        action(type="omfwd" target="localhost" port="{port}" protocol="tcp" template="RSYSLOG_SyslogProtocol23Format"
               TCP_Framing="octet-counted" StreamDriver="ossl" StreamDriverMode="1" StreamDriverAuthMode="x509/name"
               StreamDriverPermittedPeers="localhost")
    """.replace("ossl", _driver())
    )
    sending = await asyncio.create_subprocess_exec(rsyslogd, "-n", "-f", str(config), "-i", str(tmp_path / "pid"))
    try:
        await until(log_socket.exists)
        for number in range(20):
            await _run(_program("logger"), "--socket", str(log_socket), "--id=1", f"from rsyslog {number}")
        await until(lambda: _stored(world, feed, 20))
    finally:
        sending.terminate()
        await sending.wait()
    stored = await world.stored(feed)
    assert {one.summary for one in stored} >= {f"from rsyslog {number}" for number in range(20)}


def _driver():
    """Return the TLS driver that is installed with rsyslog."""
    return "ossl" if any(Path("/usr/lib").glob("*/rsyslog/lmnsd_ossl.so")) else "gtls"


async def test_sender_that_closes_while_it_is_held_back_loses_nothing(world, process):
    feed = await world.feed(quota=1_000)
    await asyncio.sleep(2.5)
    context = ssl.create_default_context(cafile=str(process.certificate))
    _, writer = await asyncio.open_connection("localhost", process.syslog_tls, ssl=context)
    writer.write(counted(keyed_line(feed.secret)))
    for number in range(5_000):
        writer.write(counted(line(f"{number} {'x' * 400}")))
        await writer.drain()
    writer.close()
    await until(lambda: _stored(world, feed, 5_001), 60)


async def test_openssl_client_sends_lines(world, process):
    feed = await _feed_of_process(world)
    command = [_program("openssl"), "s_client", "-quiet", "-no_ign_eof", "-connect", f"127.0.0.1:{process.syslog_tls}"]
    sent = keyed_line(feed.secret, "one") + b"\n" + line("two") + b"\n"
    await asyncio.to_thread(subprocess.run, command, input=sent, capture_output=True, timeout=30, check=False)
    await until(lambda: _stored(world, feed, 2))


async def test_logging_handler_of_python_sends_over_tls(world, process):
    rfc5424logging = pytest.importorskip("rfc5424logging")
    feed = await _feed_of_process(world)

    def send():
        handler = rfc5424logging.Rfc5424SysLogHandler(
            address=("localhost", process.syslog_tls),
            tls_enable=True,
            tls_ca_bundle=str(process.certificate),
            tls_verify=True,
            structured_data={"esante@32473": {"key": feed.secret}},
            socktype=socket.SOCK_STREAM,
        )
        logger = logging.Logger("practice")
        logger.addHandler(handler)
        for number in range(10):
            logger.warning("by logging %d", number, extra={"structured_data": {"app@32473": {"number": str(number)}}})
        handler.close()

    await asyncio.to_thread(send)
    await until(lambda: _stored(world, feed, 10))
    stored = await world.stored(feed)
    assert stored[3].event["unmapped"]["structured_data"] == {"app@32473": {"number": "3"}}
    assert not any(feed.secret.encode() in one.content for one in stored)


@pytest.mark.parametrize("kills", [1, pytest.param(5, marks=pytest.mark.long)])
async def test_killed_in_the_stream_it_loses_nothing_acknowledged_and_alerts_once(dsn, db, journal, tmp_path, kills):
    world = IntakeWorld(db, journal)
    process = IntakeProcess(tmp_path, dsn)
    feed = await world.feed()
    acknowledged: set[int] = set()
    numbers, stop = itertools.count(), asyncio.Event()
    context = ssl.create_default_context(cafile=str(process.certificate))

    async def send_until_stopped(client):
        """Send batches, each again until it is acknowledged."""
        while not stop.is_set():
            batch = [next(numbers) for _ in range(20)]
            body = b"\n".join(orjson.dumps({**SHADOW_EVENT, "ProcessId": number}) for number in batch[:1]) + b"\n"
            body += b"\n".join(orjson.dumps({"number": number}) for number in batch[1:])
            while True:
                try:
                    answer = await client.post("/api/events", content=body)
                except httpx.TransportError:
                    await asyncio.sleep(0.05)
                    continue
                if answer.status_code == 200:
                    acknowledged.update(batch)
                    break
                assert answer.status_code in (429, 503), answer.text
                await asyncio.sleep(0.1)

    await asyncio.to_thread(process.start)
    async with httpx.AsyncClient(
        base_url=f"https://localhost:{process.https}",
        verify=context,
        headers={"Authorization": f"Bearer {feed.secret}"},
        timeout=30,
    ) as client:
        senders = [asyncio.create_task(send_until_stopped(client)) for _ in range(4)]
        for _ in range(kills):
            before = len(acknowledged)
            await until(lambda before=before: len(acknowledged) > before + 200, 60)
            await asyncio.to_thread(process.kill)
            await asyncio.to_thread(process.start)
        before = len(acknowledged)
        await until(lambda before=before: len(acknowledged) > before + 100, 60)
        stop.set()
        await asyncio.gather(*senders)
    assert process.stop() == 0
    stored = [orjson.loads(one.event["raw_data"]) for one in await world.stored(feed)]
    found = {one.get("number", one.get("ProcessId")) for one in stored}
    assert acknowledged <= found
    keys = [row["key"] for row in await db.fetch("SELECT key FROM soc_alert WHERE tenant_id = $1", feed.tenant_id)]
    assert len(keys) == len(set(keys)) >= min(20, len(acknowledged) // 20)


@pytest.mark.long
async def test_two_processes_share_the_connections_and_one_that_is_killed_is_started_again(dsn, db, journal, tmp_path):
    world = IntakeWorld(db, journal)
    feed = await world.feed()
    process = IntakeProcess(tmp_path, dsn, rules=False)
    await asyncio.to_thread(process.start, 2)
    try:
        for number in range(8):
            _, writer = await asyncio.open_connection("127.0.0.1", process.syslog)
            writer.write(counted(keyed_line(feed.secret, f"hello {number}")))
            await writer.drain()
        await until(lambda: _stored(world, feed, 8))
        os.kill(process.workers()[0], signal.SIGKILL)
        await until(lambda: process.log.count("the intake is ready") == 3, 120)
        assert len(process.workers()) == 2
    finally:
        assert process.stop() == 0
    assert "ended with status -9" in process.log

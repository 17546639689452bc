"""The listener with real sockets, a client that others wrote, TLS, and a process that is killed."""

import asyncio
import os
import signal
import ssl
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.hashes import SHA256
from hl7.client import MLLPClient

from esante.core.storage import Objects
from esante.identity.directory import Identifier, matricule
from esante.services.exchange.mllp.server import Limits, MllpServer
from esante.services.record import DepositedEvent, Replaced
from tests.conftest import create_database, open_journal
from tests.services.exchange.mllp.conftest import BORN
from tests.services.exchange.mllp.messages import adt, answered, header, message, oru
from tests.support.exchange import make_card
from tests.support.processes import environment
from tests.support.record import open_world

ROOT = Path(__file__).resolve().parents[4]


async def nobody(_certificate):
    return None


@pytest.fixture
async def listening(processor, world):
    """Start listeners on this machine; each gives its port."""
    started = []

    async def listen(limits: Limits | None = None, owner=nobody, context=None, organization="hospital") -> int:
        sender = world.people[organization].id if organization else None
        server = MllpServer(answer=processor.answer, owner=owner, organization_id=sender, limits=limits or Limits())
        listener = await server.start("127.0.0.1", 0, context)
        started.append(listener)
        return listener.sockets[0].getsockname()[1]

    yield listen
    for listener in started:
        listener.close()


def exchange(port: int, *messages: bytes) -> list[bytes]:
    """Send messages with the client of python-hl7, one after the other; return the answers."""
    with MLLPClient("127.0.0.1", port) as client:
        return [client.send_message(one) for one in messages]


async def test_client_of_others_is_answered_message_by_message(listening, world, patient):
    person, number = patient
    answers = await asyncio.to_thread(exchange, await listening(), adt("A01", number, control_id="s1"), oru(number))
    assert [answered(one.strip(b"\x0b\x1c\r") + b"\r")[0] for one in answers] == ["AA", "AA"]
    assert len(await world.events(person, DepositedEvent)) == 1


async def read_all(reader: asyncio.StreamReader) -> bytes:
    """Return what comes until the end; a connection that is reset while we still send has ended too."""
    try:
        async with asyncio.timeout(20):
            return await reader.read()
    except ConnectionResetError:
        return b""


@pytest.mark.parametrize(
    "stream",
    [b"GET / HTTP/1.1\r\n\r\n", b"\x0b" + b"x" * 5_000, b"\x0bhalf a message", b"MSH|^~\\&|", b"", b"\x00" * 100],
)
async def test_what_is_no_frame_ends_the_connection_without_an_answer(listening, stream):
    limits = Limits(message_bytes=1_000, idle_seconds=0.3, message_seconds=0.3)
    reader, writer = await asyncio.open_connection("127.0.0.1", await listening(limits))
    writer.write(stream)
    assert await read_all(reader) == b""
    writer.close()


async def test_endless_drip_ends_when_the_time_of_a_message_is_over(listening):
    reader, writer = await asyncio.open_connection(
        "127.0.0.1", await listening(Limits(idle_seconds=30, message_seconds=0.5))
    )

    async def drip() -> None:
        writer.write(b"\x0b")
        while True:
            writer.write(b"x")
            await asyncio.sleep(0.02)

    task = asyncio.create_task(drip())
    assert await read_all(reader) == b""
    task.cancel()
    writer.close()


async def test_connections_beyond_the_bound_are_refused_and_the_others_go_on(listening, patient):
    _, number = patient
    port = await listening(Limits(connections=2))
    first = await asyncio.open_connection("127.0.0.1", port)
    second = await asyncio.open_connection("127.0.0.1", port)
    await asyncio.sleep(0.1)
    third = await asyncio.open_connection("127.0.0.1", port)
    assert await read_all(third[0]) == b""
    first[1].write(b"\x0b" + adt("A01", number, control_id="bound") + b"\x1c\r")
    assert b"MSA|AA|bound" in await first[0].readuntil(b"\x1c\r")
    for _, writer in (first, second, third):
        writer.close()


async def test_two_messages_in_one_piece_are_answered_in_order(listening):
    reader, writer = await asyncio.open_connection("127.0.0.1", await listening())
    one, two = (message(header("ADT^A40", name)) for name in ("p1", "p2"))
    writer.write(b"\x0b" + one + b"\x1c\r\x0b" + two + b"\x1c\r")
    for name in (b"p1", b"p2"):
        assert b"MSA|AR|" + name in await reader.readuntil(b"\x1c\r")
    writer.close()


async def test_certificate_says_whose_connection_it_is(listening, world, patient, tmp_path):
    person, number = patient
    server_card, known, unknown = make_card("127.0.0.1"), make_card("Hospital"), make_card("Another")
    for name, card in (("server", server_card), ("known", known), ("unknown", unknown)):
        (tmp_path / f"{name}.crt").write_bytes(card.pem)
        (tmp_path / f"{name}.key").write_bytes(card.key_pem)
    (tmp_path / "all.pem").write_bytes(known.pem + unknown.pem)

    async def owner(certificate):
        is_known = certificate.fingerprint(SHA256()) == known.certificate.fingerprint(SHA256())
        return world.people["hospital"].id if is_known else None

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "server.crt", tmp_path / "server.key")
    context.load_verify_locations(tmp_path / "all.pem")
    context.verify_mode = ssl.CERT_REQUIRED
    port = await listening(owner=owner, context=context, organization=None)

    async def connect(name: str) -> bytes:
        client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        client.check_hostname = False
        client.load_verify_locations(tmp_path / "server.crt")
        if name:
            client.load_cert_chain(tmp_path / f"{name}.crt", tmp_path / f"{name}.key")
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=client)
            writer.write(b"\x0b" + adt("A01", number) + b"\x1c\r")
            return await reader.readuntil(b"\x1c\r")
        except (ssl.SSLError, ConnectionError, asyncio.IncompleteReadError):
            return b""

    assert b"MSA|AA|" in await connect("known")
    assert await connect("unknown") == b""
    assert await connect("") == b""
    assert len(await world.access.stays.list_stays(world.people["hospital"], person.id)) == 1


async def start_process(dsn: str, folder: Path, organization_id, how: str):
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.support.mllp_process", dsn, str(folder), str(organization_id), how,
        cwd=ROOT, env=environment(PYTHONPATH=f"{ROOT / 'src'}:{ROOT}"), stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    return process, int(await asyncio.wait_for(process.stdout.readline(), 60))


async def talk(port: int, data: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"\x0b" + data + b"\x1c\r")
    try:
        return await asyncio.wait_for(reader.readuntil(b"\x1c\r"), 60)
    except (asyncio.IncompleteReadError, ConnectionError):
        return b""
    finally:
        writer.close()


async def test_process_that_is_killed_before_its_answer_takes_the_message_once(server, tmp_path):
    dsn = await create_database(server)
    async with (
        open_journal(dsn, tmp_path) as journal,
        open_world(journal.db, journal, Objects.open("", tmp_path)) as world,
    ):
        number = matricule(BORN, 1)
        person = await world.person(identifiers=[Identifier("urn:oid:1.3.182.4.4", number)])
        hospital = world.people["hospital"]
        sent = [adt("A01", number, control_id="k1"), oru(number, control_id="k2")]
        for data in sent:
            process, port = await start_process(dsn, tmp_path, hospital.id, "die")
            assert await talk(port, data) == b""
            assert await asyncio.wait_for(process.wait(), 60) == -signal.SIGKILL
        process, port = await start_process(dsn, tmp_path, hospital.id, "live")
        first = [await talk(port, data) for data in sent]
        again = [await talk(port, data) for data in sent]
        os.kill(process.pid, signal.SIGKILL)
        await process.wait()
        assert [answered(one.strip(b"\x0b\x1c\r") + b"\r")[0] for one in first] == ["AA", "AA"]
        assert again == first
        assert len(await world.access.stays.list_stays(hospital, person.id)) == 1
        assert len(await world.events(person, DepositedEvent, Replaced)) == 1

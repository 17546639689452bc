"""The client to the insurance: time-outs, silence, refusals, memory, TLS names; against servers that misbehave."""

import asyncio
import contextlib
import ssl
from datetime import date, timedelta

import pytest

from esante.core import clock
from esante.services.billing.insurance import client as client_module
from esante.services.billing.insurance.client import FAILURES, PAUSE_SECONDS, Insurance, Refused, Silent
from esante.services.billing.insurance.messages import DEPOSIT
from tests.support.certificates import self_signed

ON = date(2026, 11, 20)
COVERS = b'{"covers": [{"fund": "CNS", "since": "1900-01-01", "until": null, "third_party_payer": true}]}'


class Answering:
    """A server that answers every request with the same bytes, and counts them."""

    def __init__(self, answer: bytes, *, pause: float = 0.0, drip: float = 0.0) -> None:
        self.answer, self.pause, self.drip, self.requests = answer, pause, drip, 0

    async def __call__(self, reader, writer) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            await reader.readuntil(b"\r\n\r\n")
            self.requests += 1
            await asyncio.sleep(self.pause)
            if self.drip:
                for byte in self.answer:
                    writer.write(bytes([byte]))
                    await writer.drain()
                    await asyncio.sleep(self.drip)
            writer.write(self.answer)
            await writer.drain()
        writer.close()


def http(status: str, body: bytes, *, length: int | None = None) -> bytes:
    size = len(body) if length is None else length
    return f"HTTP/1.1 {status}\r\nContent-Length: {size}\r\nConnection: close\r\n\r\n".encode() + body


@contextlib.asynccontextmanager
async def insurance(answer: bytes, *, seconds: float = 5.0, **how):
    """An insurance over a server with one answer, and the server."""
    answering = Answering(answer, **how)
    server = await asyncio.start_server(answering, "127.0.0.1")
    port = server.sockets[0].getsockname()[1]
    found = Insurance(f"http://127.0.0.1:{port}", seconds)
    yield found, answering
    await found.close()
    server.close()


async def test_covers_are_read_and_remembered_for_the_day():
    async with insurance(http("200 OK", COVERS)) as (client, server):
        [cover] = await client.cover("1900123456712", ON)
        assert (cover.fund, cover.until, cover.third_party_payer) == ("CNS", None, True)
        assert await client.cover("1900123456712", ON) == [cover]
        assert server.requests == 1
        tomorrow = clock.now() + timedelta(days=1)
        with clock.use_clock(lambda: tomorrow):
            await client.cover("1900123456712", ON)
        assert server.requests == 2


async def test_memory_of_covers_is_bounded(monkeypatch):
    monkeypatch.setattr(client_module, "MAX_COVERS", 3)
    async with insurance(http("200 OK", COVERS)) as (client, server):
        for number in (1, 2, 3, 4, 4, 1):
            await client.cover(f"190012345671{number}", ON)
        assert server.requests == 5


async def test_not_insured_is_an_empty_list():
    async with insurance(http("404 Not Found", b"{}")) as (client, server):
        assert await client.cover("1900123456712", ON) == []
        server.answer = http("200 OK", COVERS)
        assert len(await client.cover("1900123456712", ON)) == 1


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"no http",
        http("500 Oops", b""),
        http("503 Down", b""),
        http("429 Slow", b""),
        http("200 OK", b"", length=100),
        http("200 OK", b"no json"),
        http("200 OK", b"[]"),
        http("200 OK", b"{}"),
        http("200 OK", b'{"covers": [7]}'),
        http("200 OK", b'{"covers": [{"fund": "CNS"}]}'),
        http("200 OK", b'{"covers": [{"fund": "CNS", "since": "x"}]}'),
        http("400 Bad", b"{}"),
    ],
)
async def test_answer_that_cannot_be_used_is_silence(answer):
    async with insurance(answer) as (client, _):
        with pytest.raises(Silent):
            await client.cover("1900123456712", ON)


async def test_answer_over_bound_is_silence():
    async with insurance(http("200 OK", bytes(client_module.MAX_ANSWER + 1))) as (client, _):
        with pytest.raises(Silent):
            await client.send(DEPOSIT, b"<a/>")


async def test_no_answer_in_time_is_silence():
    async with insurance(http("200 OK", COVERS), seconds=0.2, pause=30) as (client, _):
        with pytest.raises(Silent):
            await client.cover("1900123456712", ON)


async def test_answer_that_drips_is_silence():
    async with insurance(http("200 OK", COVERS), seconds=0.5, drip=0.05) as (client, _):
        with pytest.raises(Silent):
            await client.cover("1900123456712", ON)


async def test_nobody_there_is_silence():
    client = Insurance("http://127.0.0.1:9", 1)
    with pytest.raises(Silent):
        await client.send(DEPOSIT, b"<a/>")
    await client.close()


async def test_without_address_it_is_silent():
    client = Insurance("", 1)
    with pytest.raises(Silent):
        await client.cover("1900123456712", ON)
    await client.close()


async def test_after_failures_nothing_is_asked_for_a_while():
    async with insurance(http("503 Down", b"")) as (client, server):
        for _ in range(FAILURES + 3):
            with pytest.raises(Silent):
                await client.send(DEPOSIT, b"<a/>")
        assert server.requests == FAILURES
        server.answer = http("200 OK", b"done")
        later = clock.now() + timedelta(seconds=PAUSE_SECONDS + 1)
        with clock.use_clock(lambda: later):
            assert await client.send(DEPOSIT, b"<a/>") == b"done"


@pytest.mark.parametrize(
    ("body", "code"), [(b'{"code": "XML", "text": "bad"}', "XML"), (b"no json", "422"), (b"[]", "422")]
)
async def test_refusal_has_its_code(body, code):
    async with insurance(http("422 No", body)) as (client, _):
        with pytest.raises(Refused) as raised:
            await client.send(DEPOSIT, b"<a/>")
    assert raised.value.code == code


async def test_redirect_is_not_followed():
    moved = b"HTTP/1.1 307 Moved\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    async with insurance(moved) as (client, _):
        with pytest.raises(Silent):
            await client.send(DEPOSIT, b"<a/>")


@pytest.mark.parametrize(("name", "is_trusted"), [("127.0.0.1", True), ("cns.example", False)])
async def test_certificate_of_another_host_is_not_trusted(tmp_path, name, is_trusted):
    certificate, key = self_signed(tmp_path, name)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server = await asyncio.start_server(Answering(http("200 OK", COVERS)), "127.0.0.1", ssl=context)
    client = Insurance(f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}", 5, str(certificate))
    if is_trusted:
        assert await client.cover("1900123456712", ON)
    else:
        with pytest.raises(Silent, match="certificate"):
            await client.cover("1900123456712", ON)
    await client.close()
    server.close()


@pytest.mark.parametrize(
    "body",
    [b"[]", b'{"approvals": 7}', b'{"approvals": [7]}', b'{"approvals": [{"code": "9T08", "since": "2026-11-01"}]}'],
)
async def test_approvals_that_make_no_sense_are_no_answer(body):
    async with insurance(http("200 OK", body)) as (client, _):
        with pytest.raises(Silent):
            await client.approvals("1900123456712")


async def test_insurance_without_approvals_has_none():
    async with insurance(http("404 Not Found", b"{}")) as (client, _):
        assert await client.approvals("1900123456712") == []

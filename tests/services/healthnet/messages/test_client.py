"""The client of sites over real TLS with their certificates: send, fetch, acknowledge, receipts; and the endpoints."""

import asyncio
import json
from contextlib import asynccontextmanager

import httpx
import pytest
import uvicorn
from click.testing import CliRunner
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from starlette.applications import Starlette

from esante.core.storage import uuid7
from esante.core.web import HANDLERS
from esante.services.healthnet.certificates.api import SiteIdentity
from esante.services.healthnet.messages.api import PREFIX, MessageEndpoints
from esante.services.healthnet.messages.cli import message as commands
from tests.support.healthnet_messages import TEXT
from tests.support.mtls_proxy import serve_mtls
from tests.support.processes import free_port
from tests.support.tsa import a_certificate


@asynccontextmanager
async def served(exchange):
    """The endpoints on a port of this machine."""
    identity = SiteIdentity(exchange.world.certificates, proxied=True)
    app = Starlette(routes=MessageEndpoints(exchange.messages, identity).routes(), exception_handlers=HANDLERS)
    port = free_port()
    server = uvicorn.Server(uvicorn.Config(app, port=port, log_level="critical", access_log=False, lifespan="off"))
    task = asyncio.create_task(server._serve())
    while not server.started:
        await asyncio.sleep(0.01)
    try:
        yield port
    finally:
        server.should_exit = True
        await task


@pytest.fixture
async def network(exchange, tmp_path):
    """Folders of the two sites, and a function that runs a command as one of them over TLS."""
    verifier = exchange.journal.signer.verifier
    folders = {
        "laboratory": exchange.laboratory.write_folder(tmp_path / "laboratory", verifier),
        "practice": exchange.practice.write_folder(tmp_path / "practice", verifier),
    }
    key, own = a_certificate("localhost", None, None, host="localhost")
    (tmp_path / "tls.pem").write_bytes(own.public_bytes(Encoding.PEM))
    (tmp_path / "tls.key").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    (tmp_path / "trusted.pem").write_bytes(
        b"".join(one.public_bytes(Encoding.PEM) for one in exchange.practice.chain[1:])
    )
    async with (
        served(exchange) as port,
        serve_mtls(port, tmp_path / "tls.pem", tmp_path / "tls.key", tmp_path / "trusted.pem") as url,
    ):

        async def run(who, command, *arguments, url=url):
            given = [command, *map(str, arguments), "--site", folders[who], "--url", url, "--ca", tmp_path / "tls.pem"]
            return await asyncio.to_thread(CliRunner().invoke, commands, [*map(str, given)])

        run.folders, run.folder, run.port = folders, tmp_path, port
        yield run


async def test_result_goes_from_a_laboratory_to_a_practice_and_both_have_proof(exchange, network):
    (network.folder / "résultat; rm -rf.pdf").write_bytes(TEXT)
    practice, into = exchange.practice.site.key, network.folder / "in"
    assert (await network("practice", "fetch", into)).output == ""
    done = await network("laboratory", "send", practice, network.folder / "résultat; rm -rf.pdf")
    assert done.exit_code == 0, done.output
    message_id = done.output.split()[0]
    done = await network("practice", "fetch", into)
    assert (done.exit_code, "delivered" in done.output) == (0, True), done.output
    (file,) = into.iterdir()
    assert (file.read_bytes(), file.name) == (TEXT, f"{message_id}-r_sultat_rm_-rf.pdf")
    assert (await network("practice", "fetch", into)).output == ""
    assert "read" in (await network("practice", "ack", message_id)).output
    await exchange.journal.sealer.seal_all()
    for who in network.folders:
        done = await network(who, "receipts", message_id)
        files = [network.folder / line for line in done.output.split()]
        assert [json.loads(one.read_text())["entry"] is not None for one in files] == [True] * 3, done.output
    assert not [*(network.folders["laboratory"] / "outgoing").iterdir()]


async def test_message_that_the_platform_did_not_get_is_sent_again_as_the_same(exchange, network):
    (network.folder / "a.txt").write_bytes(TEXT)
    await network("practice", "fetch", network.folder / "in")
    original = exchange.messages.send

    async def accept_and_break(*arguments):
        await original(*arguments)
        raise ConnectionError

    exchange.messages.send = accept_and_break
    done = await network("laboratory", "send", exchange.practice.site.key, network.folder / "a.txt")
    assert (done.exit_code, "Traceback" in done.output) == (1, False)
    exchange.messages.send = original
    done = await network("laboratory", "send")
    assert done.exit_code == 0, done.output
    await network("practice", "fetch", network.folder / "in")
    assert len([*(network.folder / "in").iterdir()]) == 1


async def test_message_that_cannot_be_read_stays_and_can_be_refused(exchange, network):
    message_id, _, _ = await exchange.send()
    done = await network("practice", "fetch", network.folder / "in")
    assert (done.exit_code, "does not have" in done.output) == (1, True), done.output
    done = await network("practice", "ack", message_id, "--refuse", "unreadable")
    assert "refused  unreadable" in done.output
    assert await exchange.states(message_id) == {"accepted", "refused"}
    assert (await network("practice", "fetch", network.folder / "in")).exit_code == 0


async def test_platform_that_cannot_be_reached_and_folder_that_is_not_complete_are_said(network):
    done = await network("practice", "fetch", network.folder / "in", url=f"https://localhost:{free_port()}")
    assert (done.exit_code, "cannot be reached" in done.output) == (1, True), done.output
    (network.folders["practice"] / "platform.key").unlink()
    (network.folder / "a.txt").write_bytes(TEXT)
    done = await network("practice", "ack", uuid7())
    assert (done.exit_code, "Traceback" in done.output) == (1, False), done.output


async def test_site_without_a_certificate_gets_no_connection(network):
    async with httpx.AsyncClient(verify=False) as http:
        with pytest.raises(httpx.TransportError):
            await http.get(f"https://localhost:{network.port}{PREFIX}/incoming")


async def test_endpoints_refuse_strangers_and_hostile_requests_without_a_trace(exchange):
    async with served(exchange) as port, httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}{PREFIX}/") as http:
        own, some = exchange.practice.header, uuid7()
        for method, path in (
            ("GET", "incoming"), ("PUT", "key"), ("GET", "keys/S00001"), ("PUT", f"{some}"),
            ("GET", f"{some}/content"), ("PUT", f"{some}/state"), ("GET", f"{some}/receipts"),
        ):  # fmt: skip
            answer = await http.request(method, path)
            assert (answer.status_code, answer.json()["error"]) == (403, "forbidden")
        await exchange.send(message_id=some)
        for body in (b"", b"[]", b"{}", b'{"state": 1}', b'{"state": "gone"}', b"[" * 9_000, b"\xff"):
            answer = await http.put(f"{some}/state", content=body, headers=own)
            assert (answer.status_code, "Traceback" in answer.text) == (400, False), body
        for path in ("nonsense/content", f"{uuid7()}/content", "%00/receipts"):
            assert (await http.get(path, headers=own)).status_code == 404
        assert (await http.get("incoming?cursor=x", headers=own)).status_code == 400
        listed = (await http.get("incoming", headers=own)).json()
        assert [one["id"] for one in listed["messages"]] == [str(some)]
        assert (await http.put(f"{some}/state", json={"state": "delivered"}, headers=own)).status_code == 200

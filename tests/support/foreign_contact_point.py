"""The contact point of another country as a process of its own, over mutual TLS, with faults that a test turns on.

`python -m tests.support.foreign_contact_point PORT FOLDER KEYS CLIENT` reads `FOLDER/state.json` at every message:

answers    by transaction: the name of a file in FOLDER with the body of the answer; `$QUERY`, `$QUERY_EXTENSION` and
           `$MESSAGE` in it stand for the identifiers of the query and of the message
fault      how it goes wrong: slow, down, two, other, truncated, huge, bomb, status, fault, multipart
It keeps every message in `FOLDER/received`, and the dispensations that it took in `FOLDER/taken`.
"""

import asyncio
import base64
import json
import re
import ssl
import subprocess
import sys
import time
import zlib
from pathlib import Path

from tests.support.processes import READY_SECONDS, environment, free_port

SOAP = "http://www.w3.org/2003/05/soap-envelope"
WSA = "http://www.w3.org/2005/08/addressing"
NOTHING = f'<Fault xmlns="{SOAP}"><Code><Value>Receiver</Value></Code><Reason><Text>none</Text></Reason></Fault>'
TRANSACTIONS = {
    "CrossGatewayPatientDiscovery": "ITI-55",
    "CrossGatewayQuery": "ITI-38",
    "CrossGatewayRetrieve": "ITI-39",
    "ProvideAndRegisterDocumentSet-b": "ITI-41",
}
SUCCESS = (
    '<RegistryResponse xmlns="urn:oasis:names:tc:ebxml-regrep:xsd:rs:3.0"'
    ' status="urn:oasis:names:tc:ebxml-regrep:ResponseStatusType:Success"/>'
)


class ForeignContactPoint:
    """The process, as a test steers it; `client`: the certificate (PEM) that it accepts, of the platform."""

    def __init__(self, folder: Path, keys: Path, client: Path) -> None:
        self.folder, self.port = folder, free_port()
        (folder / "received").mkdir(parents=True)
        (folder / "taken").mkdir()
        self._state: dict[str, object] = {"answers": {}, "fault": "", "of": ""}
        self._write()
        command = [sys.executable, "-m", __name__, str(self.port), str(folder), str(keys), str(client)]
        self._process = subprocess.Popen(command, env=environment(PYTHONPATH=f"{Path.cwd()}:{Path.cwd() / 'src'}"))
        deadline = time.monotonic() + READY_SECONDS
        while not (folder / "ready").exists():
            assert self._process.poll() is None and time.monotonic() < deadline
            time.sleep(0.02)

    @property
    def url(self) -> str:
        """Its address."""
        return f"https://127.0.0.1:{self.port}"

    def answer(self, transaction: str, body: str) -> None:
        """Answer a transaction with a body from now on."""
        (self.folder / f"{transaction}.xml").write_text(body, encoding="utf-8")
        answers = self._state["answers"]
        assert isinstance(answers, dict)
        answers[transaction] = f"{transaction}.xml"
        self._write()

    def forget(self, transaction: str) -> None:
        """Answer a transaction as at the beginning from now on."""
        answers = self._state["answers"]
        assert isinstance(answers, dict)
        answers.pop(transaction, None)
        self._write()

    def fail(self, fault: str, of: str = "") -> None:
        """Go wrong from now on ("": no longer), at one transaction or at all."""
        self._state |= {"fault": fault, "of": of}
        self._write()

    def received(self, transaction: str = "") -> list[bytes]:
        """Return the messages that it got, in order, of one transaction or all."""
        files = sorted((self.folder / "received").iterdir())
        return [one.read_bytes() for one in files if transaction in one.name]

    def taken(self) -> list[str]:
        """Return the identifiers of the dispensations that it took."""
        return sorted(one.read_text() for one in (self.folder / "taken").iterdir())

    def stop(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.wait(10)

    def _write(self) -> None:
        part = self.folder / "state.part"
        part.write_text(json.dumps(self._state))
        part.replace(self.folder / "state.json")


async def _serve(port: int, folder: Path, keys: Path, client: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(keys / "tls.crt", keys / "tls.pem")
    context.verify_mode = ssl.CERT_REQUIRED
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    context.load_verify_locations(cafile=str(client))

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            size = int(re.search(r"(?i)content-length: (\d+)", head)[1])  # type: ignore[index]
            await _answer(await reader.readexactly(size), folder, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", port, ssl=context, limit=1 << 24)
    (folder / "ready").touch()
    await server.serve_forever()


async def _answer(data: bytes, folder: Path, writer: asyncio.StreamWriter) -> None:
    state = json.loads((folder / "state.json").read_text())
    action = re.search(rb"Action[^>]*>[^<]*?([A-Za-z-]+)<", data)
    name = TRANSACTIONS.get(action[1].decode() if action else "", "none")
    (folder / "received" / f"{time.monotonic_ns():020}-{name}.xml").write_bytes(data)
    fault = state["fault"] if state["of"] in ("", name) else ""
    if fault == "down":  # the message never counts
        return
    if name == "ITI-41":
        unique = re.search(rb'2e82c1f6-a085-4c72-9da3-8640a32e42ab"[^>]*value="([^"]*)"', data)
        taken = (unique or re.search(rb'value="([^"]*)"[^>]*2e82c1f6', data))[1]  # type: ignore[index]
        (folder / "taken" / str(zlib.crc32(taken))).write_bytes(taken)
    if fault == "slow":
        await asyncio.sleep(600)
    if fault == "cut":
        return
    file = state["answers"].get(name)
    body = (folder / file).read_text("utf-8") if file else SUCCESS if name == "ITI-41" else NOTHING
    message = re.search(rb"MessageID>([^<]*)<", data)
    query = re.search(rb'queryId root="([^"]*)"(?: extension="([^"]*)")?', data)
    named = message[1].decode() if message else ""
    body = body.replace("$MESSAGE", named)
    if query:
        body = body.replace("$QUERY_EXTENSION", (query[2] or b"").decode()).replace("$QUERY", query[1].decode())
    writer.write(_response(body, "urn:uuid:another" if fault == "other" else named, fault))
    await writer.drain()


def _response(body: str, relates: str, fault: str) -> bytes:
    envelope = (
        f'<s:Envelope xmlns:s="{SOAP}" xmlns:a="{WSA}"><s:Header><a:MessageID>urn:uuid:answer</a:MessageID>'
        f"<a:RelatesTo>{relates}</a:RelatesTo></s:Header><s:Body>{body}{body if fault == 'two' else ''}</s:Body></s:Envelope>"
    ).encode()
    kind, status = "application/soap+xml; charset=utf-8", "200 OK"
    if fault == "fault" or fault == "refusal":
        code = "Sender" if fault == "refusal" else "Receiver"
        envelope = (
            f'<s:Envelope xmlns:s="{SOAP}"><s:Body><s:Fault><s:Code><s:Value>s:{code}</s:Value></s:Code>'
            '<s:Reason><s:Text xml:lang="en">at com.example.Main(Main.java:1)</s:Text></s:Reason></s:Fault></s:Body></s:Envelope>'
        ).encode()
        status = "500 Internal Server Error"
    if fault == "status":
        envelope, status = b"<html>busy</html>", "503 Busy"
    if fault == "bomb":
        doctype = b'<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>'
        envelope = doctype + envelope.replace(b"<s:Body>", b"<s:Body>&b;")
    if fault == "huge":
        envelope = b"<a>" + b" " * (41 << 20) + b"</a>"
    if fault == "multipart":
        boundary = b"b" * 20
        found = re.search(rb">\s*([A-Za-z0-9+/=\s]{2000,})</", envelope)
        document = base64.b64decode(b"".join(found[1].split())) if found else b""
        include = b'><x:Include xmlns:x="http://www.w3.org/2004/08/xop/include" href="cid:one%40example"/></'
        root = envelope.replace(found[0], include) if found else envelope
        parts = ((b"application/xop+xml", b"root@example", root), (b"text/xml", b"one@example", document))
        envelope = b"".join(
            b"--"
            + boundary
            + b"\r\nContent-Type: "
            + media
            + b"\r\nContent-ID: <"
            + cid
            + b">\r\n\r\n"
            + part
            + b"\r\n"
            for media, cid, part in parts
        )
        envelope += b"--" + boundary + b"--\r\n"
        kind = f'multipart/related; type="application/xop+xml"; start="<root@example>"; boundary={boundary.decode()}'
    head = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(envelope)}\r\nConnection: close\r\n\r\n"
    sent = head.encode() + envelope
    if fault == "truncated":
        return sent[: len(head) + len(envelope) // 2]
    return sent + sent if fault == "twice" else sent


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1]), *map(Path, sys.argv[2:5])))

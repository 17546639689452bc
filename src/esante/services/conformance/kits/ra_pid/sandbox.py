"""A small HTTP server that plays the platform for fee notes, records every call, and can be told to fail.

It answers as `/pid/v1` (immediate payment, JSON) and `/ra/v1` (accelerated reimbursement, ZIP) do. Nothing is kept
beyond the run.
"""

import asyncio
import re
import time
from collections import defaultdict, deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from decimal import ROUND_HALF_UP, Decimal
from typing import Any
from uuid import uuid4

import h11
import orjson

CONFIRMATIONS = (
    "indicateurValidationMedecin",
    "indicateurValidationPersonneProtegee",
    "indicateurAcquittementParticipationPersonnelle",
)
MAX_BODY = 8 * 1024 * 1024
SLOW_SECONDS = 1.5
_READ = 65_536
_DOCUMENT = re.compile(
    r"/ra/v1/practitioner/(?P<ehealth_id>[^/]+)/person/(?P<matricule>[^/]+)/document(?:/(?P<note_id>[^/]+))?"
)
_PAYMENT = re.compile(r"/pid/v1/notes/(?P<note_id>[^/]+)/payment")
_CENT = Decimal("0.01")
_SHARE = Decimal("0.88")


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A call of the software: `step` is what it is (SIM, VAL, DEPOSIT, CANCEL, KNOWN, OTHER), `at` seconds."""

    step: str
    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: bytes
    at: float
    parts: dict[str, str]

    def json(self) -> Any:
        """Return the parsed body, {} for what is no JSON object."""
        try:
            found = orjson.loads(self.body)
        except orjson.JSONDecodeError:
            return {}
        return found if isinstance(found, dict) else {}


Answer = tuple[int, Any]
"""A status, and an object that becomes JSON; a text is XML."""
EXCHANGE = "/billing/exchange"
"""The path of the SOAP exchange."""
_RECEIVED = (
    '<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body>'
    '<r:ResponseInfo xmlns:r="http://ws.mysecu.lu/generic/sync"/></s:Body></s:Envelope>'
)
"""The answer to a message of the exchange; that of the platform is signed."""


@dataclass
class Sandbox:
    """The sandbox: `calls` so far in their order; `tariffs` by code of the act; `record` gets each call answered."""

    tariffs: dict[str, Decimal]
    record: Callable[["Call", Answer | None], None]
    calls: list[Call] = field(default_factory=list)
    address: str = ""
    _faults: dict[str, deque[str]] = field(default_factory=lambda: defaultdict(deque))
    _simulations: dict[str, dict[str, Any]] = field(default_factory=dict)
    _payments: dict[str, str] = field(default_factory=dict)
    _paid: dict[str, str] = field(default_factory=dict)
    _documents: dict[str, str] = field(default_factory=dict)
    _arrived: asyncio.Event = field(default_factory=asyncio.Event)

    def fail(self, step: str, *faults: str) -> None:
        """Let the next calls of a step fail: "503", "lost" (done, but no answer), "slow" or "refused"."""
        self._faults[step] = deque(faults)

    def mark(self) -> int:
        """Return a place in the calls, for `since`."""
        return len(self.calls)

    def since(self, place: int, *steps: str) -> list[Call]:
        """Return the calls after a place, of some steps (none named: all)."""
        return [call for call in self.calls[place:] if not steps or call.step in steps]

    def simulations_of(self, note_id: str) -> set[str]:
        """Return the ids of the simulations of a note."""
        return {id_ for id_, one in self._simulations.items() if one["note"].lower() == note_id}

    def payment_of(self, note_id: str) -> str | None:
        """Return the id of the payment of a note, or None."""
        return self._paid.get(note_id)

    async def wait(self, enough: Callable[[], object], seconds: float) -> bool:
        """Wait until something holds, which is asked after each call; return whether it does in time."""
        end = time.monotonic() + seconds
        while not enough():
            left = end - time.monotonic()
            if left <= 0:
                return False
            self._arrived.clear()
            try:
                await asyncio.wait_for(self._arrived.wait(), min(left, 0.05))
            except TimeoutError:
                continue
        return True

    async def answer(self, call: Call) -> Answer | None:
        """Record a call and return its answer; None: the connection is closed without one."""
        self.calls.append(call)
        self._arrived.set()
        answer = await self._answer(call)
        self.record(call, answer)
        return answer

    async def _answer(self, call: Call) -> Answer | None:
        faults = self._faults[call.step]
        fault = faults.popleft() if faults else ""
        if fault == "503":
            return 503, {"code": "transient", "title": "The service is not available now.", "way": "ra"}
        if fault == "refused":
            return 422, {"code": "invalid", "title": "The fee note is not valid.", "detail": "acte"}
        answer = self._answers(call)
        if fault == "slow":
            await asyncio.sleep(SLOW_SECONDS)
        return None if fault == "lost" else answer

    def _answers(self, call: Call) -> Answer:
        match call.step:
            case "SIM":
                return self._simulate(call.json())
            case "VAL":
                return self._pay(call.json())
            case "DEPOSIT":
                return self._deposit(call)
            case "CANCEL":
                return self._cancel(call)
            case "KNOWN":
                return self._known(call)
            case "SOAP":
                return 200, _RECEIVED
        return 404, {"code": "not-found", "title": "There is nothing here."}

    def _simulate(self, asked: dict[str, Any]) -> Answer:
        lines, statutory, total = [], Decimal(0), Decimal(0)
        for line in asked.get("lignes", ()):
            act = line.get("acte", {})
            tariff = self.tariffs.get(str(act.get("codeActe")), Decimal("10.00")) * int(act.get("nombre", 1))
            share = (tariff * _SHARE).quantize(_CENT, ROUND_HALF_UP)
            statutory, total = statutory + share, total + tariff
            lines.append(
                {
                    "identifiantPrestation": line.get("identifiantExternePrestation"),
                    "partStatutaire": f"{share:.2f}",
                    "participationPersonelle": f"{tariff - share:.2f}",
                    "montantOpposable": f"{tariff:.2f}",
                }
            )
        note_id = str(asked.get("idMemoireHonoraire", "")).lower()
        known = next((id_ for id_, one in self._simulations.items() if one["note"] == note_id), None)
        simulation_id = known or str(uuid4())
        self._simulations[simulation_id] = {"note": note_id, "statutory": f"{statutory:.2f}"}
        return 201, {
            "identifiantReponseSimulation": simulation_id,
            "matricule": asked.get("matricule"),
            "idMemoireHonoraire": note_id,
            "totalPartStatutaire": f"{statutory:.2f}",
            "totalParticipationPersonelle": f"{total - statutory:.2f}",
            "sommeTotale": f"{total:.2f}",
            "lignes": lines,
        }

    def _pay(self, asked: dict[str, Any]) -> Answer:
        simulation = self._simulations.get(str(asked.get("idReponseSimulation")))
        if simulation is None:
            return 404, {"code": "not-found", "title": "There is no such simulation."}
        if not all(asked.get(name) is True for name in CONFIRMATIONS):
            return 422, {"code": "invalid", "title": "A confirmation is missing."}
        payment_id = self._payments.setdefault(str(asked["idReponseSimulation"]), str(uuid4()))
        self._paid[simulation["note"]] = payment_id
        amounts = {"montantPartStatutaire": simulation["statutory"], "montantPaye": simulation["statutory"]}
        return 201, {"identifiantInitiationPaiement": payment_id, "montantRecouvrement": "0.00", **amounts}

    def _deposit(self, call: Call) -> Answer:
        note_id = package_note_id(call.body)
        if note_id in self._documents:
            return 409, {"code": "conflict", "title": "The platform has a fee note with this UUID."}
        self._documents[note_id] = "RECEIVED"
        return 200, {"id": note_id, "status": "RECEIVED"}

    def _cancel(self, call: Call) -> Answer:
        note_id = call.parts["note_id"].lower()
        if note_id not in self._documents:
            return 404, {"code": "not-found", "title": "There is no such fee note."}
        self._documents[note_id] = "CANCEL_ASKED"
        if call.body:
            self._documents[package_note_id(call.body)] = "RECEIVED"
        return 200, {"id": note_id, "status": "CANCEL_ASKED"}

    def _known(self, call: Call) -> Answer:
        note_id = call.parts["note_id"].lower()
        if call.path.startswith("/pid"):
            payment_id = self._paid.get(note_id)
            return (200, {"identifiantInitiationPaiement": payment_id}) if payment_id else (404, {"title": "None."})
        status = self._documents.get(note_id)
        return (200, {"id": note_id, "status": status}) if status else (404, {"title": "None."})


def package_note_id(body: bytes) -> str:
    """Return the last UUID that the bytes of a ZIP name a file with, in small letters; "" for none."""
    found = re.findall(rb"_([0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12})\.xml", body)
    return found[-1].decode().lower() if found else ""


def classify(method: str, path: str) -> tuple[str, dict[str, str]]:
    """Return the step that a call is, and the parts of its path."""
    if (method, path) == ("POST", "/pid/v1/simulations"):
        return "SIM", {}
    if (method, path) == ("POST", "/pid/v1/payments"):
        return "VAL", {}
    if (method, path) == ("POST", EXCHANGE):
        return "SOAP", {}
    if document := _DOCUMENT.fullmatch(path):
        parts = {name: value for name, value in document.groupdict().items() if value}
        steps = {("POST", False): "DEPOSIT", ("PATCH", True): "CANCEL", ("GET", True): "KNOWN"}
        return steps.get((method, "note_id" in parts), "OTHER"), parts
    if (payment := _PAYMENT.fullmatch(path)) and method == "GET":
        return "KNOWN", payment.groupdict()
    return "OTHER", {}


@asynccontextmanager
async def open_sandbox(
    host: str, tariffs: dict[str, Decimal], record: Callable[[Call, Answer | None], None]
) -> AsyncIterator[Sandbox]:
    """Serve a sandbox on a free port of an address of this machine."""
    sandbox = Sandbox(tariffs, record)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(30):
                await _serve(sandbox, reader, writer)
        except (OSError, TimeoutError, h11.RemoteProtocolError, ValueError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, host, 0)
    port = server.sockets[0].getsockname()[1]
    sandbox.address = f"http://{f'[{host}]' if ':' in host else host}:{port}"
    try:
        yield sandbox
    finally:
        server.close()


async def _serve(sandbox: Sandbox, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer one request, and close the connection."""
    connection, body, request = h11.Connection(h11.SERVER), b"", None
    while True:
        event = connection.next_event()
        if event is h11.NEED_DATA:
            connection.receive_data(await reader.read(_READ))
        elif isinstance(event, h11.Request):
            request = event
            if connection.they_are_waiting_for_100_continue:
                writer.write(connection.send(h11.InformationalResponse(status_code=100, headers=[])) or b"")
        elif isinstance(event, h11.Data):
            body += bytes(event.data)
            if len(body) > MAX_BODY:
                raise ValueError("the body is too long")
        else:
            break
    if request is None:
        return
    path, _, query = request.target.decode("ascii", "replace").partition("?")
    step, parts = classify(request.method.decode(), path)
    answer = await sandbox.answer(
        Call(
            step=step,
            method=request.method.decode(),
            path=path,
            query=query,
            headers={name.decode("latin-1").lower(): value.decode("latin-1") for name, value in request.headers},
            body=body,
            at=time.monotonic(),
            parts=parts,
        )
    )
    if answer is None:
        return
    status, content = answer
    data = content.encode() if isinstance(content, str) else orjson.dumps(content)
    kind = b"application/json" if status < 400 else b"application/problem+json"
    kind = b"text/xml; charset=utf-8" if isinstance(content, str) else kind
    headers = [(b"content-type", kind), (b"content-length", str(len(data)).encode()), (b"connection", b"close")]
    response = h11.Response(status_code=status, headers=headers)
    for part in (response, h11.Data(data=data), h11.EndOfMessage()):
        writer.write(connection.send(part) or b"")
    await writer.drain()

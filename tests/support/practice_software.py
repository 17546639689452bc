"""A small software of a practice with the driver interface of the kit `ra-pid`; `flaw` breaks one requirement of it.

It keeps the rules of RA and PID in few lines, over httpx. It is no product: notes live in memory.
"""

import asyncio
import io
import zipfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Protocol
from uuid import NAMESPACE_URL, uuid4, uuid5

import httpx
import orjson
import uvicorn
from lxml import etree
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from esante.core.clock import now
from tests.support.exchange import envelope, make_card, request_info, sign

NAMESPACE = "http://www.secu.lu/ciss/cns"
FIRST_PAUSE = 0.2
AWAY = (429, 500, 502, 503, 504)


@dataclass
class Kept:
    """A note in the software."""

    uuid: str
    note: dict[str, Any]
    sandbox: str
    token: str
    way: str
    state: str = "waiting"
    shares: dict[str, str] = field(default_factory=dict)
    simulation: str = ""
    payment: str = ""
    cause: str = ""

    @property
    def shown(self) -> dict[str, Any]:
        """What the driver interface answers."""
        found = {"uuid": self.uuid, "state": self.state, "shares": self.shares}
        return found | {"payment": self.payment, "cause": self.cause}


class Practice:
    """The software; `flaw` is the id of the requirement that it breaks ("": none)."""

    def __init__(self, flaw: str = "") -> None:
        self.flaw = flaw
        self._notes: dict[str, Kept] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._http = httpx.AsyncClient(timeout=5, trust_env=False)
        self._card = make_card()

    def has(self, flaw: str) -> bool:
        return self.flaw == flaw

    async def act(self, request: Request) -> Response:
        """Take an order."""
        order = await request.json()
        if order["action"] == "send-note":
            return self._send(order)
        kept = self._notes[order["uuid"]]
        if order["action"] == "confirm":
            self._start(self._confirm(kept, order))
        else:
            self._start(self._cancel(kept, order))
        return JSONResponse({}, 202)

    def _send(self, order: dict[str, Any]) -> Response:
        uuid = str(uuid4())
        if self.has("RP-43"):
            uuid = str(uuid5(NAMESPACE_URL, orjson.dumps(order["note"]).decode()))
        kept = Kept(uuid, order["note"], order["sandbox"], order["token"], order["way"])
        self._notes[uuid] = kept
        if kept.way == "pid":
            self._start(self._simulate(kept))
        elif kept.way == "exchange":
            self._start(self._exchange(kept))
        else:
            self._start(self._deposit(kept))
        return JSONResponse({"uuid": "1234" if self.has("RP-01") else uuid}, 202)

    async def show(self, request: Request) -> Response:
        """Show a note."""
        shown = self._notes[request.path_params["uuid"]].shown
        if self.has("RP-21"):
            del shown["uuid"]
        return JSONResponse(shown)

    async def clock(self, request: Request) -> Response:
        """Show the time of the machine."""
        off = timedelta(hours=1 if self.has("RP-49") else 0)
        return JSONResponse({"now": (now() + off).isoformat()})

    def _start(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _call(self, kept: Kept, method: str, path: str, **content: Any) -> httpx.Response | None:
        """Return the answer, None when there is none that counts."""
        headers = content.pop("headers", {})
        if not (self.has("RP-03") and path.endswith("simulations")):
            headers |= {"Authorization": f"Bearer {kept.token}"}
        if self.has("RP-48"):
            path += f"?token={kept.token}"
        try:
            answer = await self._http.request(method, kept.sandbox + path, headers=headers, **content)
        except httpx.HTTPError:
            return None
        return None if answer.status_code in AWAY else answer

    async def _simulate(self, kept: Kept) -> None:
        if self.has("RP-02"):
            await self._call(kept, "GET", f"/pid/v1/notes/{kept.uuid}/payment")
        answer = await self._call(kept, "POST", "/pid/v1/simulations", json=self._request(kept))
        if answer is None:
            if self.has("RP-22"):
                return
            await self._deposit(kept, str(uuid4()) if self.has("RP-23") else "")
            return
        found = answer.json()
        if answer.status_code != 201:
            kept.state, kept.cause = "refused", f"{found.get('title')} {found.get('detail', '')}"
            return
        kept.simulation = found["identifiantReponseSimulation"]
        kept.shares = {
            "statutory": found["totalPartStatutaire"],
            "personal": found["totalParticipationPersonelle"],
            "total": found["sommeTotale"],
        }
        if self.has("RP-12"):
            kept.shares = {"total": found["sommeTotale"]}
        kept.state = "simulated"
        if self.has("RP-11") and len(self._notes) == 1:
            await self._deposit(kept)
            kept.state = "simulated"

    def _request(self, kept: Kept) -> dict[str, Any]:
        note = kept.note
        line_id = str(uuid4())
        lines = [
            {
                "identifiantExternePrestation": line_id if self.has("RP-08") else str(uuid4()),
                "dateDebutPrestation": line["on"],
                "acte": {"codeActe": line["code"], "nombre": line["quantity"]},
                "lieuDePrestation": "1" if self.has("RP-10") else line["place"],
            }
            for line in note["lines"]
        ]
        if self.has("RP-09"):
            lines.reverse()
        day = note["issued_on"]
        code, matricule = note["biller"]["provider_code"], note["patient"]["matricule"]
        return {
            "identifiantFacturier": int(code) if self.has("RP-04") else code,
            "matricule": matricule[:11] if self.has("RP-05") else matricule,
            "idMemoireHonoraire": kept.uuid.upper() if not self.has("RP-06") else str(uuid4()),
            "dateEtablissementMemoireHonoraire": "/".join(reversed(day.split("-"))) if self.has("RP-07") else day,
            "lignes": lines,
        }

    async def _confirm(self, kept: Kept, order: dict[str, Any]) -> None:
        given = [order["doctor"], order["patient"], order["personal_share"]]
        if self.has("RP-17"):
            given[1] = True
        again = (self.has("RP-16") and kept.state == "paid") or (self.has("RP-25") and kept.state == "deposited")
        if self.has("RP-25") and kept.state == "deposited":
            await self._simulate(kept)
        if (kept.state != "simulated" and not again) or not all(given):
            return
        await self._pay(kept)

    async def _pay(self, kept: Kept) -> None:
        body = {
            "idReponseSimulation": str(uuid4()) if self.has("RP-13") else kept.simulation,
            "indicateurValidationMedecin": True,
            "indicateurValidationPersonneProtegee": True,
            "indicateurAcquittementParticipationPersonnelle": not self.has("RP-14"),
        }
        pause = FIRST_PAUSE
        while (answer := await self._call(kept, "POST", "/pid/v1/payments", json=body)) is None:
            if self.has("RP-18"):
                return
            if self.has("RP-19"):
                await self._deposit(kept)
                kept.state = "simulated"
            if self.has("RP-20"):
                kept.state = "deposited"
            await asyncio.sleep(pause)
            pause *= 2
        if answer.status_code != 201 or kept.state == "deposited":
            return
        kept.payment = str(uuid4()) if self.has("RP-15") else answer.json()["identifiantInitiationPaiement"]
        kept.state = "paid"

    async def _deposit(self, kept: Kept, uuid: str = "") -> None:
        content, pause = self._package(kept, uuid or kept.uuid), FIRST_PAUSE
        headers = {"Content-Type": "application/octet-stream" if self.has("RP-27") else "application/zip"}
        path = self._path(kept)
        if self.has("RP-42"):
            self._start(self._again(kept, path, content))
        while (answer := await self._call(kept, "POST", path, content=content, headers=dict(headers))) is None:
            if self.has("RP-38"):
                content = self._package(kept, str(uuid4()))
            await asyncio.sleep(pause)
            pause *= 1 if self.has("RP-39") else 2
        kept.state = "deposited" if answer.status_code in (200, 409) else "refused"
        if kept.state == "refused":
            kept.cause = answer.json().get("title", "")
        if self.has("RP-24") and kept.way == "pid":
            kept.state = "waiting"
        if self.has("RP-40") and answer.status_code == 409:
            kept.state = "refused"
        if self.has("RP-41") and kept.state == "refused":
            await self._call(kept, "POST", path, content=content, headers=dict(headers))

    async def _exchange(self, kept: Kept) -> None:
        model = "2022_CNS_MEMHON_REMBCONS-V1" if self.has("RP-50") else "2022_CNS_MEMHON_DEPOT-V1"
        content = self._xml(kept, kept.uuid).partition(b"?>")[2].decode()
        lifetime = 86_400 if self.has("RP-51") else 300
        at = int((now() - datetime.now(UTC)).total_seconds())
        message = envelope(request_info(model, content), card=self._card, lifetime=lifetime, at=at)
        names = ("Timestamp", "BinarySecurityToken") if self.has("RP-52") else ("Timestamp", "Body")
        data = etree.tostring(sign(message, self._card, names))
        await self._call(kept, "POST", "/billing/exchange", content=data, headers={"Content-Type": "text/xml"})

    async def _again(self, kept: Kept, path: str, content: bytes) -> None:
        """Call a second time while the first answer is awaited, where there is one for so long."""
        await asyncio.sleep(0.5)
        if kept.state == "waiting" and kept.way == "ra" and len(self._notes) > 6:
            await self._call(kept, "POST", path, content=content)

    def _path(self, kept: Kept) -> str:
        note = kept.note
        ehealth_id = "123" if self.has("RP-26") else note["biller"]["ehealth_id"]
        matricule = note["patient"]["matricule"]
        matricule = "1900123456712" if self.has("RP-33") else matricule
        return f"/ra/v1/practitioner/{ehealth_id}/person/{matricule}/document"

    async def _cancel(self, kept: Kept, order: dict[str, Any]) -> None:
        content = b""
        if "note" in order:
            new = kept.uuid if self.has("RP-47") else str(uuid4())
            content = self._package(Kept(new, order["note"], "", "", "ra"), new)
        elif self.has("RP-44"):
            content = self._package(kept, str(uuid4()))
        headers = {"X-Cancel-Reason": "" if self.has("RP-45") else order["reason"], "Content-Type": "application/zip"}
        await self._call(kept, "PATCH", f"{self._path(kept)}/{kept.uuid}", content=content, headers=headers)
        if not self.has("RP-46"):
            kept.state = "cancelled"

    def _package(self, kept: Kept, uuid: str) -> bytes:
        month = kept.note["issued_on"].replace("-", "")[:6]
        code = kept.note["biller"]["provider_code"]
        name = f"F{code}{month}_MED_MHM_001_0001_{uuid}.xml"
        if self.has("RP-29"):
            name = name.replace("_MED_MHM", "_MED")
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            archive.writestr(name, self._xml(kept, uuid))
            if self.has("RP-28"):
                archive.writestr("readme.txt", "x")
        return buffer.getvalue()

    def _xml(self, kept: Kept, uuid: str) -> bytes:
        note = kept.note
        root = etree.Element(f"{{{NAMESPACE}}}memoireHonoraire", nsmap={"c": NAMESPACE})
        head = etree.SubElement(root, "entete")
        add(head, "UUID", str(uuid4()) if self.has("RP-31") else uuid)
        biller = etree.SubElement(head, "facturier")
        add(biller, "codePrestataire", note["biller"]["provider_code"])
        if not self.has("RP-32"):
            add(biller, "nom", note["biller"]["family"])
        add(etree.SubElement(biller, "adresse"), "rue", note["biller"]["address"]["street"])
        add(etree.SubElement(head, "patient"), "matricule", note["patient"]["matricule"])
        insured = etree.SubElement(head, "assure")
        add(etree.SubElement(insured, "adresse"), "rue", note["patient"]["address"]["street"])
        add(head, "dateMemoireHonoraires", note["issued_on"])
        total = Decimal(0)
        for number, line in enumerate(note["lines"], 1):
            one = etree.SubElement(root, "prestation")
            add(one, "numeroLigne", str(number))
            add(one, "lieu", line["place"])
            add(etree.SubElement(one, "periode"), "dateDebut", line["on"])
            add(etree.SubElement(one, "acte"), "codeActe", "X" + line["code"] if self.has("RP-34") else line["code"])
            add(one, "nombre", str(line["quantity"]))
            add(one, "montantBrut", line["amount"])
            total += Decimal(line["amount"])
        payment = etree.SubElement(root, "paiement")
        add(payment, "sousTotal", f"{total + self.has('RP-36'):.2f}")
        add(payment, "aPayer", f"{total:.3f}" if self.has("RP-35") else f"{total:.2f}")
        add(payment, "devise", "USD" if self.has("RP-37") else "EUR")
        add(payment, "acquitte", "false")
        content: bytes = etree.tostring(root, xml_declaration=True, encoding="UTF-8")
        if self.has("RP-30"):
            content = content.replace(b"?>", b"?>\n<!DOCTYPE x>", 1)
        return content

    async def close(self) -> None:
        """Stop all work."""
        for task in self._tasks:
            task.cancel()
        await self._http.aclose()


def add(parent: Any, name: str, text: str) -> None:
    """Add an element with a text."""
    etree.SubElement(parent, name).text = text


class Software(Protocol):
    """A software with the driver interface."""

    async def act(self, request: Request) -> Response: ...

    async def show(self, request: Request) -> Response: ...

    async def clock(self, request: Request) -> Response: ...

    async def close(self) -> None: ...


@asynccontextmanager
async def serve_driver(practice: Software) -> AsyncIterator[str]:
    """Serve the driver interface of a software on a free port of this machine; yield its address."""
    routes = [
        Route("/actions", practice.act, methods=["POST"]),
        Route("/notes/{uuid}", practice.show),
        Route("/clock", practice.clock),
    ]
    config = uvicorn.Config(Starlette(routes=routes), host="127.0.0.1", port=0, log_level="critical", lifespan="off")
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server._serve())
    while not server.started:
        await asyncio.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        await serving
        await practice.close()


@asynccontextmanager
async def serve_practice(flaw: str = "") -> AsyncIterator[str]:
    """Serve the small software on a free port of this machine; yield the address of its driver interface."""
    async with serve_driver(Practice(flaw)) as address:
        yield address

"""A practice that sends its fee notes by the platform's client library, with the driver interface of the kit `ra-pid`.

What the library does not do, cancelling and replacing, the practice does by the REST service.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from datetime import date
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from esante.core.clock import now
from esante.services.billing.client import (
    Confirmations,
    Entry,
    FeeNoteClient,
    NoteQueue,
    PlatformApi,
    QueueError,
    State,
    Way,
)
from esante.services.billing.note.model import (
    Act,
    Biller,
    FeeNote,
    Insured,
    NoteLine,
    Patient,
    Period,
    PostalAddress,
    Settlement,
)
from esante.services.billing.note.national_xml import write_note
from esante.services.billing.note.package import pack
from tests.support.practice_software import serve_driver

TURN_SECONDS = 0.2
"""How often the practice lets the library catch up."""
STATES = {State.QUEUED: "waiting", State.PRINTED: "waiting"}


class ClientPractice:
    """The practice; its queue lies in `folder`."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._thread = folder, ThreadPoolExecutor(1)
        self._clients: dict[str, FeeNoteClient] = {}
        self._orders: dict[str, dict[str, Any]] = {}
        self._cancelled: set[str] = set()
        self._tasks = {asyncio.create_task(self._turn())}

    async def act(self, request: Request) -> Response:
        """Take an order."""
        order = await request.json()
        if order["action"] == "send-note":
            uuid = str(uuid4())
            self._orders[uuid] = order
            note = fee_note(UUID(uuid), order["note"])
            self._start(self._work(self._client(order).send, write_note(note), way=Way(order["way"])))
            return JSONResponse({"uuid": uuid}, 202)
        sent = self._orders[order["uuid"]]
        if order["action"] == "confirm":
            given = Confirmations(
                doctor=order["doctor"], patient=order["patient"], personal_share=order["personal_share"]
            )
            if given == Confirmations():
                self._start(self._work(self._client(sent).confirm, order["uuid"], given))
        else:
            self._start(self._cancel(sent, order))
        return JSONResponse({}, 202)

    async def show(self, request: Request) -> Response:
        """Show a note."""
        uuid = request.path_params["uuid"]
        try:
            entry: Entry = self._client(self._orders[uuid]).queue.find(uuid)
        except QueueError:  # the library has not begun with it
            return JSONResponse({"uuid": uuid, "state": "waiting", "shares": {}, "payment": "", "cause": ""})
        shares = {}
        if entry.statutory:
            total = Decimal(entry.statutory) + Decimal(entry.personal)
            shares = {"statutory": entry.statutory, "personal": entry.personal, "total": f"{total:.2f}"}
        state = "cancelled" if uuid in self._cancelled else STATES.get(entry.state, entry.state.value)
        shown = {"uuid": uuid, "state": state, "shares": shares, "payment": entry.payment_id, "cause": entry.cause}
        return JSONResponse(shown)

    async def clock(self, request: Request) -> Response:
        """Show the time of the machine."""
        return JSONResponse({"now": now().isoformat()})

    async def close(self) -> None:
        """Stop all work."""
        for task in self._tasks:
            task.cancel()

    def _client(self, order: dict[str, Any]) -> FeeNoteClient:
        key = f"{order['sandbox']} {order['token']}"
        if key not in self._clients:
            api = PlatformApi(
                order["sandbox"],
                order["token"],
                order["note"]["biller"]["ehealth_id"],
                httpx.Client(timeout=5, trust_env=False),
            )
            self._clients[key] = FeeNoteClient(api, NoteQueue(self._folder / f"{len(self._clients)}.queue"))
        return self._clients[key]

    async def _turn(self) -> None:
        while True:
            await asyncio.sleep(TURN_SECONDS)
            for client in list(self._clients.values()):
                await self._work(client.catch_up)

    async def _cancel(self, sent: dict[str, Any], order: dict[str, Any]) -> None:
        biller, matricule = sent["note"]["biller"], sent["note"]["patient"]["matricule"]
        address = f"/ra/v1/practitioner/{biller['ehealth_id']}/person/{matricule}/document/{order['uuid']}"
        content = pack(fee_note(uuid4(), order["note"])) if "note" in order else b""
        headers = {
            "Authorization": f"Bearer {sent['token']}",
            "X-Cancel-Reason": order["reason"],
            "Content-Type": "application/zip",
        }
        async with httpx.AsyncClient(timeout=5, trust_env=False) as http:
            await http.patch(sent["sandbox"] + address, content=content, headers=headers)
        self._cancelled.add(order["uuid"])

    async def _work(self, call: Callable[..., object], *args: object, **options: object) -> None:
        """Call the library in its thread: one call at a time, so that a note is not sent twice at once."""
        await asyncio.get_running_loop().run_in_executor(self._thread, partial(call, *args, **options))

    def _start(self, work: Any) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def fee_note(note_id: UUID, ordered: dict[str, Any]) -> FeeNote:
    """Return the note that an order of the kit describes."""
    lines = tuple(
        NoteLine(
            number=number,
            id=uuid4(),
            act=Act(code=line["code"]),
            period=Period(start=date.fromisoformat(line["on"])),
            quantity=line["quantity"],
            gross=Decimal(line["amount"]),
            place=line["place"],
        )
        for number, line in enumerate(ordered["lines"], 1)
    )
    total = sum((line.gross for line in lines), Decimal(0))
    biller, patient = ordered["biller"], ordered["patient"]
    return FeeNote(
        id=note_id,
        issued_on=date.fromisoformat(ordered["issued_on"]),
        biller=Biller(
            provider_code=biller["provider_code"],
            family=biller["family"],
            given=biller["given"],
            address=PostalAddress(**biller["address"]),
        ),
        patient=Patient(matricule=patient["matricule"], family=patient["family"], given=patient["given"]),
        insured=Insured(family=patient["family"], given=patient["given"], address=PostalAddress(**patient["address"])),
        lines=lines,
        settlement=Settlement(subtotal=total, due=total),
    )


@asynccontextmanager
async def serve_client_practice(folder: Path) -> AsyncIterator[str]:
    """Serve the practice on a free port of this machine; yield the address of its driver interface."""
    async with serve_driver(ClientPractice(folder)) as address:
        yield address

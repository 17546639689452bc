"""Clients that deposit documents and log what was acknowledged, to be compared with what the server stored."""

import asyncio
import base64
import hashlib
import itertools
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import httpx

from tests.support.small_world import SmallWorld
from tests.support.submissions import build_document_reference


@dataclass
class DepositLog:
    """Deposits of clients: `acknowledged` by SHA-1 of the bytes, `unacknowledged` by client, counts of `statuses`."""

    acknowledged: dict[bytes, str] = field(default_factory=dict)
    unacknowledged: dict[int, list[bytes]] = field(default_factory=dict)
    statuses: Counter[int] = field(default_factory=Counter)
    unexpected: list[str] = field(default_factory=list)
    """Responses that neither accept a deposit nor ask to retry it later."""
    numbers: itertools.count = field(default_factory=itertools.count)

    @property
    def unacknowledged_count(self) -> int:
        """The number of deposits that were sent and not acknowledged."""
        return sum(map(len, self.unacknowledged.values()))


@asynccontextmanager
async def deposit_under_load(
    base: str, world: SmallWorld, deposits: DepositLog, *, clients: int = 32
) -> AsyncIterator[None]:
    """Let `clients` deposit in the background, each for another person; a client that loses the server stops."""
    stop = asyncio.Event()
    headers = {**world.bearer("hospital"), "Content-Type": "application/fhir+json"}
    limits = httpx.Limits(max_connections=clients, max_keepalive_connections=clients)
    async with httpx.AsyncClient(base_url=base, headers=headers, timeout=60, limits=limits) as http:
        work = [asyncio.create_task(_client(number, stop, http, world, deposits)) for number in range(clients)]
        try:
            yield
        finally:
            stop.set()
            await asyncio.gather(*work)


async def wait_for_acknowledged(deposits: DepositLog, more: int) -> None:
    """Wait until `more` further deposits are acknowledged (90 s at most)."""
    target = len(deposits.acknowledged) + more
    async with asyncio.timeout(90):
        while len(deposits.acknowledged) < target:
            await asyncio.sleep(0.02)


async def resend_unacknowledged(base: str, world: SmallWorld, deposits: DepositLog) -> None:
    """Send every deposit again that was not acknowledged."""
    headers = {**world.bearer("hospital"), "Content-Type": "application/fhir+json"}
    async with httpx.AsyncClient(base_url=base, headers=headers, timeout=60) as http:
        for number in list(deposits.unacknowledged):
            for content in deposits.unacknowledged.pop(number):
                await _send(http, world, deposits, number, content)


async def fetch_document_hashes(base: str, world: SmallWorld, number: int) -> list[bytes]:
    """Return the SHA-1 of every current document in the record of a person, as the API lists them."""
    hashes = []
    url = f"{base}/fhir/DocumentReference?patient=Patient/{world.persons[number].id}&status=current&_count=200"
    async with httpx.AsyncClient(headers=world.bearer("hospital"), timeout=60) as http:
        while url:
            page = (await http.get(url)).raise_for_status().json()
            hashes += [
                base64.b64decode(entry["resource"]["content"][0]["attachment"]["hash"])
                for entry in page.get("entry", [])
                if entry["resource"]["resourceType"] == "DocumentReference"
            ]
            url = next((link["url"] for link in page["link"] if link["relation"] == "next"), "")
    return hashes


async def _client(
    number: int, stop: asyncio.Event, http: httpx.AsyncClient, world: SmallWorld, deposits: DepositLog
) -> None:
    pending = deposits.unacknowledged.setdefault(number, [])
    while not stop.is_set():
        content = pending.pop() if pending else b"Letter %d\n" % next(deposits.numbers) * 40
        try:
            await _send(http, world, deposits, number, content)
        except httpx.TransportError:
            pending.append(content)
            return


async def _send(http: httpx.AsyncClient, world: SmallWorld, deposits: DepositLog, number: int, content: bytes) -> None:
    subject = {"reference": f"Patient/{world.persons[number].id}"}
    response = await http.post("/fhir/DocumentReference", json=build_document_reference(subject, content))
    deposits.statuses[response.status_code] += 1
    if response.status_code in (200, 201):
        deposits.acknowledged[hashlib.sha1(content).digest()] = response.json()["id"]
        return
    deposits.unacknowledged.setdefault(number, []).append(content)
    if response.status_code == 503 and response.headers.get("retry-after", "").isdigit():
        await asyncio.sleep(0.2)
    else:
        deposits.unexpected.append(f"{response.status_code} {response.text[:300]}")

"""Depositing clients that keep a book of what was acknowledged, so that a test can hold the server to it."""

import asyncio
import base64
import hashlib
import itertools
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import httpx

from tests.e2e.papers import published
from tests.e2e.worlds import World


@dataclass
class Book:
    """What clients handed in: `acknowledged` by SHA-1 of the bytes, and `again` (by client) what must be sent again."""

    acknowledged: dict[bytes, str] = field(default_factory=dict)
    again: dict[int, list[bytes]] = field(default_factory=dict)
    answers: Counter[int] = field(default_factory=Counter)
    rude: list[str] = field(default_factory=list)
    """Answers that say neither yes nor "try again in a moment"."""
    numbers: itertools.count = field(default_factory=itertools.count)

    @property
    def waiting(self) -> int:
        """How many deposits were sent and never acknowledged."""
        return sum(map(len, self.again.values()))


@asynccontextmanager
async def load(base: str, world: World, book: Book, *, clients: int = 32) -> AsyncIterator[None]:
    """Let `clients` deposit meanwhile, each for a person of its own; one that loses the server stops."""
    stop = asyncio.Event()
    headers = {**world.bearer("hospital"), "Content-Type": "application/fhir+json"}
    limits = httpx.Limits(max_connections=clients, max_keepalive_connections=clients)
    async with httpx.AsyncClient(base_url=base, headers=headers, timeout=60, limits=limits) as http:
        work = [asyncio.create_task(_client(number, stop, http, world, book)) for number in range(clients)]
        try:
            yield
        finally:
            stop.set()
            await asyncio.gather(*work)


async def acknowledged(book: Book, more: int) -> None:
    """Wait until `more` deposits than now are acknowledged."""
    wanted = len(book.acknowledged) + more
    async with asyncio.timeout(90):
        while len(book.acknowledged) < wanted:
            await asyncio.sleep(0.02)


async def send_again(base: str, world: World, book: Book) -> None:
    """Hand in once more what was never acknowledged."""
    headers = {**world.bearer("hospital"), "Content-Type": "application/fhir+json"}
    async with httpx.AsyncClient(base_url=base, headers=headers, timeout=60) as http:
        for number in list(book.again):
            for content in book.again.pop(number):
                await _send(http, world, book, number, content)


async def kept(base: str, world: World, number: int) -> list[bytes]:
    """The SHA-1 of every current document in a person's record, as the API lists them."""
    found = []
    url = f"{base}/fhir/DocumentReference?patient=Patient/{world.persons[number].id}&status=current&_count=200"
    async with httpx.AsyncClient(headers=world.bearer("hospital"), timeout=60) as http:
        while url:
            page = (await http.get(url)).raise_for_status().json()
            found += [
                base64.b64decode(entry["resource"]["content"][0]["attachment"]["hash"])
                for entry in page.get("entry", [])
                if entry["resource"]["resourceType"] == "DocumentReference"
            ]
            url = next((link["url"] for link in page["link"] if link["relation"] == "next"), "")
    return found


async def _client(number: int, stop: asyncio.Event, http: httpx.AsyncClient, world: World, book: Book) -> None:
    again = book.again.setdefault(number, [])
    while not stop.is_set():
        content = again.pop() if again else b"Letter %d\n" % next(book.numbers) * 40
        try:
            await _send(http, world, book, number, content)
        except httpx.TransportError:
            again.append(content)
            return


async def _send(http: httpx.AsyncClient, world: World, book: Book, number: int, content: bytes) -> None:
    subject = {"reference": f"Patient/{world.persons[number].id}"}
    answer = await http.post("/fhir/DocumentReference", json=published(subject, content))
    book.answers[answer.status_code] += 1
    if answer.status_code in (200, 201):
        book.acknowledged[hashlib.sha1(content).digest()] = answer.json()["id"]
        return
    book.again.setdefault(number, []).append(content)
    if answer.status_code == 503 and answer.headers.get("retry-after", "").isdigit():
        await asyncio.sleep(0.2)
    else:
        book.rude.append(f"{answer.status_code} {answer.text[:300]}")

"""Large bodies are worked on one after the other; small ones, and the entries of a large one, wait for nothing."""

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from esante.core.web import HANDLERS, LargeBodyQueue
from esante.core.web.body_queue import LARGE

LIMIT = 4 * LARGE


@dataclass
class Works:
    """An application that works on a body until it is told that it may go on."""

    large: LargeBodyQueue
    may_end: asyncio.Event = field(default_factory=asyncio.Event)
    begun: asyncio.Queue[str] = field(default_factory=asyncio.Queue)
    at_work: int = 0
    most: int = 0

    async def answer(self, request: Request) -> Response:
        async with self.large.body(request, LIMIT) as body:
            self.at_work += 1
            self.most = max(self.most, self.at_work)
            self.begun.put_nowait(request.path_params["name"])
            if request.path_params["name"] == "batch":
                async with self.large.body(Request(request.scope, _once(body)), LIMIT) as entry:
                    assert entry == body
            if len(body) > LARGE:
                await self.may_end.wait()
            self.at_work -= 1
            return PlainTextResponse(f"{len(body)} {body[:1]!r}")


def _once(body: bytes):
    async def receive():
        return {"type": "http.request", "body": body, "more_body": False}

    return receive


@asynccontextmanager
async def working(wait: float = 60):
    works = Works(LargeBodyQueue(wait))
    app = Starlette(routes=[Route("/fhir/{name}", works.answer, methods=["POST"])], exception_handlers=HANDLERS)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://x.test") as client:
        yield works, client


async def in_pieces(size: int, broken: asyncio.Event | None = None):
    for _ in range(size // 65_536):
        yield b"a" * 65_536
    if broken:
        await broken.wait()
    yield b"a"


async def test_one_large_body_at_a_time():
    async with asyncio.timeout(60), working() as (works, client), asyncio.TaskGroup() as group:
        posts = [group.create_task(client.post(f"/fhir/{name}", content=b"a" * LIMIT)) for name in "abc"]
        await works.begun.get()
        small = await client.post("/fhir/small", content=b"a" * LARGE)
        assert small.text == f"{LARGE} b'a'"
        assert await works.begun.get() == "small"
        works.may_end.set()
        assert [(await post).text for post in posts] == [f"{LIMIT} b'a'"] * 3
        assert works.most == 2  # a large one and the small one


async def test_who_sends_slowly_keeps_nobody_waiting():
    async with asyncio.timeout(60), working() as (works, client), asyncio.TaskGroup() as group:
        works.may_end.set()
        end = asyncio.Event()
        slow = group.create_task(client.post("/fhir/slow", content=in_pieces(2 * LARGE, end)))
        assert (await client.post("/fhir/a", content=b"a" * LIMIT)).status_code == 200
        end.set()
        assert (await slow).text == f"{2 * LARGE + 1} b'a'"


async def test_who_waits_too_long_is_told_when_to_come_again():
    async with asyncio.timeout(60), working(wait=0.01) as (works, client), asyncio.TaskGroup() as group:
        first = group.create_task(client.post("/fhir/a", content=b"a" * LIMIT))
        await works.begun.get()
        second = await client.post("/fhir/b", content=b"a" * LIMIT)
        assert (second.status_code, second.headers["retry-after"]) == (503, "30")
        assert second.json()["issue"][0]["code"] == "throttled"
        works.may_end.set()
        assert (await first).status_code == 200
        assert (await client.post("/fhir/b", content=b"a" * LIMIT)).status_code == 200


async def test_an_entry_has_the_turn_of_its_batch():
    async with asyncio.timeout(60), working() as (works, client):
        works.may_end.set()
        assert (await client.post("/fhir/batch", content=b"a" * LIMIT)).status_code == 200


@pytest.mark.parametrize("content", [b"a" * (LIMIT + 1), in_pieces(LIMIT)], ids=["declared", "in pieces"])
async def test_what_is_too_large_is_refused_and_takes_no_turn(content):
    async with working() as (works, client):
        assert (await client.post("/fhir/a", content=content)).status_code == 413
        assert works.begun.empty()


async def test_a_turn_ends_with_a_fault():
    large = LargeBodyQueue()
    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            async with (
                asyncio.timeout(10),
                large.body(Request({"type": "http", "headers": []}, _once(b"a" * LIMIT)), LIMIT),
            ):
                raise ZeroDivisionError


async def test_a_full_disk_is_told_as_such(monkeypatch):
    def full(self, data):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("tempfile.SpooledTemporaryFile.write", full)
    async with working() as (works, client):
        answer = await client.post("/fhir/a", content=b"a" * LIMIT)
        assert answer.status_code == 503
        assert answer.json()["issue"][0]["code"] == "transient"
        assert works.begun.empty()

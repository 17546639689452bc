"""Large bodies are worked on one after the other; small ones, and the entries of a large one, do not wait."""

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from esante.core.web import HANDLERS, LargeBodyQueue, outside_turn
from esante.core.web.limits.body_queue import CLIENT_IN_WORK, LARGE

LIMIT = 4 * LARGE


@dataclass
class Application:
    """An application that works on a large body until the test lets it end; the name's first letter is the client.

    Of names that end in "outside" the turn ends meanwhile.
    """

    large: LargeBodyQueue
    may_finish: asyncio.Event = field(default_factory=asyncio.Event)
    started: asyncio.Queue[str] = field(default_factory=asyncio.Queue)
    active: int = 0
    most_active: int = 0

    async def answer(self, request: Request) -> Response:
        client = request.path_params["name"][0]
        async with self.large.body(request, LIMIT, client) as body:
            self.active += 1
            self.most_active = max(self.most_active, self.active)
            self.started.put_nowait(request.path_params["name"])
            if request.path_params["name"] == "batch":
                async with self.large.body(Request(request.scope, receive_once(body)), LIMIT, client) as entry:
                    assert entry == body
            if request.path_params["name"].endswith("outside"):
                async with outside_turn():
                    await self.may_finish.wait()
            elif len(body) > LARGE:
                await self.may_finish.wait()
            self.active -= 1
            return PlainTextResponse(f"{len(body)} {body[:1]!r}")


def receive_once(body: bytes):
    async def receive():
        return {"type": "http.request", "body": body, "more_body": False}

    return receive


@asynccontextmanager
async def running_application(wait: float = 60, **bounds: int):
    application = Application(LargeBodyQueue(wait, **bounds))
    app = Starlette(routes=[Route("/fhir/{name}", application.answer, methods=["POST"])], exception_handlers=HANDLERS)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://x.test") as client:
        yield application, client


async def chunks(size: int, pause: asyncio.Event | None = None):
    for _ in range(size // 65_536):
        yield b"a" * 65_536
    if pause:
        await pause.wait()
    yield b"a"


async def test_large_bodies_are_worked_on_one_at_a_time():
    async with asyncio.timeout(60), running_application() as (application, client), asyncio.TaskGroup() as group:
        posts = [group.create_task(client.post(f"/fhir/{name}", content=b"a" * LIMIT)) for name in "abc"]
        await application.started.get()
        small = await client.post("/fhir/small", content=b"a" * LARGE)
        assert small.text == f"{LARGE} b'a'"
        assert await application.started.get() == "small"
        application.may_finish.set()
        assert [(await post).text for post in posts] == [f"{LIMIT} b'a'"] * 3
        assert application.most_active == 2  # a large one and the small one


async def test_body_outside_its_turn_does_not_hold_up_other_clients():
    async with asyncio.timeout(60), running_application() as (application, client), asyncio.TaskGroup() as group:
        slow = [
            group.create_task(client.post(f"/fhir/a{number}-outside", content=b"a" * LIMIT))
            for number in range(CLIENT_IN_WORK + 2)
        ]
        begun = {await application.started.get() for _ in range(CLIENT_IN_WORK)}
        quick = group.create_task(client.post("/fhir/b", content=b"a" * LIMIT))
        assert await application.started.get() == "b"  # and no further one of the first client
        assert len(begun) == CLIENT_IN_WORK
        application.may_finish.set()
        assert (await quick).status_code == 200
        assert [(await post).status_code for post in slow] == [200] * len(slow)


async def test_work_after_the_pause_has_a_turn_again():
    large, order = LargeBodyQueue(), []

    async def work(name: str, other: asyncio.Event, own: asyncio.Event) -> None:
        async with large.turn(LIMIT, name):
            async with outside_turn():
                own.set()
                await other.wait()
            order.append(f"{name} begins")
            await asyncio.sleep(0)
            order.append(f"{name} ends")

    one, two = asyncio.Event(), asyncio.Event()
    async with asyncio.timeout(10):
        await asyncio.gather(work("a", one, two), work("b", two, one))
    assert order in (
        ["a begins", "a ends", "b begins", "b ends"],
        ["b begins", "b ends", "a begins", "a ends"],
    )


async def test_error_and_cancellation_outside_the_turn_end_it():
    large = LargeBodyQueue()
    for _ in range(3):
        with pytest.raises(ZeroDivisionError):
            async with large.turn(LIMIT, "a"), outside_turn():
                raise ZeroDivisionError
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.001), large.turn(LIMIT, "a"), outside_turn():
                await asyncio.Event().wait()
    async with asyncio.timeout(10), large.turn(LIMIT, "a"):
        pass


@pytest.mark.parametrize(
    ("bounds", "refusal"),
    [({"client_uploaded": 3 * LARGE}, 429), ({"uploaded": 3 * LARGE}, 503)],
    ids=["of a client", "in total"],
)
async def test_open_uploads_over_the_bound_are_refused(bounds, refusal):
    async with (
        asyncio.timeout(60),
        running_application(**bounds) as (application, client),
        asyncio.TaskGroup() as group,
    ):
        end = asyncio.Event()
        slow = group.create_task(client.post("/fhir/a-slow", content=chunks(2 * LARGE, end)))
        while not application.large._uploaded["a"] >= 2 * LARGE:
            await asyncio.sleep(0)
        refused = await client.post("/fhir/a", content=b"a" * (2 * LARGE))
        assert (refused.status_code, refused.headers["retry-after"]) == (refusal, "30")
        other = group.create_task(client.post("/fhir/b", content=b"a" * (2 * LARGE)))
        application.may_finish.set()
        assert (await other).status_code == (200 if refusal == 429 else 503)
        end.set()
        assert (await slow).status_code == 200
        assert (await client.post("/fhir/a", content=b"a" * (2 * LARGE))).status_code == 200
        assert not application.large._uploaded


async def test_slow_sender_does_not_hold_up_others():
    async with asyncio.timeout(60), running_application() as (application, client), asyncio.TaskGroup() as group:
        application.may_finish.set()
        end = asyncio.Event()
        slow = group.create_task(client.post("/fhir/slow", content=chunks(2 * LARGE, end)))
        assert (await client.post("/fhir/a", content=b"a" * LIMIT)).status_code == 200
        end.set()
        assert (await slow).text == f"{2 * LARGE + 1} b'a'"


async def test_body_that_waits_too_long_gets_503_with_retry_after():
    async with (
        asyncio.timeout(60),
        running_application(wait=0.01) as (application, client),
        asyncio.TaskGroup() as group,
    ):
        first = group.create_task(client.post("/fhir/a", content=b"a" * LIMIT))
        await application.started.get()
        second = await client.post("/fhir/b", content=b"a" * LIMIT)
        assert (second.status_code, second.headers["retry-after"]) == (503, "30")
        assert second.json()["issue"][0]["code"] == "throttled"
        application.may_finish.set()
        assert (await first).status_code == 200
        assert (await client.post("/fhir/b", content=b"a" * LIMIT)).status_code == 200


async def test_entry_of_a_batch_does_not_wait_for_a_turn():
    async with asyncio.timeout(60), running_application() as (application, client):
        application.may_finish.set()
        assert (await client.post("/fhir/batch", content=b"a" * LIMIT)).status_code == 200


@pytest.mark.parametrize("content", [b"a" * (LIMIT + 1), chunks(LIMIT)], ids=["declared", "chunked"])
async def test_body_over_the_limit_is_refused_without_a_turn(content):
    async with running_application() as (application, client):
        assert (await client.post("/fhir/a", content=content)).status_code == 413
        assert application.started.empty()


async def test_exception_ends_the_turn():
    large = LargeBodyQueue()
    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            async with (
                asyncio.timeout(10),
                large.body(Request({"type": "http", "headers": []}, receive_once(b"a" * LIMIT)), LIMIT, "a"),
            ):
                raise ZeroDivisionError


async def test_full_disk_is_transient_503(monkeypatch):
    def full(self, data):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("tempfile.SpooledTemporaryFile.write", full)
    async with running_application() as (application, client):
        answer = await client.post("/fhir/a", content=b"a" * LIMIT)
        assert answer.status_code == 503
        assert answer.json()["issue"][0]["code"] == "transient"
        assert application.started.empty()

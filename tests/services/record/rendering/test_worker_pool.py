"""The pool of worker processes: what crashes or stalls one affects no other document."""

import asyncio
import os
import signal

import pytest

from esante.core.storage import Overloaded
from esante.core.web import FairSlots, LargeBodyQueue
from esante.core.web.limits.body_queue import LARGE
from esante.services.record.rendering import worker_pool
from esante.services.record.rendering.preview import Unreadable
from esante.services.record.rendering.worker_pool import WorkerFailure
from tests.support.record import pdf, worker_pids

INSPECT = {"task": "inspect", "kind": "pdf"}


async def kill_workers_during(workers, act):
    """Start an act, kill every worker as soon as one is started, and return the result of the act."""
    task = asyncio.ensure_future(act)
    while not (pids := worker_pids(workers)):
        await asyncio.sleep(0)
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    return await task


async def test_killed_worker_is_replaced_and_task_repeated(workers, preview):
    _, (page,) = await kill_workers_during(workers, preview("pdf_pages", pdf("Words")))
    assert page.text == "Words"


async def test_document_that_kills_workers_is_quarantined(workers, preview, monkeypatch):
    started = []
    ensure_started = worker_pool._Worker._ensure_started

    async def start_and_kill(worker):
        process = await ensure_started(worker)
        started.append(process.pid)
        process.kill()
        return process

    monkeypatch.setattr(worker_pool._Worker, "_ensure_started", start_and_kill)
    content = pdf()
    with pytest.raises(Unreadable):
        await preview("pdf_pages", content)
    assert len(started) == 2
    with pytest.raises(Unreadable):
        await preview("page_image", content, 1)
    assert len(started) == 2
    monkeypatch.undo()
    assert (await preview("pdf_pages", pdf()))[0] == 1
    monkeypatch.setattr(worker_pool, "QUARANTINE", 0.0)
    assert (await preview("pdf_pages", content))[0] == 1


async def test_stalled_worker_is_killed_and_others_continue(workers, preview, monkeypatch):
    """A stopped process does not answer, like one in an endless loop."""
    await preview("pdf_pages", pdf())
    (stalled,) = worker_pids(workers)
    os.kill(stalled, signal.SIGSTOP)
    monkeypatch.setattr(worker_pool, "TIMEOUT", 1.0)
    stalled_task = asyncio.ensure_future(workers.run(INSPECT, pdf(), b"stalls"))
    await asyncio.sleep(0)
    monkeypatch.setattr(worker_pool, "TIMEOUT", 30.0)
    assert (await preview("pdf_pages", pdf()))[0] == 1
    with pytest.raises(WorkerFailure):
        await stalled_task
    assert stalled not in worker_pids(workers)
    assert (await workers.run(INSPECT, pdf()))[0]["result"]["meta"]["pages"] == 1


async def test_cancelled_caller_frees_its_worker(workers):
    for _ in range(4):
        task = asyncio.ensure_future(workers.run(INSPECT, pdf()))
        await asyncio.sleep(0.01)
        task.cancel()
    assert (await workers.run(INSPECT, pdf()))[0]["result"]["meta"]["pages"] == 1


async def test_client_whose_documents_take_long_leaves_a_worker_to_others(workers, monkeypatch):
    """Stopped processes do not answer, like those with a document that takes long."""
    exchange, begun = worker_pool._exchange, []

    async def take_long(process, request, data):
        if data == b"long":
            begun.append(process.pid)
            await asyncio.Event().wait()
        return await exchange(process, request, data)

    monkeypatch.setattr(worker_pool, "_exchange", take_long)
    long = [asyncio.ensure_future(workers.run(INSPECT, b"long", client="one")) for _ in range(4)]
    while len(begun) < worker_pool.WORKERS_OF_CLIENT:
        await asyncio.sleep(0.01)
    answer, _ = await asyncio.wait_for(workers.run(INSPECT, pdf(), client="other"), 60)
    assert answer["result"]["meta"]["pages"] == 1
    assert len(begun) == worker_pool.WORKERS_OF_CLIENT
    for task in long:
        task.cancel()
    await asyncio.gather(*long, return_exceptions=True)


async def test_documents_over_the_bound_of_a_client_are_refused(workers, monkeypatch):
    monkeypatch.setattr(workers, "_slots", FairSlots(1, 1, waiting=2, waiting_per_client=1))
    monkeypatch.setattr(worker_pool, "_exchange", lambda *_: asyncio.Event().wait())
    waiting = [asyncio.ensure_future(workers.run(INSPECT, b"", client="one")) for _ in range(2)]
    await asyncio.sleep(0)
    with pytest.raises(Overloaded):
        await workers.run(INSPECT, b"", client="one")
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)


async def test_document_in_a_worker_gives_its_turn_to_others(workers, monkeypatch):
    bodies, in_worker = LargeBodyQueue(), asyncio.Event()

    async def take_long(*_):
        in_worker.set()
        await asyncio.Event().wait()

    async def deposit() -> None:
        async with bodies.turn(LARGE + 1, "one"):
            await workers.run(INSPECT, b"long", client="one")

    monkeypatch.setattr(worker_pool, "_exchange", take_long)
    first = asyncio.ensure_future(deposit())
    async with asyncio.timeout(60):
        await in_worker.wait()
        async with bodies.turn(LARGE + 1, "other"):
            assert not first.done()  # it is still in the worker
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)

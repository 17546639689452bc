"""The pool of worker processes: what crashes or stalls one affects no other document."""

import asyncio
import os
import signal

import pytest

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
    assert (await workers.run(INSPECT, pdf()))[0]["result"]["meta"] == {"pages": 1}


async def test_cancelled_caller_frees_its_worker(workers):
    for _ in range(4):
        task = asyncio.ensure_future(workers.run(INSPECT, pdf()))
        await asyncio.sleep(0.01)
        task.cancel()
    assert (await workers.run(INSPECT, pdf()))[0]["result"]["meta"] == {"pages": 1}

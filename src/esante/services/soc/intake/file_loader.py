"""Files of events of a member, loaded by an operator: EVTX, JSON, ZIP files of them, logs of text lines."""

import asyncio
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from esante.core import clock
from esante.core.types import Progress
from esante.services.soc.intake.event_uploads import messages_of
from esante.services.soc.intake.model import Delivery, Message, size_of
from esante.services.soc.intake.pipeline import Pipeline
from esante.services.soc.scan.bounds import EventFault
from esante.services.soc.scan.event_files import EventFiles, files_of
from esante.services.soc.sources.model import Source

PART_MESSAGES, PART_BYTES = 500, 2 << 20
"""Messages and bytes of a delivery."""
AHEAD = 4
"""Deliveries that may wait to be stored."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """How many events were stored, how many of them could not be read, what of the files, and how many more faults."""

    events: int
    unreadable: int
    faults: Sequence[EventFault]
    unlisted: int


async def load_files(
    pipeline: Pipeline, source: Source, paths: list[Path], progress: Progress = lambda done, total, step: None
) -> Loaded:
    """Store the events of files and folders as those of a source; the pipeline must be one for archived events."""
    reader, space = EventFiles(), asyncio.Semaphore(AHEAD)
    deliveries: list[Delivery] = []
    loop = asyncio.get_running_loop()
    stopped = threading.Event()

    async def deliver(messages: list[Message]) -> None:
        await space.acquire()
        delivery = Delivery(source.tenant_id, source.source_id, 1, messages, clock.now())
        delivery.done.add_done_callback(lambda _: space.release())
        pipeline.deliver(delivery)
        deliveries.append(delivery)

    def read() -> None:
        for part in _parts(reader, paths, progress):
            if stopped.is_set():
                return
            asyncio.run_coroutine_threadsafe(deliver(part), loop).result()

    try:
        await asyncio.to_thread(read)
    finally:
        stopped.set()
    await asyncio.gather(*(one.done for one in deliveries))
    events, unreadable = sum(one.stored for one in deliveries), sum(one.faults for one in deliveries)
    return Loaded(events, unreadable, reader.faults, reader.unlisted)


def _parts(reader: EventFiles, paths: list[Path], progress: Progress) -> Iterator[list[Message]]:
    """Yield the messages of all files, some hundred at a time."""
    files = files_of(paths)
    sizes = [file.stat().st_size if file.is_file() else 0 for file in files]
    total, done = sum(sizes), 0
    part: list[Message] = []
    size = 0
    for file, file_size in zip(files, sizes, strict=True):
        position = 0

        def move(reached: int) -> None:
            nonlocal position
            position = reached

        for message in messages_of(reader, file, move):
            part.append(message)
            size += size_of(message)
            if len(part) >= PART_MESSAGES or size >= PART_BYTES:
                yield part
                part, size = [], 0
                progress(done + min(position, file_size), total, "")
        done += file_size
        progress(done, total, "")
    if part:
        yield part

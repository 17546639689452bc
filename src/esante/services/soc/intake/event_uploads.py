"""Files of events that are uploaded, or loaded by an operator: each event as a message."""

import asyncio
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import orjson

from esante.core.web import N_, Problem
from esante.services.soc.intake.bodies import MAX_EVENTS, too_many
from esante.services.soc.intake.model import Broken, Message
from esante.services.soc.scan.bounds import EventFault
from esante.services.soc.scan.event_files import EventFiles

_MARKS = (b"ElfFile\0", b"PK\x03\x04", b"PK\x05\x06")


def is_file(body: bytes) -> bool:
    """Return whether a body is an EVTX or a ZIP file."""
    return body.startswith(_MARKS)


async def read_upload(body: bytes) -> list[Message]:
    """Return the events of a file that was uploaded. Raises: Problem 413 for too many, 400 for a file without any."""
    return await asyncio.to_thread(_read_upload, body)


def _read_upload(body: bytes) -> list[Message]:
    with tempfile.NamedTemporaryFile(prefix="esante-events-") as file:
        file.write(body)
        file.flush()
        found: list[Message] = []
        for message in messages_of(EventFiles(), Path(file.name)):
            found.append(message)
            if len(found) > MAX_EVENTS:
                raise too_many()
    if not any(isinstance(one, bytes) for one in found):
        detail = "; ".join(one.reason for one in found[:3] if isinstance(one, Broken))
        raise Problem(
            400, "structure", N_("No event could be read of this file."), detail=detail, remedy=N_("Check the file.")
        )
    return found


def messages_of(
    reader: EventFiles, path: Path, moved: Callable[[int], None] = lambda position: None
) -> Iterator[Message]:
    """Yield the events of a file, and what could not be read of it as `Broken`."""
    known = len(reader.faults)
    for event in reader.read(path, moved):
        yield from map(_broken, reader.faults[known:])
        known = len(reader.faults)
        yield _message(event)
    yield from map(_broken, reader.faults[known:])


def _message(event: dict[str, Any]) -> Message:
    """Return an event as a message: the line, where it was one of a log."""
    if event.keys() == {"message"} and isinstance(event["message"], str):
        return event["message"].encode("utf-8", "replace")
    try:
        return orjson.dumps(event)
    except orjson.JSONEncodeError:
        return Broken(b"", "the event is nested too deep; send it flat")


def _broken(fault: EventFault) -> Broken:
    place = f"{Path(fault.file).name.partition('!')[2] or 'the file'} {fault.place}".strip()
    return Broken(place.encode(), f"{place}: {fault.reason}; {fault.remedy}")

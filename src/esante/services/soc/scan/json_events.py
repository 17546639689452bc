"""Events in JSON: a line each, an array, an object that wraps an array, or one after another; and lines of text."""

import io
import json
import re
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO

import orjson

from esante.services.soc.scan.bounds import MAX_DOCUMENT, MAX_LINE, Unreadable

Event = dict[str, Any]
Report = Callable[[str, str, str], None]
"""Called with place, reason and remedy of an event that cannot be read."""
_WRAPPERS = ("Records", "records", "value", "events", "Events")
"""Names under which clouds export an array of events."""
_BLANK = re.compile(r"[\s,]*")
_UTF_16 = (b"\xff\xfe", b"\xfe\xff")


def read_text(file: io.BufferedReader, report: Report) -> Iterator[Event]:
    """Yield the events of a file of JSON, or of a log of one text line an event (field `message`).

    Raises: `Unreadable` for what is neither.
    """
    head = file.peek()
    if head[:2] in _UTF_16:
        yield from _document(_whole(file).decode("utf-16", "replace").encode(), report)
        return
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    if start[:1] not in (b"{", b"["):
        yield from _plain_lines(file, start)
        return
    first = file.readline(MAX_LINE + 1)
    try:
        value = orjson.loads(first.removeprefix(b"\xef\xbb\xbf"))
    except orjson.JSONDecodeError:
        if _looks_like_lines(first, head):
            yield from _lines(first, file, report)
        else:
            yield from _document(first + _whole(file), report)
        return
    yield from _events(value, "line 1", report)
    yield from _lines(b"", file, report)


def _looks_like_lines(first: bytes, head: bytes) -> bool:
    """Whether a first line that is broken is followed by lines that are whole."""
    second = head.removeprefix(first).split(b"\n", 1)[0].strip()
    try:
        return isinstance(orjson.loads(second), dict)
    except orjson.JSONDecodeError:
        return False


def _lines(first: bytes, file: BinaryIO, report: Report) -> Iterator[Event]:
    number, line = (0, first) if first else (1, file.readline(MAX_LINE + 1))
    while line:
        number += 1
        place = f"line {number}"
        if len(line) > MAX_LINE:
            report(place, f"is longer than {MAX_LINE >> 20} MiB", "divide it")
            while line and not line.endswith(b"\n"):
                line = file.readline(MAX_LINE)
        elif content := line.strip():
            try:
                value = orjson.loads(content)
            except orjson.JSONDecodeError as error:
                report(place, f"is not valid JSON ({error.msg})", "mend or remove the line")
            else:
                yield from _events(value, place, report)
        line = file.readline(MAX_LINE + 1)


def _whole(file: BinaryIO) -> bytes:
    data = file.read(MAX_DOCUMENT + 1)
    if len(data) > MAX_DOCUMENT:
        raise Unreadable(f"is one JSON document of more than {MAX_DOCUMENT >> 20} MiB", "write one event a line")
    return data


def _document(data: bytes, report: Report) -> Iterator[Event]:
    """Yield the events of one JSON document, or of several one after another."""
    try:
        value = orjson.loads(data.removeprefix(b"\xef\xbb\xbf"))
    except orjson.JSONDecodeError:
        yield from _concatenated(data, report)
    else:
        yield from _events(value, "the document", report)


def _concatenated(data: bytes, report: Report) -> Iterator[Event]:
    text = data.decode("utf-8-sig", "replace")
    decoder, at, number = json.JSONDecoder(), 0, 0
    while (at := _skip(text, at)) < len(text):
        number += 1
        try:
            value, at = decoder.raw_decode(text, at)
        except (ValueError, RecursionError) as error:
            line = text.count("\n", 0, getattr(error, "pos", at)) + 1
            reason = getattr(error, "msg", "nested too deep")
            raise Unreadable(f"is not valid JSON ({reason})", "mend the file", f"line {line}") from error
        yield from _events(value, f"document {number}", report)


def _skip(text: str, at: int) -> int:
    found = _BLANK.match(text, at)
    return found.end() if found else at


def _events(value: Any, place: str, report: Report) -> Iterator[Event]:
    if isinstance(value, dict):
        for name in _WRAPPERS:
            wrapped = value.get(name)
            if isinstance(wrapped, list) and wrapped and all(isinstance(one, dict) for one in wrapped):
                yield from wrapped
                return
        yield value
    elif isinstance(value, list):
        for number, one in enumerate(value, 1):
            yield from _events(one, f"{place}, item {number}", report) if isinstance(one, dict) else ()
            if not isinstance(one, dict):
                report(f"{place}, item {number}", "is no JSON object", "write an event as an object")
    else:
        report(place, "is no JSON object", "write an event as an object")


def _plain_lines(file: BinaryIO, start: bytes) -> Iterator[Event]:
    if b"\0" in start:
        raise Unreadable("has an unknown format", "give JSON, EVTX, a log of text lines, or a ZIP file of them")
    if re.match(rb"<[?A-Za-z!]", start):
        raise Unreadable("is XML, which is not read", "export the events as EVTX or JSON")
    while line := file.readline(MAX_LINE):
        if text := line.decode("utf-8", "replace").strip():
            yield {"message": text}

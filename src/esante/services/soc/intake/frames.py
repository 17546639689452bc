"""Frames of syslog over a stream: octet counting (RFC 5425, 4.3; RFC 6587, 3.4.1), or ended by a line feed (3.4.2).

Each frame says by its beginning which of the two it is, since senders mix them. Whatever comes ends up in a message or
in a `Broken`: a wrong length garbles what it covers and no more.
"""

import re

from esante.services.soc.intake.model import KEPT_OF_BROKEN, MAX_MESSAGE, Broken, Message

_COUNT = re.compile(rb"([1-9]\d{0,9}) ")
_MAYBE_COUNT = re.compile(rb"[1-9]\d{0,9}")
_BLANK = b"\r\n\0"


class FrameReader:
    """Takes the bytes of a connection apart; keeps no more than one message that is not complete."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._skip = 0
        """Bytes that still belong to a message that is too long; -1: up to the next line feed."""

    @property
    def pending(self) -> int:
        """Bytes of a message that is not complete."""
        return len(self._buffer)

    def feed(self, data: bytes) -> list[Message]:
        """Return the messages that are complete now."""
        self._buffer += data
        messages: list[Message] = []
        start, end = 0, len(self._buffer)
        while start < end:
            after = self._next(start, end, messages)
            if after is None:
                break
            start = after
        del self._buffer[:start]
        return messages

    def finish(self) -> list[Message]:
        """Return what is left at the end of the connection: the last line needs no line feed."""
        rest, self._buffer = bytes(self._buffer).strip(_BLANK), bytearray()
        if not rest or self._skip:
            return []
        if counted := _COUNT.match(rest):
            missing = int(counted[1]) - len(rest) + counted.end()
            return [
                Broken(rest[counted.end() :][:KEPT_OF_BROKEN], f"the connection ended {missing:,} bytes too early")
            ]
        return [rest]

    def _next(self, start: int, end: int, messages: list[Message]) -> int | None:
        """Take one frame from a place in the buffer; return where the next begins, None when it is not complete."""
        if self._skip:
            return self._skipped(start, end)
        if self._buffer[start] in _BLANK:
            return start + 1
        if counted := _COUNT.match(self._buffer, start):
            return self._counted(counted, end, messages)
        maybe = _MAYBE_COUNT.match(self._buffer, start)
        if maybe and maybe.end() == end and end - start <= 10:
            return None
        return self._line(start, end, messages)

    def _counted(self, counted: re.Match[bytes], end: int, messages: list[Message]) -> int | None:
        length, start = int(counted[1]), counted.end()
        if length <= MAX_MESSAGE:
            if start + length > end:
                return None
            messages.append(bytes(self._buffer[start : start + length]))
            return start + length
        if end - start < min(length, KEPT_OF_BROKEN):
            return None
        messages.append(self._too_long(start, f"it is announced with {length:,} bytes"))
        self._skip = length
        return start

    def _line(self, start: int, end: int, messages: list[Message]) -> int | None:
        found = self._buffer.find(b"\n", start, start + MAX_MESSAGE)
        if found >= 0:
            if line := bytes(self._buffer[start:found]).strip(_BLANK):
                messages.append(line)
            return found + 1
        if end - start < MAX_MESSAGE:
            return None
        messages.append(self._too_long(start, "it has no line feed"))
        self._skip = -1
        return start

    def _too_long(self, start: int, what: str) -> Broken:
        head = bytes(self._buffer[start : start + KEPT_OF_BROKEN])
        return Broken(head, f"the message is longer than {MAX_MESSAGE >> 10:,} KiB ({what}); send it in parts")

    def _skipped(self, start: int, end: int) -> int:
        if self._skip > 0:
            count = min(self._skip, end - start)
            self._skip -= count
            return start + count
        found = self._buffer.find(b"\n", start, end)
        if found < 0:
            return end
        self._skip = 0
        return found + 1

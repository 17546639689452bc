"""Framing of MLLP: a message begins with 0x0B and ends with 0x1C 0x0D (HL7, MLLP release 1)."""

from collections.abc import Iterator

BEGIN, END = b"\x0b", b"\x1c\x0d"


class BadFrame(ValueError):
    """Bytes that are no frame; the connection cannot go on."""


def frame(message: bytes) -> bytes:
    """Return a message in its frame."""
    return BEGIN + message + END


class Deframer:
    """Cuts a stream into messages of at most `most` bytes, whatever the pieces in which it comes.

    Between frames, blanks and line ends are passed over.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._buffer = bytearray()
        self._searched = 0

    @property
    def is_between(self) -> bool:
        """Whether no message has begun."""
        return not self._buffer

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Yield the messages that are whole with some more bytes. Raises: `BadFrame`."""
        self._buffer += data
        while True:
            if not self._begin():
                return
            end = self._buffer.find(END, self._searched)
            if end < 0:
                if len(self._buffer) > self._most + len(END):
                    raise BadFrame(f"the message is longer than {self._most:,} bytes")
                self._searched = max(1, len(self._buffer) - 1)
                return
            if end - 1 > self._most:
                raise BadFrame(f"the message is longer than {self._most:,} bytes")
            message = bytes(self._buffer[1:end])
            del self._buffer[: end + len(END)]
            self._searched = 0
            yield message

    def _begin(self) -> bool:
        """Pass over what is between messages; return whether one has begun. Raises: `BadFrame`."""
        if self._searched:
            return True
        rest = bytes(self._buffer[:64]).lstrip(b"\r\n \t")
        while not rest and self._buffer:
            del self._buffer[:64]
            rest = bytes(self._buffer[:64]).lstrip(b"\r\n \t")
        if not rest:
            return False
        if not rest.startswith(BEGIN):
            raise BadFrame("a message begins with the byte 0x0B")
        del self._buffer[: self._buffer.index(BEGIN)]
        self._searched = 1
        return True

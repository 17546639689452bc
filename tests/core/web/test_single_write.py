"""Data written in one turn of the event loop is sent at once, complete and in its order."""

import asyncio

import pytest

from esante.core.web.single_write import BUFFER_BYTES, CoalescingTransport


class RecordingTransport(asyncio.Transport):
    """Records each system call that a transport would make."""

    def __init__(self) -> None:
        super().__init__()
        self.sent: list[bytes] = []
        self.closed = False

    def writelines(self, list_of_data):
        assert not self.closed
        self.sent.append(b"".join(list_of_data))

    def close(self):
        self.closed = True

    def is_closing(self):
        return self.closed

    def pause_reading(self):
        self.sent.append(b"paused")


@pytest.fixture
def transport() -> RecordingTransport:
    return RecordingTransport()


async def test_head_and_body_are_sent_at_once(transport):
    coalescing = CoalescingTransport(transport, asyncio.get_running_loop())
    coalescing.write(b"head ")
    coalescing.write(b"body")
    assert transport.sent == []
    await asyncio.sleep(0)
    assert transport.sent == [b"head body"]


async def test_data_of_another_turn_is_sent_by_itself(transport):
    coalescing = CoalescingTransport(transport, asyncio.get_running_loop())
    for part in (b"first", b"second"):
        coalescing.write(part)
        await asyncio.sleep(0)
    assert transport.sent == [b"first", b"second"]


async def test_long_response_is_sent_when_the_buffer_is_full(transport):
    coalescing = CoalescingTransport(transport, asyncio.get_running_loop())
    parts = [bytes([number]) * 1_000 for number in range(255)] * 3
    for count, part in enumerate(parts, 1):
        coalescing.write(part)
        assert 1_000 * count - sum(map(len, transport.sent)) <= BUFFER_BYTES
    await asyncio.sleep(0)
    assert b"".join(transport.sent) == b"".join(parts)


async def test_close_sends_the_buffer_first(transport):
    coalescing = CoalescingTransport(transport, asyncio.get_running_loop())
    coalescing.write(b"last")
    coalescing.close()
    assert transport.sent == [b"last"]
    assert coalescing.is_closing()
    await asyncio.sleep(0)
    assert transport.sent == [b"last"]


async def test_other_methods_are_passed_through(transport):
    CoalescingTransport(transport, asyncio.get_running_loop()).pause_reading()
    assert transport.sent == [b"paused"]

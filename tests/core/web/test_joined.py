"""What is written in one turn of the loop goes out together, whole and in its order."""

import asyncio

import pytest

from esante.core.web.single_write import BUFFER_BYTES, CoalescingTransport


class Recording(asyncio.Transport):
    """Notes each call of the system that a transport would make."""

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
def transport() -> Recording:
    return Recording()


async def test_head_and_body_go_in_one_piece(transport):
    sender = CoalescingTransport(transport, asyncio.get_running_loop())
    sender.write(b"head ")
    sender.write(b"body")
    assert transport.sent == []
    await asyncio.sleep(0)
    assert transport.sent == [b"head body"]


async def test_what_is_written_in_another_turn_goes_by_itself(transport):
    sender = CoalescingTransport(transport, asyncio.get_running_loop())
    for part in (b"first", b"second"):
        sender.write(part)
        await asyncio.sleep(0)
    assert transport.sent == [b"first", b"second"]


async def test_of_an_answer_without_end_no_more_is_held_than_allowed(transport):
    sender = CoalescingTransport(transport, asyncio.get_running_loop())
    parts = [bytes([number]) * 1_000 for number in range(255)] * 3
    for count, part in enumerate(parts, 1):
        sender.write(part)
        assert 1_000 * count - sum(map(len, transport.sent)) <= BUFFER_BYTES
    await asyncio.sleep(0)
    assert b"".join(transport.sent) == b"".join(parts)


async def test_closing_sends_the_rest_first(transport):
    sender = CoalescingTransport(transport, asyncio.get_running_loop())
    sender.write(b"last")
    sender.close()
    assert transport.sent == [b"last"]
    assert sender.is_closing()
    await asyncio.sleep(0)
    assert transport.sent == [b"last"]


async def test_all_else_is_as_it_was(transport):
    CoalescingTransport(transport, asyncio.get_running_loop()).pause_reading()
    assert transport.sent == [b"paused"]

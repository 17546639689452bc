"""A relay of UDP with delay and loss: `python udp_relay.py DELAY LOSS ADDRESS=TARGET ...` on the ports of WireGuard.

Each sender gets a port of its own towards the target, as a router that translates addresses gives it.
"""

import asyncio
import random
import sys

PORTS = range(51820, 51824)


class Ends(asyncio.DatagramProtocol):
    """One end of the relay: what arrives goes on after the delay, some of it never."""

    def __init__(self, relay, forward):
        self._relay, self._forward = relay, forward

    def connection_made(self, transport):
        self.transport = transport

    def datagram_received(self, data, addr):
        if self._relay.random.random() >= self._relay.loss:
            asyncio.get_running_loop().call_later(self._relay.delay, self._forward, data, addr)


class Relay:
    """Senders of one address and port, with a socket for each."""

    def __init__(self, delay, loss, address, target):
        self.delay, self.loss, self.address, self.target = delay, loss, address, target
        self.random, self._senders, self._tasks = random.Random(1), {}, set()

    async def listen(self):
        loop = asyncio.get_running_loop()
        _, self._front = await loop.create_datagram_endpoint(
            lambda: Ends(self, self._to_target), local_addr=self.address
        )

    def _to_target(self, data, sender):
        if sender in self._senders:
            self._senders[sender].transport.sendto(data)
            return
        task = asyncio.ensure_future(self._open(data, sender))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _open(self, data, sender):
        loop = asyncio.get_running_loop()
        _, back = await loop.create_datagram_endpoint(
            lambda: Ends(self, lambda answer, _: self._front.transport.sendto(answer, sender)), remote_addr=self.target
        )
        self._senders[sender] = back
        back.transport.sendto(data)


async def main(delay, loss, *pairs):
    for pair in pairs:
        address, _, target = pair.partition("=")
        for port in PORTS:
            await Relay(float(delay), float(loss), (address, port), (target, port)).listen()
    print("ready", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))

"""Paths to other sites measured from inside the tunnels: latency, loss, and the largest packet that passes.

Agents send each other small datagrams, and at times one as large as a packet may be, which is never divided on its way
into the tunnel. What arrives is answered with a small one, so each end learns what it can send: the line that loses
large packets without a word (a router that sends no ICMP) is found too.
"""

import contextlib
import errno
import logging
import os
import random
import select
import socket
import threading
import time
from collections import deque
from collections.abc import Mapping
from typing import Any

log = logging.getLogger("healthnet")
LEAST = 1280
"""The MTU that every path must have (RFC 8200, 5)."""
_HEADERS = 48
"""Bytes of IPv6 and UDP headers."""
_OVERHEAD = {4: 60, 6: 80}
"""Bytes that WireGuard adds, with the IP and UDP headers outside."""
_ASK, _ANSWER = b"hnp1?", b"hnp1!"
_ID_BYTES = 8
EVERY, VERIFY_EVERY, SEARCH_EVERY = 10.0, 30.0, 600.0
"""Seconds between probes of a path, those with a large one among them, and searches for a larger MTU."""
WAIT = 3.0
"""Seconds after which a probe is lost."""
_TRIES = 4
_PRECISION = 8
_KEPT = 20
IP_MTU, IPV6_MTU, IPV6_MTU_DISCOVER, PMTUDISC_PROBE = 14, 24, 23, 3
"""Options of sockets that Python does not name (linux/in.h, linux/in6.h)."""


class Path:
    """What is known of a path; `most`: the largest MTU that it can have, `mtu`: the one found, 0 before."""

    def __init__(self, address: str, most: int) -> None:
        self.address, self.most, self.mtu = address, most, 0
        self.times: deque[float | None] = deque(maxlen=_KEPT)
        self.sent: dict[bytes, tuple[int, float]] = {}
        """Size and time of the probes under way, the small one first."""
        self._small: float | None = None
        self._is_large_answered = False
        self._large = self._fails = 0
        self._low, self._high, self._trying = LEAST, most, most
        self.next_at = self._verify_at = 0.0
        self._search_at = float("inf")

    def begin(self, now: float) -> list[int]:
        """Return the sizes of the probes of the next round."""
        self._small, self._is_large_answered = None, False
        if self._trying:
            self._large = self._trying
        else:
            self._large = self.mtu if now >= self._verify_at else 0
        return [0, self._large] if self._large else [0]

    def answered(self, probe: bytes, now: float) -> None:
        """Take an answer; one that nobody waits for is none."""
        size, at = self.sent.pop(probe, (-1, 0.0))
        if size == 0:
            self._small = now - at
        elif size > 0:
            self._is_large_answered = True

    def is_over(self, now: float) -> bool:
        """Return whether what is still under way is lost: a large probe soon after a small one has arrived."""
        wait = WAIT if self._small is None else min(WAIT, max(1.0, 4 * self._small))
        return now - min(at for _, at in self.sent.values()) > wait

    def end(self, now: float, is_too_large: bool = False) -> None:
        """Draw conclusions from a round; `is_too_large`: this machine itself refused to send the large probe.

        A large probe that is lost counts only beside a small one that arrives: otherwise the path is down.
        """
        self.sent.clear()
        if not is_too_large:
            self.times.append(self._small)
        self.next_at = now + EVERY * random.uniform(0.8, 1.2)  # noqa: S311 - no secret
        if self._large and self._is_large_answered:
            self._fails = 0
            self._passed(now)
        elif self._large and (self._small is not None or is_too_large):
            self._fails += 1
            self.next_at = now
            if self._fails >= _TRIES or is_too_large:
                self._fails = 0
                self._failed(now)

    def _passed(self, now: float) -> None:
        if self._trying:
            self._low = self._trying
            self._go_on(now)
        self._verify_at = now + VERIFY_EVERY
        if now >= self._search_at and self.mtu < self.most:
            self._search(self.most)

    def _failed(self, now: float) -> None:
        if self._trying:
            self._high = self._trying - 1
            self._go_on(now)
        elif self.mtu > LEAST:
            self._search(self.mtu - 1)

    def _go_on(self, now: float) -> None:
        if self._high - self._low < _PRECISION:
            self.mtu, self._trying = self._low, 0
            self._verify_at, self._search_at = now + VERIFY_EVERY, now + SEARCH_EVERY
        else:
            self._trying, self.next_at = (self._low + self._high + 1) // 2, now

    def _search(self, most: int) -> None:
        self._low, self._high, self._trying = LEAST, most, most

    def limit(self, most: int) -> None:
        """Take another limit of the MTU."""
        if most != self.most:
            self.most = most
            self._search(most)
            if self.mtu > most:
                self.mtu = most

    def figures(self) -> dict[str, int]:
        """Return what heartbeats say; nothing before the first answer, as from a site whose agent does not answer."""
        answered = sorted(one for one in self.times if one is not None)
        if not self.times or not (answered or self.mtu):
            return {}
        found = {"loss": 100 * (len(self.times) - len(answered)) // len(self.times), "mtu": self.mtu}
        if answered:
            found["latency_ms"] = round(answered[len(answered) // 2] * 1000)
        return found


class Paths:
    """Probes paths and answers probes, in a thread of its own."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._own = ("", 0)
        self._paths: dict[str, Path] = {}
        self._at: dict[str, Path] = {}
        """Paths by the address at the other end."""
        self._socket: socket.socket | None = None

    def follow(self, own: str, port: int, paths: Mapping[str, tuple[str, int]]) -> None:
        """Probe these paths from an own address: address and largest MTU by site. A port of 0: probe nothing."""
        with self._lock:
            if self._own != (own, port):
                self._close()
                self._own = (own, port)
            for site, (address, most) in paths.items():
                known = self._paths.get(site)
                if known is None or known.address != address:
                    self._paths[site] = Path(address, most)
                    self._paths[site].next_at = time.monotonic() + random.uniform(0, len(paths) / 100)  # noqa: S311
                else:
                    known.limit(most)
            for site in self._paths.keys() - paths.keys():
                del self._paths[site]
            self._at = {path.address: path for path in self._paths.values()}

    def figures(self) -> dict[str, dict[str, int]]:
        """Return `latency_ms`, `loss` (per cent) and `mtu` of each path that was measured."""
        with self._lock:
            return {site: figures for site, path in self._paths.items() if (figures := path.figures())}

    def run(self, stop: threading.Event) -> None:
        """Work until the end is asked for."""
        while not stop.is_set():
            try:
                if not self._work():
                    stop.wait(0.5)
            except (OSError, ValueError) as error:  # ValueError: the socket was closed for another address
                log.warning("paths are not measured for a moment: %s", error)
                with self._lock:
                    self._close()
                stop.wait(5.0)
        with self._lock:
            self._close()

    def _work(self) -> bool:
        """Answer, take answers and send what is due for a moment; return False when there is nothing to do."""
        with self._lock:
            if self._socket is None and self._own[1]:
                self._socket = _open(*self._own)
            ours = self._socket
        if ours is None:
            return False
        ready, _, _ = select.select([ours], [], [], 0.1)
        with self._lock:
            if ours is not self._socket:
                return True
            for _ in range(200 if ready else 0):
                try:
                    data, sender = ours.recvfrom(2_048)
                except (BlockingIOError, ConnectionError):
                    break
                self._take(ours, data, sender)
            self._send_due(ours, time.monotonic())
        return True

    def _take(self, ours: socket.socket, data: bytes, sender: Any) -> None:
        kind, probe = data[: len(_ASK)], data[len(_ASK) : len(_ASK) + _ID_BYTES]
        if len(probe) != _ID_BYTES or sender[1] != self._own[1]:
            return
        if kind == _ASK:
            with contextlib.suppress(OSError):
                ours.sendto(_ANSWER + probe, sender)
        elif kind == _ANSWER:
            now, path = time.monotonic(), self._at.get(sender[0])
            if path is not None and probe in path.sent:
                path.answered(probe, now)
                if not path.sent:
                    path.end(now)

    def _send_due(self, ours: socket.socket, now: float) -> None:
        for path in self._paths.values():
            if path.sent and path.is_over(now):
                path.end(now)
            if not path.sent and now >= path.next_at:
                self._send(ours, path, now)

    def _send(self, ours: socket.socket, path: Path, now: float) -> None:
        is_too_large = False
        for size in path.begin(now):
            probe = os.urandom(_ID_BYTES)
            content = (_ASK + probe).ljust(size - _HEADERS, b"\0") if size else _ASK + probe
            try:
                ours.sendto(content, (path.address, self._own[1]))
            except OSError as error:
                is_too_large = error.errno == errno.EMSGSIZE
                continue
            path.sent[probe] = (size, now)
        if is_too_large or not path.sent:
            path.end(now, is_too_large)

    def _close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None


def _open(address: str, port: int) -> socket.socket:
    found = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    try:
        found.setsockopt(socket.IPPROTO_IPV6, IPV6_MTU_DISCOVER, PMTUDISC_PROBE)
        found.setblocking(False)
        found.bind((address, port))
    except OSError:
        found.close()
        raise
    return found


def largest_mtu(endpoint: str, most: int) -> int:
    """Return the largest MTU of a tunnel to an endpoint (address:port), for what the kernel knows of the way there."""
    host, _, port = endpoint.rpartition(":")
    host = host.strip("[]")
    version = 6 if ":" in host else 4
    level, option = (socket.IPPROTO_IPV6, IPV6_MTU) if version == 6 else (socket.IPPROTO_IP, IP_MTU)
    try:
        with socket.socket(socket.AF_INET6 if version == 6 else socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.connect((host, int(port)))
            outside = probe.getsockopt(level, option)
    except OSError:
        return most
    return max(LEAST, min(most, outside - _OVERHEAD[version]))

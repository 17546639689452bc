"""Counts of the requests that a process answered, with their durations."""

from bisect import bisect_left
from collections.abc import Awaitable, Callable, MutableMapping
from math import ceil
from time import monotonic
from typing import Any, NamedTuple

_STEP = 1.05
_BUCKETS = 306
"""Durations are counted in steps of 5 %, from 0.1 ms to more than five minutes: 306 counters a process."""
Message = MutableMapping[str, Any]
App = Callable[[Any, Any, Any], Awaitable[None]]


class Measured(NamedTuple):
    """Requests and errors (status 500 and above) of some time, the 95th percentile of durations, the seconds of it."""

    requests: int
    errors: int
    p95_ms: int
    seconds: int


class Meter:
    """Counts the responses of this process since `read` was last called."""

    def __init__(self) -> None:
        self._began = monotonic()
        self._times, self._errors = [0] * _BUCKETS, 0
        self._tops = [0.1 * _STEP**place for place in range(_BUCKETS)]

    def add(self, milliseconds: float, status: int) -> None:
        """Count a response; status 500 also stands for a request that got none."""
        self._times[min(bisect_left(self._tops, milliseconds), _BUCKETS - 1)] += 1
        self._errors += status >= 500

    def read(self) -> Measured:
        """Return what was counted, and begin anew."""
        requests, now = sum(self._times), monotonic()
        rank, p95 = ceil(0.95 * requests), 0.0
        for top, count in zip(self._tops, self._times, strict=True):
            if rank > 0:
                p95, rank = top, rank - count
        measured = Measured(requests, self._errors, round(p95), round(now - self._began))
        self._began, self._times, self._errors = now, [0] * _BUCKETS, 0
        return measured


class Metering:
    """ASGI middleware that counts every HTTP response; the meter is `app.state.meter`."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Pass the request on and time its response."""
        meter = getattr(scope["app"].state, "meter", None) if scope["type"] == "http" else None
        if meter is None:
            await self._app(scope, receive, send)
            return
        began, status = monotonic(), 500

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, watched)
        finally:
            meter.add((monotonic() - began) * 1_000, status)

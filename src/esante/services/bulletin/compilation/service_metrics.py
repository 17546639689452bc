"""The platform's look at itself: how many requests a process answered in an hour, how many failed, how fast."""

import asyncio
import logging
from bisect import bisect_left
from collections.abc import Awaitable, Callable, MutableMapping
from math import ceil
from time import monotonic
from typing import Any

from esante.core.journal import Journal
from esante.core.storage import Unavailable
from esante.services.bulletin.model import PlatformObserved

log = logging.getLogger(__name__)
HOUR = 3_600.0
_STEP = 1.05
_BUCKETS = 306
"""Times are told apart by 5 %, from 0.1 ms up to five minutes and more: a few whole numbers a process, at any load."""
Message = MutableMapping[str, Any]
App = Callable[[Any, Any, Any], Awaitable[None]]


class Meter:
    """Counts the answers of this process since it was last asked."""

    def __init__(self) -> None:
        self._began = monotonic()
        self._times, self._errors = [0] * _BUCKETS, 0
        self._tops = [0.1 * _STEP**place for place in range(_BUCKETS)]

    def add(self, milliseconds: float, status: int) -> None:
        """An answer was given (or, with status 500, was not)."""
        self._times[min(bisect_left(self._tops, milliseconds), _BUCKETS - 1)] += 1
        self._errors += status >= 500

    def taken(self) -> PlatformObserved:
        """What was counted; counting begins anew."""
        requests, now = sum(self._times), monotonic()
        rank, p95 = ceil(0.95 * requests), 0.0
        for top, count in zip(self._tops, self._times, strict=True):
            if rank > 0:
                p95, rank = top, rank - count
        seen = PlatformObserved(
            requests=requests, errors=self._errors, p95_ms=round(p95), seconds_up=round(now - self._began)
        )
        self._began, self._times, self._errors = now, [0] * _BUCKETS, 0
        return seen


class Metered:
    """The application with a meter on it (ASGI)."""

    def __init__(self, app: App, meter: Meter) -> None:
        self._app, self._meter = app, meter

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Pass a request on and time its answer."""
        if scope["type"] != "http":
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
            self._meter.add((monotonic() - began) * 1_000, status)


async def observe(journal: Journal, meter: Meter, every: float = HOUR) -> None:
    """Tell the journal what the meter saw, every hour, for ever."""
    while True:
        await asyncio.sleep(every)
        try:
            await journal.append(meter.taken())
        except Unavailable:
            log.warning("what the platform saw of itself in the last hour could not be journalled")

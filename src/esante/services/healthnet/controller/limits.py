"""Limits of what one site, or one network of the Internet, may ask."""

import time
from collections import OrderedDict
from collections.abc import Callable

_MOST_KEYS = 50_000


class RateLimit:
    """A token bucket for each key: `burst` at once, `rate` a second in the long run; the oldest keys are forgotten."""

    def __init__(self, rate: float, burst: int, now: Callable[[], float] = time.monotonic) -> None:
        self._rate, self._burst, self._now = rate, float(burst), now
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, key: str) -> float:
        """Return 0.0 when a request is admitted, else the seconds after which the next one is."""
        now = self._now()
        left, at = self._buckets.pop(key, (self._burst, now))
        left = min(self._burst, left + (now - at) * self._rate)
        admitted = left >= 1.0
        self._buckets[key] = (left - 1.0 if admitted else left, now)
        if len(self._buckets) > _MOST_KEYS:
            self._buckets.popitem(last=False)
        return 0.0 if admitted else (1.0 - left) / self._rate

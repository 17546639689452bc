"""A clock that a test sets: years pass in a moment, and each look at it is a millisecond later than the one before."""

from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

from esante.core.clock import use_clock

_TICK = timedelta(milliseconds=1)


class TestClock:
    """The moment that `now` returns next."""

    __test__ = False

    def __init__(self, at: datetime) -> None:
        self.at = at

    def __call__(self) -> datetime:
        self.at += _TICK
        return self.at

    def advance(self, **span: float) -> datetime:
        """Move on by a span (keywords of timedelta); return the moment."""
        self.at += timedelta(**span)
        return self.at

    def set(self, at: datetime) -> datetime:
        """Move to a moment, which must be later."""
        assert at >= self.at, "time goes on only"
        self.at = at
        return at


@contextmanager
def running_clock(at: datetime):
    """Use a `TestClock` that begins at a moment."""
    clock = TestClock(at)
    with use_clock(clock):
        yield clock


class MovedClock:
    """The machine's clock, moved by a span."""

    def __init__(self, at: datetime) -> None:
        self.move_to(at)

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self._span

    def move_to(self, at: datetime) -> None:
        """Go on from a moment."""
        self._span = at - datetime.now(UTC)

"""The clock: what "now" is, for everything that depends on the present.

A test runs the years of a record in a moment by a clock of its own (`use_clock`). Parameters named `at` are for
history that is loaded later, and for nothing else.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

Clock = Callable[[], datetime]


class _Current:
    """The clock in use; None: that of the machine."""

    clock: Clock | None = None


def now() -> datetime:
    """Return the current moment (UTC)."""
    return datetime.now(UTC) if _Current.clock is None else _Current.clock()


def moment_of_another_clock() -> datetime | None:
    """Return the current moment of a clock that is not the machine's; None where that one is in use."""
    return None if _Current.clock is None else _Current.clock()


@contextmanager
def use_clock(clock: Clock) -> Iterator[None]:
    """Use another clock in this process for as long as the context lasts."""
    before, _Current.clock = _Current.clock, clock
    try:
        yield
    finally:
        _Current.clock = before

"""What every look-up of a person passes: by an identifier or a search; nobody finds out by guessing who is known."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Protocol


class Lookup(Protocol):
    """One look-up that was admitted."""

    async def record_miss(self, *, journalled: bool = False) -> None:
        """Count that it found nobody, and journal it unless that was done (`journalled`)."""


class Lookups(Protocol):
    """Counts the look-ups that find nobody, for whoever is authenticated."""

    def admitted(self) -> AbstractAsyncContextManager[Lookup]:
        """Return the context in which a look-up is made. Raises: Problem 429 after too many that found nobody."""


class UnlimitedLookups:
    """No limit: for a directory without requesters, such as that of a command."""

    @asynccontextmanager
    async def admitted(self) -> AsyncIterator["UnlimitedLookups"]:
        """Admit any."""
        yield self

    async def record_miss(self, *, journalled: bool = False) -> None:
        """Count nothing."""

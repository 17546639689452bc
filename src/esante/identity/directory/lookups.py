"""What every look-up passes: why it is made, and that nobody finds out by guessing who is known."""

from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Motive:
    """Why somebody looks people up in the directory (RGD of 6 December 2019, Memorial A910).

    `purpose`: a code of HL7 v3 PurposeOfUse, "" for not stated. `file_reference`: the file that the look-up is for.
    """

    purpose: str = ""
    file_reference: str = ""


NOT_STATED = Motive()
current_motive: ContextVar[Motive] = ContextVar("current_motive", default=NOT_STATED)
"""The motive that was stated for the request that is worked on."""


@contextmanager
def stated_motive(motive: Motive) -> Iterator[None]:
    """State the motive of the look-ups of an act that has one of its own, such as a correction."""
    token = current_motive.set(motive)
    try:
        yield
    finally:
        current_motive.reset(token)


class Lookup(Protocol):
    """One look-up that was admitted."""

    async def record_miss(self, *, journalled: bool = False) -> None:
        """Count that it found nobody, and journal it unless that was done (`journalled`)."""


class Lookups(Protocol):
    """Knows the motive of look-ups, and counts those that find nobody, for whoever is authenticated."""

    def motive(self) -> Motive:
        """Return the motive of a look-up, for the journal. Raises: Problem where none is stated and one is needed."""

    def admitted(self) -> AbstractAsyncContextManager[Lookup]:
        """Return the context in which a look-up is made. Raises: Problem 429 after too many that found nobody."""


class UnlimitedLookups:
    """No limit: for a directory without requesters, such as that of a command."""

    def motive(self) -> Motive:
        """Return the motive that was stated, if any."""
        return current_motive.get()

    @asynccontextmanager
    async def admitted(self) -> AsyncIterator["UnlimitedLookups"]:
        """Admit any."""
        yield self

    async def record_miss(self, *, journalled: bool = False) -> None:
        """Count nothing."""

"""What every look-up of a person passes: by an identifier or a search; nobody finds out by guessing who is known."""

from typing import Protocol


class Lookups(Protocol):
    """Counts the look-ups that find nobody, for whoever is authenticated."""

    async def admit(self) -> None:
        """Raise Problem 429 after too many of them; called before a look-up is made."""

    async def record_miss(self, *, journalled: bool = False) -> None:
        """Count one that found nobody, and journal it unless that was done."""


class UnlimitedLookups:
    """No limit: for a directory without requesters, such as that of a command."""

    async def admit(self) -> None:
        """Allow it."""

    async def record_miss(self, *, journalled: bool = False) -> None:
        """Count nothing."""

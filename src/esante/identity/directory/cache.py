"""A small memory of directory entries, so that names on pages do not cost a query each time."""

from collections.abc import Awaitable, Callable, Sequence
from time import monotonic
from typing import Generic, Protocol, TypeVar
from uuid import UUID

SECONDS = 30.0
BOUND = 20_000


class _Keyed(Protocol):
    @property
    def id(self) -> UUID: ...


T = TypeVar("T", bound=_Keyed)


class Recent(Generic[T]):
    """Entries by id, each for `SECONDS`; what does not exist is asked for every time."""

    def __init__(self, load: Callable[[Sequence[UUID]], Awaitable[list[T]]]) -> None:
        self._load = load
        self._kept: dict[UUID, tuple[float, T]] = {}

    async def get(self, ids: Sequence[UUID]) -> dict[UUID, T]:
        """The entries of `ids` that exist."""
        now = monotonic()
        found = {id_: kept[1] for id_ in ids if (kept := self._kept.get(id_)) and kept[0] > now}
        missing = [id_ for id_ in dict.fromkeys(ids) if id_ not in found]
        if missing:
            loaded = {entry.id: entry for entry in await self._load(missing)}
            if len(self._kept) + len(loaded) > BOUND:
                self._kept.clear()
            self._kept |= {id_: (now + SECONDS, entry) for id_, entry in loaded.items()}
            found |= loaded
        return found

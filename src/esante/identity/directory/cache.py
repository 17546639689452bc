"""An in-process cache of directory entries, so that names on pages do not cost a query each time."""

from collections.abc import Awaitable, Callable, Sequence
from time import monotonic
from typing import Generic, Protocol, TypeVar
from uuid import UUID

MAX_AGE_SECONDS = 30.0
MAX_ENTRIES = 20_000


class _Keyed(Protocol):
    @property
    def id(self) -> UUID: ...


T = TypeVar("T", bound=_Keyed)


class EntryCache(Generic[T]):
    """Entries by id, each kept for `MAX_AGE_SECONDS`. Absence is not cached: missing ids are loaded every time."""

    def __init__(self, load: Callable[[Sequence[UUID]], Awaitable[list[T]]]) -> None:
        self._load = load
        self._entries: dict[UUID, tuple[float, T]] = {}

    async def get(self, ids: Sequence[UUID]) -> dict[UUID, T]:
        """Return the entries of `ids` that exist, by id."""
        now = monotonic()
        found = {id_: cached[1] for id_ in ids if (cached := self._entries.get(id_)) and cached[0] > now}
        missing = [id_ for id_ in dict.fromkeys(ids) if id_ not in found]
        if missing:
            loaded = {entry.id: entry for entry in await self._load(missing)}
            if len(self._entries) + len(loaded) > MAX_ENTRIES:
                self._entries.clear()
            self._entries |= {id_: (now + MAX_AGE_SECONDS, entry) for id_, entry in loaded.items()}
            found |= loaded
        return found

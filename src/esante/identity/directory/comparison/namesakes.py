"""Persons and professionals by their exact names, for programs that compare them: nobody is shown what is found."""

from collections.abc import Collection, Iterable
from typing import NamedTuple, TypeVar

from esante.core.storage import Database
from esante.identity.directory import store
from esante.identity.directory.model import Person, Practitioner
from esante.identity.directory.rules import normalize_name

MAX_NAMESAKES = 5_000
H = TypeVar("H", Person, Practitioner)


class NameKey(NamedTuple):
    """A name as it is compared: family and given names, normalised."""

    family: str
    given: str

    @classmethod
    def of(cls, holder: Person | Practitioner) -> "NameKey":
        """Return the key of somebody's name."""
        return cls(normalize_name(holder.family), normalize_name(" ".join(holder.given)))


class Namesakes:
    """Finds who has exactly a name."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def persons(self, names: Collection[NameKey]) -> dict[NameKey, list[Person]]:
        """Return the persons who have names, by name; names that nobody has are missing."""
        families, givens = [one.family for one in names], [one.given for one in names]
        return _by_name(await store.find_namesakes(self._db, families, givens, MAX_NAMESAKES))

    async def practitioners(self, names: Collection[NameKey]) -> dict[NameKey, list[Practitioner]]:
        """Return the professionals who have names, by name; names that nobody has are missing."""
        keys = [f"{one.family} {one.given}" for one in names]
        found = _by_name(await store.find_practitioner_namesakes(self._db, keys, MAX_NAMESAKES))
        return {name: found[name] for name in names if name in found}


def _by_name(holders: Iterable[H]) -> dict[NameKey, list[H]]:
    found: dict[NameKey, list[H]] = {}
    for holder in holders:
        found.setdefault(NameKey.of(holder), []).append(holder)
    return found

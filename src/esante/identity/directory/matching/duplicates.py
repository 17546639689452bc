"""Duplicates in the directory: the search over all entries, and the queue in which operators decide on each pair."""

import asyncio
from collections.abc import Iterable
from uuid import UUID

from esante.core import clock
from esante.core.journal import SYSTEM, Actor, Journal
from esante.core.storage import Database, Row, insert
from esante.core.time_zone import today
from esante.core.types import Progress
from esante.core.web import (
    N_,
    NOT_FOUND,
    Page,
    Problem,
    clean_text,
    decode_offset_cursor,
    encode_cursor,
)
from esante.identity.directory.matching import pair_store as store
from esante.identity.directory.matching.batch import find_pairs
from esante.identity.directory.matching.events import DuplicatesSearched, PairJudged
from esante.identity.directory.matching.model import Agreement, Traits
from esante.identity.directory.matching.pair_store import StoredPair
from esante.identity.directory.matching.rules import compare, traits_of
from esante.identity.directory.matching.weights import match_weights
from esante.identity.directory.merging.service import MAX_REASON, Operator, require_operator
from esante.identity.directory.model import Person, PersonRead, PersonSearched
from esante.identity.directory.rules import normalize_name
from esante.identity.directory.service import Directory

OPERATIONS = "HOPERAT"
"""The motive of an operator's work on the directory (HL7 v3 PurposeOfUse)."""
MOST_COUNTED = 99


class Duplicates:
    """Pairs of entries that may be of one person. Every method but `search` is for operators, else Problem 403."""

    def __init__(self, db: Database, journal: Journal, directory: Directory) -> None:
        self._db, self._journal, self._directory = db, journal, directory
        self._matricule_system = directory.catalogue.system("matricule").uri

    async def search(self, progress: Progress = lambda *_: None, *, actor: Actor = SYSTEM) -> tuple[int, int]:
        """Compare all entries and write the pairs that may be of one person; return how many entries and pairs.

        Entries that were merged are left out. `progress` gets the number of entries that were read.
        """
        entries: dict[UUID, Traits] = {}
        total = await store.count_everybody(self._db)
        async for persons in store.fetch_everybody(self._db):
            for person in persons:
                if await self._directory.merges.surviving(person.id) == person.id:
                    entries[person.id] = traits_of(person, self._matricule_system)
            progress(min(len(entries), total), total, "entries read")
        weights, now = match_weights(today()), clock.now()
        pairs = await asyncio.to_thread(lambda: list(find_pairs(entries, weights)))
        found = [
            StoredPair(
                first_id=pair.first,
                second_id=pair.second,
                bits=pair.agreement.bits,
                grade=pair.agreement.grade,
                found_at=now,
            )
            for pair in pairs
        ]
        async with self._db.transaction() as conn:
            await store.replace_pairs(conn, found)
            event = DuplicatesSearched(entries=len(entries), pairs=len(found))
            await insert(conn, self._journal.rows(event, actor=actor))
        return len(entries), len(found)

    async def list_pairs(
        self, operator: Operator, state: str, text: str, cursor: str | None, limit: int = 20
    ) -> Page[tuple[StoredPair, Person, Person]]:
        """Return a page of pairs, the surest first, each with its entries; journalled for each person shown.

        `state`: open or different; `text`: the beginning of a name of one of the two, or an identifier.
        """
        require_operator(operator)
        offset = decode_offset_cursor(cursor)
        words, number = normalize_name(text), "".join(text.split())
        found = await store.list_pairs(self._db, state, words, number, offset, limit + 1)
        keys = {key for pair in found[:limit] for key in (pair.first_id, pair.second_id)}
        persons = await self._directory.persons(keys)
        items = [
            (pair, persons[pair.first_id], persons[pair.second_id])
            for pair in found[:limit]
            if pair.first_id in persons and pair.second_id in persons
        ]
        event = PersonSearched(by=("duplicates",), found=len(persons), motive=OPERATIONS)
        await self._write(self._rows(operator, event, persons))
        return Page(items, encode_cursor(offset + limit) if len(found) > limit else None)

    async def count_open(self, operator: Operator) -> int:
        """Return how many pairs wait, at most `MOST_COUNTED`."""
        require_operator(operator)
        return await store.count_open(self._db, MOST_COUNTED)

    async def compare(self, operator: Operator, first_id: UUID, second_id: UUID) -> tuple[Person, Person, Agreement]:
        """Return two entries and how they agree today; journalled for both. Raises: Problem 404 for an unknown one."""
        require_operator(operator)
        persons = await self._directory.persons({first_id, second_id})
        if len(persons) < 2:
            raise Problem(404, "not-found", NOT_FOUND)
        first, second = persons[first_id], persons[second_id]
        await self._write(self._rows(operator, PersonRead(allowed=True, motive=OPERATIONS), persons))
        return first, second, self._agreement(first, second)

    async def find(self, operator: Operator, first_id: UUID, second_id: UUID) -> StoredPair | None:
        """Return a pair as it is stored; None when no search found it."""
        require_operator(operator)
        return await store.fetch_pair(self._db, *sorted((first_id, second_id)))

    async def judge_different(self, operator: Operator, first_id: UUID, second_id: UUID, reason: str) -> None:
        """Say that two entries are of two people: no later search asks again.

        Raises: Problem 404 for an unknown entry, 409 when it was said already, 400 for a reason that is missing.
        """
        require_operator(operator)
        reason = clean_text(reason, 3, MAX_REASON, "reason")
        persons = await self._directory.persons({first_id, second_id})
        if len(persons) < 2:
            raise Problem(404, "not-found", NOT_FOUND)
        agreement, now = self._agreement(persons[first_id], persons[second_id]), clock.now()
        low, high = sorted((first_id, second_id))
        pair = StoredPair(first_id=low, second_id=high, bits=agreement.bits, grade=agreement.grade, found_at=now)
        async with self._db.transaction() as conn:
            if not await store.judge_pair(conn, pair, now, operator.id, operator.name, reason):
                raise _decided()
            event = PairJudged(first_id=low, second_id=high, different=True, reason=reason)
            await insert(conn, self._rows(operator, event, persons))

    async def reopen(self, operator: Operator, first_id: UUID, second_id: UUID, reason: str) -> None:
        """Let a pair that was judged wait again. Raises: Problem 409 when it was not judged, 400 without a reason."""
        require_operator(operator)
        reason = clean_text(reason, 3, MAX_REASON, "reason")
        low, high = sorted((first_id, second_id))
        async with self._db.transaction() as conn:
            if not await store.reopen_pair(conn, low, high):
                raise _decided()
            event = PairJudged(first_id=low, second_id=high, different=False, reason=reason)
            await insert(conn, self._rows(operator, event, (low, high)))

    def _agreement(self, first: Person, second: Person) -> Agreement:
        system = self._matricule_system
        return compare(traits_of(first, system), traits_of(second, system), match_weights(today()))

    def _rows(
        self, operator: Operator, event: PersonSearched | PersonRead | PairJudged, persons: Iterable[UUID]
    ) -> list[Row]:
        return [row for key in persons for row in self._journal.rows_for(operator, event, person_id=key)]

    async def _write(self, rows: list[Row]) -> None:
        if rows:
            await self._db.write(rows)


def _decided() -> Problem:
    return Problem(
        409,
        "conflict",
        N_("Somebody else has decided about this pair in the meantime."),
        remedy=N_("Open the page again."),
    )

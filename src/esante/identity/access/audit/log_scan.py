"""A person's journal entries, scanned in pages: one by one, or folded into visits.

A visit is what one requester read of the record without a longer pause: one entry of the access log.
"""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

from esante.core.journal import Entry, Event, Journal
from esante.core.web import Page
from esante.identity.access.model import AccessEvent

MAX_SCANNED = 2_000
"""How many entries one page scans for those that match its filter."""
_BATCH = 200
VISIT_PAUSE = timedelta(minutes=30)
"""Readings of one requester with a longer pause between them are two visits."""


@dataclass(frozen=True, slots=True)
class Visit:
    """Readings that belong together, newest first, or one other entry."""

    entries: list[Entry]

    @property
    def newest(self) -> Entry:
        """The newest entry."""
        return self.entries[0]

    @property
    def categories(self) -> tuple[str, ...]:
        """The accessed categories of data."""
        return tuple(dict.fromkeys(key for entry in self.entries for key in getattr(entry.event, "categories", ())))

    @property
    def documents(self) -> tuple[UUID, ...]:
        """The accessed documents."""
        return tuple(dict.fromkeys(key for entry in self.entries for key in getattr(entry.event, "documents", ())))

    @property
    def words(self) -> str:
        """The words (a msgid) of a visit of another than the person."""
        words: set[str] = {getattr(entry.event, "WORDS", "") for entry in self.entries}
        return words.pop() if len(words) == 1 else AccessEvent.WORDS


def is_by_another(entry: Entry) -> bool:
    """Return whether an entry is of an act of another than the person."""
    return entry.event is not None and entry.actor.id != entry.person_id


async def scan_entries(
    journal: Journal,
    persons: Sequence[UUID],
    types: Sequence[type[Event]],
    is_wanted: Callable[[Entry], bool],
    *,
    before: UUID | None,
    since: datetime | None = None,
    limit: int,
) -> Page[Entry]:
    """Return up to `limit` entries that are wanted, newest first, from `before` (exclusive) back to `since`.

    `persons`: the person, and after them the entries of the directory that lead to them since a merge.
    At most `MAX_SCANNED` entries are read; `next` of the page is the id before which the next page begins.
    """
    found: list[Entry] = []

    def take(entry: Entry) -> bool:
        if not is_wanted(entry):
            return True
        if len(found) == limit:
            return False
        found.append(entry)
        return True

    return Page(found, await _scan(journal, persons, types, take, before, since))


async def scan_visits(
    journal: Journal,
    persons: Sequence[UUID],
    types: Sequence[type[Event]],
    is_wanted: Callable[[Entry], bool],
    *,
    before: UUID | None = None,
    limit: int,
) -> Page[Visit]:
    """Return up to `limit` visits of the entries that are wanted, newest first, as `scan_entries`.

    Visits may overlap in time. One that goes on beyond the page is a visit of its own on the next page.
    """
    visits: list[Visit] = []
    latest: dict[Hashable, Visit] = {}

    def take(entry: Entry) -> bool:
        if not is_wanted(entry):
            return True
        key = _visit_key(entry)
        visit = latest.get(key) if key else None
        if visit and visit.entries[-1].at - entry.at <= VISIT_PAUSE:
            visit.entries.append(entry)
        elif len(visits) == limit:
            return False
        else:
            visits.append(Visit([entry]))
            latest[key] = visits[-1]
        return True

    return Page(visits, await _scan(journal, persons, types, take, before))


async def _entries_of(
    journal: Journal, persons: Sequence[UUID], types: Sequence[type[Event]], before: UUID | None
) -> list[Entry]:
    """Return a batch of entries, newest first, those of merged entries of the directory as the person's own."""
    if len(persons) == 1:
        return await journal.entries_of(persons[0], types, before=before, limit=_BATCH)
    found = [
        replace(entry, person_id=persons[0])
        for person_id in persons
        for entry in await journal.entries_of(person_id, types, before=before, limit=_BATCH)
    ]
    return sorted(found, key=lambda entry: entry.id, reverse=True)[:_BATCH]


async def _scan(
    journal: Journal,
    persons: Sequence[UUID],
    types: Sequence[type[Event]],
    take: Callable[[Entry], bool],
    before: UUID | None,
    since: datetime | None = None,
) -> str | None:
    """Give a person's entries to `take`, newest first, until it refuses one.

    Returns the id before which a next scan begins; None when there are no more entries.
    """
    for _ in range(MAX_SCANNED // _BATCH):
        entries = await _entries_of(journal, persons, types, before)
        for entry in entries:
            if since and entry.at < since:
                return None
            if not take(entry):
                return str(before)
            before = entry.id
        if len(entries) < _BATCH:
            return None
    return str(before)


def _visit_key(entry: Entry) -> Hashable:
    """Return what the readings of a visit have in common; None for an entry that stands alone."""
    event, actor = entry.event, entry.actor
    if not isinstance(event, AccessEvent) or not event.allowed or not event.FOLDS or event.ACTION not in "RE":
        return None
    if not is_by_another(entry):
        return actor.client or "own"
    asked_by = actor.id, actor.name, actor.delegate, actor.organization, actor.client
    return *asked_by, event.purpose, event.context, event.grant_id

"""Doses used: what the card says was given at a site is taken from its stock, and given back when it was an error."""

from collections.abc import Sequence
from uuid import UUID

from esante.core import clock
from esante.core.storage import Connection, insert, uuid7
from esante.core.time_zone import today
from esante.services.vaccination.stock import stock_store
from esante.services.vaccination.stock.model import EntryKind, LotAt, StockEntry

PLATFORM = "esante"


async def settle_use(conn: Connection, person_id: UUID, before: Sequence[UUID]) -> None:
    """Let the stock agree with the doses of a person, in the transaction that replaced them.

    `before`: the keys of the doses before. A dose of which the site has none left is not counted: the site's account
    is wrong, and a count will correct it.
    """
    wanted = await stock_store.fetch_given(conn, person_id)
    keys = {*before, *(key for key, _ in wanted)}
    places = {place for _, place in wanted | await stock_store.fetch_used(conn, [*keys])}
    if not places:
        return
    levels = await stock_store.lock(conn, places, today(), create=False)
    used = await stock_store.fetch_used(conn, [*keys])
    left = {place: level.quantity for place, level in levels.items()}
    entries = [_entry(key, place, EntryKind.USE_UNDONE) for key, place in used - wanted]
    for entry in entries:
        left[entry.place] = left.get(entry.place, 0) + 1
    for key, place in sorted(wanted - used, key=lambda one: one[0].bytes):
        if left.get(place, 0) > 0:
            left[place] -= 1
            entries.append(_entry(key, place, EntryKind.USE))
    for entry in entries:
        await stock_store.move(conn, entry)
    await insert(conn, [stock_store.entry_row(entry) for entry in entries])


def _entry(dose: UUID, place: LotAt, kind: EntryKind) -> StockEntry:
    quantity = -1 if kind is EntryKind.USE else 1
    return StockEntry(id=uuid7(), place=place, kind=kind, quantity=quantity, ref=dose, at=clock.now(), by=PLATFORM)

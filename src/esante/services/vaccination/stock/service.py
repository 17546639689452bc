"""The use cases of stock: the professionals of a site keep its account, operators see all of them."""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from uuid import UUID

from esante.core import clock
from esante.core.journal import Journal
from esante.core.storage import Connection, Database, Row, insert, uuid7
from esante.core.time_zone import today
from esante.core.web import (
    N_,
    NOT_FOUND,
    Page,
    Problem,
    bad_request,
    clean_text,
    decode_offset_cursor,
    decode_uuid_cursor,
    encode_cursor,
)
from esante.identity.access import Requester, require_operator
from esante.identity.directory import Directory, Organization
from esante.services.vaccination.card.checks import check_terms
from esante.services.vaccination.products.catalogue import catalogue, normal_lot
from esante.services.vaccination.reminders import forecast_store
from esante.services.vaccination.stock import stock_store
from esante.services.vaccination.stock.model import (
    ColdChainBreak,
    ColdChainChanged,
    EntryKind,
    LotAt,
    ProductLevel,
    ReorderLevelSet,
    StockChanged,
    StockEntry,
    StockLevel,
)

MAX_QUANTITY, MAX_LOT, MAX_NOTE = 100_000, 40, 300
MONTHS = timedelta(days=366)


class Stocks:
    """The stock of all sites."""

    def __init__(self, db: Database, journal: Journal, directory: Directory) -> None:
        self._db, self._journal, self._directory = db, journal, directory

    # Movements

    async def receive(
        self, requester: Requester, place: LotAt, quantity: int, expires_on: date | None, key: UUID, note: str = ""
    ) -> None:
        """Enter a delivery. Raises: `Problem` 404 for another site than the requester's, 400 for what cannot be."""
        place = self._require_place(requester, place)
        _require_quantity(quantity, 1)
        longest = timedelta(days=check_terms(today()).longest_shelf_life_days)
        if expires_on is None or not today() <= expires_on <= today() + longest:
            title = N_("This lot has expired, or its expiry date lies too far in the future.")
            raise bad_request("expires_on", title, N_("Check the pack."), code="value")
        await self._write(requester, key, note, [(place, EntryKind.DELIVERY, quantity, None)], expires_on)

    async def waste(self, requester: Requester, place: LotAt, quantity: int, key: UUID, note: str) -> None:
        """Enter doses that were thrown away, and why. Raises: as `receive`, 409 for more than there are."""
        place = self._require_place(requester, place)
        _require_quantity(quantity, 1)
        note = clean_text(note, 3, MAX_NOTE, "note")
        await self._write(requester, key, note, [(place, EntryKind.WASTE, -quantity, None)])

    async def transfer(
        self, requester: Requester, place: LotAt, to: UUID, quantity: int, key: UUID, note: str = ""
    ) -> None:
        """Send doses to another site: they leave the one and reach the other at once. Raises: as `waste`."""
        place = self._require_place(requester, place)
        _require_quantity(quantity, 1)
        if to == place.organization_id or await self._directory.organization(to) is None:
            raise bad_request("to", N_("Enter another site, with its name as in the directory."), code="value")
        other = LotAt(to, place.product, place.lot)
        moves = [
            (place, EntryKind.TRANSFER_OUT, -quantity, to),
            (other, EntryKind.TRANSFER_IN, quantity, place.organization_id),
        ]
        await self._write(requester, key, note, moves)

    async def count(self, requester: Requester, place: LotAt, counted: int, key: UUID, note: str = "") -> None:
        """Enter how many doses there are; the difference becomes a movement. Raises: as `receive`."""
        place = self._require_place(requester, place)
        _require_quantity(counted, 0)
        await self._write(requester, key, note, [(place, EntryKind.COUNT, None, None)], counted=counted)

    async def _write(
        self,
        requester: Requester,
        key: UUID,
        note: str,
        moves: Sequence[tuple[LotAt, EntryKind, int | None, UUID | None]],
        expires_on: date | None = None,
        counted: int = 0,
    ) -> None:
        """Write movements together, once for each `key`; a quantity None is the difference to what was counted."""
        note, now = clean_text(note, 0, MAX_NOTE, "note"), clock.now()
        async with self._db.transaction() as conn:
            is_new = moves[0][1] in (EntryKind.DELIVERY, EntryKind.TRANSFER_OUT)
            levels = await stock_store.lock(conn, [place for place, *_ in moves], today(), create=is_new)
            if await stock_store.is_known(conn, key):
                return
            for place, kind, quantity, other_id in moves:
                level = levels.get(place)
                if level is None:
                    raise _no_lot()
                change = counted - level.quantity if quantity is None else quantity
                if level.quantity + change < 0:
                    raise Problem(409, "conflict", N_("There are not so many doses of this lot."), place="quantity")
                expires = expires_on or (levels[moves[0][0]].expires_on if kind is EntryKind.TRANSFER_IN else None)
                entry = StockEntry(
                    id=uuid7(),
                    place=place,
                    kind=kind,
                    quantity=change,
                    ref=key,
                    at=now,
                    by=requester.name,
                    expires_on=expires,
                    other_id=other_id,
                    note=note,
                )
                await stock_store.move(conn, entry)
                await insert(conn, [stock_store.entry_row(entry), *self._journal.rows_for(requester, _changed(entry))])

    async def set_reorder(self, requester: Requester, organization_id: UUID, product: str, level: int) -> None:
        """Set the level below which a site orders a product; 0: none. Raises: as `receive`."""
        _require_site(requester, organization_id)
        _require_product(product)
        _require_quantity(level, 0, "level")
        async with self._db.transaction() as conn:
            before = await stock_store.set_reorder(conn, organization_id, product, level)
            if before != level:
                event = ReorderLevelSet(organization_id=organization_id, product=product, before=before, level=level)
                await insert(conn, self._journal.rows_for(requester, event))

    # The cold chain

    async def report_break(
        self, requester: Requester, place: LotAt, first_day: date | None, last_day: date | None, note: str
    ) -> UUID:
        """Report a break of the cold chain: doses given within the days count as suspect. Raises: as `receive`."""
        place = self._require_place(requester, place)
        if first_day is None or first_day > today() or (last_day is not None and last_day < first_day):
            raise bad_request("first_day", N_("Enter the days of the break, the first one not in the future."))
        one = ColdChainBreak(
            id=uuid7(),
            place=place,
            first_day=first_day,
            last_day=last_day,
            note=clean_text(note, 3, MAX_NOTE, "note"),
            at=clock.now(),
            by=requester.name,
        )
        async with self._db.transaction() as conn:
            if not await stock_store.lock(conn, [place], today(), create=False):
                raise _no_lot()
            await self._write_break(requester, one, "reported", [stock_store.break_row(one)], conn)
        return one.id

    async def clear_break(self, requester: Requester, break_id: UUID) -> None:
        """Clear a break: the vaccine was found fit for use. Raises: `Problem` 403 for others than operators, 404."""
        require_operator(requester)
        async with self._db.transaction() as conn:
            one = await stock_store.clear_break(conn, break_id)
            if one is None:
                raise Problem(404, "not-found", NOT_FOUND)
            await self._write_break(requester, one, "cleared", [], conn)

    async def _write_break(
        self, requester: Requester, one: ColdChainBreak, change: str, rows: list[Row], conn: Connection
    ) -> None:
        """Write a change of a break; the forecasts of who got the lot are made again."""
        place = one.place
        event = ColdChainChanged(
            break_id=one.id,
            organization_id=place.organization_id,
            product=place.product,
            lot=place.lot,
            change=change,
        )
        await insert(conn, [*rows, *self._journal.rows_for(requester, event)])
        await forecast_store.mark_stale(conn, await stock_store.fetch_persons(conn, one))

    # What there is

    async def levels(
        self,
        requester: Requester,
        organization_id: UUID | None,
        text: str = "",
        cursor: str | None = None,
        limit: int = 20,
    ) -> Page[StockLevel]:
        """Return a page of lots at a site, or (operators) at every site; `text`: parts of the name, or the lot.

        Raises: `Problem` 404 for another site than the requester's, 400 for a cursor that is not valid.
        """
        _require_site(requester, organization_id)
        start, words = decode_offset_cursor(cursor), text.casefold().split()
        products = [key for key, one in catalogue().products.items() if all(w in one.name.casefold() for w in words)]
        wanted = products if words else None
        found = await stock_store.fetch_levels(self._db, organization_id, wanted, text, start, limit + 1)
        return Page(found[:limit], encode_cursor(start + limit) if len(found) > limit else None)

    async def products(self, requester: Requester, organization_id: UUID | None) -> list[ProductLevel]:
        """Return the usable doses of each product at a site, or (operators) at every site. Raises: as `levels`."""
        _require_site(requester, organization_id)
        return await stock_store.fetch_products(self._db, organization_id, today())

    async def entries(
        self, requester: Requester, organization_id: UUID | None, cursor: str | None = None, limit: int = 20
    ) -> Page[StockEntry]:
        """Return a page of movements, the newest first. Raises: as `levels`."""
        _require_site(requester, organization_id)
        found = await stock_store.fetch_entries(self._db, organization_id, decode_uuid_cursor(cursor), limit + 1)
        return Page(found[:limit], encode_cursor(found[limit - 1].id) if len(found) > limit else None)

    async def used(self, requester: Requester, organization_id: UUID | None) -> list[tuple[date, int]]:
        """Return the doses used in each month of the last year, the oldest first. Raises: as `levels`."""
        _require_site(requester, organization_id)
        return await stock_store.fetch_months(self._db, organization_id, EntryKind.USE.value, today() - MONTHS)

    async def breaks(
        self, requester: Requester, organization_id: UUID | None, cursor: str | None = None, limit: int = 20
    ) -> Page[ColdChainBreak]:
        """Return a page of breaks of the cold chain, the newest first. Raises: as `levels`."""
        _require_site(requester, organization_id)
        found = await stock_store.fetch_breaks(self._db, organization_id, decode_uuid_cursor(cursor), limit + 1)
        return Page(found[:limit], encode_cursor(found[limit - 1].id) if len(found) > limit else None)

    async def sites(self, ids: set[UUID]) -> Mapping[UUID, Organization]:
        """Return organisations by their keys."""
        return await self._directory.organizations(ids)

    async def find_site(self, name: str) -> UUID:
        """Return the organisation with a name. Raises: `Problem` 400 when none or several have it."""
        name = clean_text(name, 2, 120, "to")
        page = await self._directory.search_organizations(name, limit=20)
        exact = [one for one in page.items if one.name.casefold() == name.casefold()]
        if len(exact) != 1:
            raise bad_request("to", N_("Enter another site, with its name as in the directory."), code="value")
        return exact[0].id

    def _require_place(self, requester: Requester, place: LotAt) -> LotAt:
        """Return a place as it is compared. Raises: `Problem` 404 for another site, 400 for what is no lot."""
        _require_site(requester, place.organization_id)
        _require_product(place.product)
        lot = place.lot.strip()
        if not normal_lot(lot) or len(lot) > MAX_LOT or not lot.isprintable():
            raise bad_request("lot", N_("Enter the lot number as it is printed on the pack."), code="value")
        return LotAt(place.organization_id, place.product, lot)


def _require_site(requester: Requester, organization_id: UUID | None) -> None:
    """Raise `Problem` 404 unless a requester works at a site, or is an operator."""
    if requester.kind == "operator":
        return
    if requester.kind != "practitioner" or organization_id is None or requester.organization_id != organization_id:
        raise Problem(404, "not-found", NOT_FOUND)


def _require_product(product: str) -> None:
    if product not in catalogue().products:
        raise bad_request("product", N_("Choose the vaccine from the list."), code="value")


def _require_quantity(quantity: int, least: int, place: str = "quantity") -> None:
    if not least <= quantity <= MAX_QUANTITY:
        raise bad_request(place, N_("This is not a number of doses."), detail=f"{least}-{MAX_QUANTITY}", code="value")


def _no_lot() -> Problem:
    return Problem(
        409, "conflict", N_("This site has no such lot."), place="lot", remedy=N_("Enter its delivery first.")
    )


def _changed(entry: StockEntry) -> StockChanged:
    return StockChanged(
        entry_id=entry.id,
        organization_id=entry.place.organization_id,
        product=entry.place.product,
        lot=entry.place.lot,
        kind=entry.kind.value,
        quantity=entry.quantity,
    )

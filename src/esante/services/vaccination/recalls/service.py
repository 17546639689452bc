"""The use cases of lots: find everybody who got one, recall it, notify them."""

from datetime import date
from typing import NamedTuple
from uuid import UUID

from esante.core import clock
from esante.core.journal import Journal
from esante.core.storage import Database, Row, insert, uuid7
from esante.core.time_zone import today
from esante.core.web import (
    N_,
    NOT_FOUND,
    Page,
    Problem,
    bad_request,
    clean_text,
    decode_uuid_cursor,
    encode_cursor,
)
from esante.identity.access import Requester, require_operator
from esante.identity.directory import Directory, Person
from esante.services.vaccination.card.write_rules import CATEGORY
from esante.services.vaccination.products.catalogue import catalogue, normal_lot
from esante.services.vaccination.recalls import recall_store
from esante.services.vaccination.recalls.model import (
    LotDose,
    LotRecall,
    LotRecalled,
    LotSearched,
    RecallChanged,
    RecallProgress,
)

BATCH = 500
"""Doses of which persons are notified in one transaction."""
MAX_LOT, MAX_TEXT = 40, 300


class LotPerson(NamedTuple):
    """A dose of a lot, who got it, and where it was given."""

    dose: LotDose
    person: Person | None
    site: str


class Recalls:
    """Lots and their recalls, for operators."""

    def __init__(self, db: Database, journal: Journal, directory: Directory) -> None:
        self._db, self._journal, self._directory = db, journal, directory

    async def find_persons(
        self, requester: Requester, lot: str, product: str = "", cursor: str | None = None, limit: int = 20
    ) -> tuple[int, Page[LotPerson]]:
        """Return how many doses of a lot are known, and a page of them; who is shown finds it in their access log.

        Raises: `Problem` 403 for others than operators, 400 for a lot without letters and digits.
        """
        require_operator(requester)
        _require_lot(lot)
        after = decode_uuid_cursor(cursor)
        doses = await recall_store.fetch_doses(self._db, lot, product, after, limit + 1)
        shown = _whole_persons(doses, limit)
        persons = await self._directory.persons({one.person_id for one in shown})
        sites = await self._directory.organizations({one.organization_id for one in shown if one.organization_id})
        names: dict[UUID | None, str] = {key: site.name for key, site in sites.items()}
        event = LotSearched(rule="vaccination.lot", reason="operations", categories=(CATEGORY,))
        rows = [row for key in persons for row in self._journal.rows_for(requester, event, person_id=key)]
        if rows:
            await self._db.write(rows)
        items = [LotPerson(one, persons.get(one.person_id), names.get(one.organization_id, "")) for one in shown]
        more = encode_cursor(shown[-1].person_id) if len(doses) > len(shown) else None
        return await recall_store.count_doses(self._db, lot, product), Page(items, more)

    async def page(
        self, requester: Requester, text: str = "", cursor: str | None = None, limit: int = 20
    ) -> Page[tuple[LotRecall, RecallProgress]]:
        """Return a page of recalls, the newest first, with how far each is. Raises: `Problem` 403, 400."""
        require_operator(requester)
        found = await recall_store.fetch_recalls(self._db, text, decode_uuid_cursor(cursor), limit + 1)
        shown = [(one, await recall_store.progress(self._db, one)) for one in found[:limit]]
        return Page(shown, encode_cursor(found[limit - 1].id) if len(found) > limit else None)

    async def recall(
        self, requester: Requester, product: str, lot: str, recalled_on: date | None, reason: str, source: str
    ) -> UUID:
        """Recall a lot; everybody who got it is notified in the background. Return the key of the recall.

        Raises: `Problem` 403 for others than operators, 400 for what cannot be, 409 for a lot that is recalled.
        """
        require_operator(requester)
        if product not in catalogue().products:
            raise bad_request("product", N_("Choose the vaccine from the list."), code="value")
        lot = _require_lot(lot)
        if recalled_on is None or recalled_on > today():
            raise bad_request("recalled_on", N_("A recall holds from a day that is not in the future."), code="value")
        reason = clean_text(reason, 3, MAX_TEXT, "reason")
        source = clean_text(source, 3, MAX_TEXT, "source")
        recall = LotRecall(
            id=uuid7(),
            product=product,
            lot=lot,
            recalled_on=recalled_on,
            reason=reason,
            source=source,
            entered_at=clock.now(),
            entered_by=requester.name,
        )
        async with self._db.transaction() as conn:
            if not await recall_store.lock_free_lot(conn, product, lot):
                raise Problem(409, "conflict", N_("This lot is recalled already."), place="lot")
            await insert(conn, [recall_store.recall_row(recall), *self._changed(requester, recall, "entered")])
        return recall.id

    async def lift(self, requester: Requester, recall_id: UUID) -> None:
        """Lift a recall that was entered in error; who was notified stays notified. Raises: `Problem` 403, 404."""
        require_operator(requester)
        async with self._db.transaction() as conn:
            recall = await recall_store.fetch_recall(conn, recall_id)
            if recall is None or not await recall_store.lift(conn, recall_id):
                raise Problem(404, "not-found", NOT_FOUND)
            await insert(conn, self._changed(requester, recall, "lifted"))

    async def notify(self) -> int:
        """Notify everybody who got a recalled lot, of each dose once; return how many there were."""
        entered = await recall_store.fetch_active(self._db)
        recalled = {(one.product, normal_lot(one.lot), one.recalled_on) for one in entered}
        recalled |= {(one.product, normal_lot(one.lot), one.recalled_on) for one in catalogue().recalls}
        count = 0
        for product, lot, recalled_on in sorted(recalled):
            while recalled_on <= today() and (made := await self._notify_some(product, lot, recalled_on)):
                count += made
        return count

    async def _notify_some(self, product: str, lot: str, recalled_on: date) -> int:
        async with self._db.transaction() as conn:
            doses = await recall_store.lock_unnotified(conn, product, lot, recalled_on, BATCH)
            rows: list[Row] = []
            for person_id, dose_id in doses:
                event = LotRecalled(dose_id=dose_id, product=product, lot=lot, recalled_on=recalled_on)
                rows += self._journal.rows(event, person_id=person_id)
                rows.append((recall_store.NOTIFIED, (person_id, dose_id, recalled_on)))
            await insert(conn, rows)
        return len(doses)

    def _changed(self, requester: Requester, recall: LotRecall, change: str) -> list[Row]:
        event = RecallChanged(
            recall_id=recall.id, change=change, product=recall.product, lot=recall.lot, source=recall.source
        )
        return self._journal.rows_for(requester, event)


def _require_lot(lot: str) -> str:
    """Return a lot as it is kept. Raises: `Problem` 400 unless it has letters or digits, and is short."""
    lot = lot.strip()
    if not normal_lot(lot) or len(lot) > MAX_LOT or not lot.isprintable():
        raise bad_request("lot", N_("Enter the lot number as it is printed on the pack."), code="value")
    return lot


def _whole_persons(doses: list[LotDose], limit: int) -> list[LotDose]:
    """Return the first doses, about `limit`, without parting those of one person from another page."""
    if len(doses) <= limit:
        return doses
    last = doses[limit].person_id
    shown = [one for one in doses[:limit] if one.person_id != last]
    return shown or doses[:limit]

"""What operators see and do: studies received by day, quarantine, and what was done about it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from uuid import UUID

from esante.core import clock
from esante.core.journal import Event, Journal, event
from esante.core.storage import Database, insert
from esante.core.time_zone import day_of, time_zone
from esante.core.web import N_, Problem, bad_request
from esante.identity.access import Requester
from esante.services.imaging.model import REASONS
from esante.services.imaging.operation import store
from esante.services.imaging.operation.store import QuarantineEntry

DAYS, PAGE_SIZE, MAX_NOTE = 30, 20, 300
_LAST = UUID(int=2**128 - 1)


@event("imaging.quarantine_settled")
class QuarantineSettled(Event, frozen=True, kw_only=True):
    """An operator noted what was done about an instance in quarantine (the note is in the list)."""

    quarantine_id: UUID


@dataclass(frozen=True, slots=True)
class Intake:
    """What came in on each of the last days, oldest first: day and number of studies, of instances in quarantine."""

    studies: Sequence[tuple[date, int]]
    quarantined: Sequence[tuple[date, int]]


class Operation:
    """The use cases of operators."""

    def __init__(self, db: Database, journal: Journal) -> None:
        self._db, self._journal = db, journal

    async def intake(self) -> Intake:
        """Return what came in on each of the last days."""
        now = clock.now()
        since, zone = now - timedelta(days=DAYS), time_zone().key
        days = [day_of(now) - timedelta(days=back) for back in range(DAYS - 1, -1, -1)]
        return Intake(
            _by_day(days, await store.count_studies_by_day(self._db, since, zone)),
            _by_day(days, await store.count_quarantined_by_day(self._db, since, zone)),
        )

    async def quarantine(
        self, text: str, reasons: Sequence[str], before: UUID | None, *, settled: bool
    ) -> tuple[list[QuarantineEntry], UUID | None]:
        """Return a page of the quarantine and the key after which the next begins; `reasons`: also those wanted."""
        found = await store.search_quarantine(
            self._db, text, reasons, settled=settled, before=before or _LAST, limit=PAGE_SIZE + 1
        )
        return found[:PAGE_SIZE], found[PAGE_SIZE - 1].quarantine_id if len(found) > PAGE_SIZE else None

    async def settle(self, requester: Requester, quarantine_id: UUID, note: str) -> None:
        """Note what was done about an instance. Raises: Problem 400 without a note, 409 for one that is settled."""
        note = note.strip()
        if not 3 <= len(note) <= MAX_NOTE:
            raise bad_request("note", N_("Enter between 3 and 300 characters."), code="value")
        async with self._db.transaction() as conn:
            if not await store.settle(conn, quarantine_id, requester.name, note, clock.now()):
                raise Problem(409, "conflict", N_("This was settled already."))
            await insert(conn, self._journal.rows_for(requester, QuarantineSettled(quarantine_id=quarantine_id)))


ADVICE: Mapping[str, str] = {
    "not-dicom": N_("Ask the sender to check what their device sends."),
    "transfer-syntax": N_("Ask the sender to send it in another transfer syntax."),
    "person-unknown": N_("Ask the sender to send it again with the patient's number."),
    "person-differs": N_("Ask the sender at once for whom it is: it may have been meant for another record."),
    "study-of-another": N_("Ask the sender whether the UID of the study was used twice."),
    "series-of-another": N_("Ask the sender whether the UID of the series was used twice."),
    "duplicate": N_("Ask the sender whether they changed the image: a changed one needs a UID of its own."),
    "not-authorized": N_("Nothing is wrong with it. The patient may have refused, or has no record."),
    "study-differs": N_("Ask the sender to send it with its own study."),
    "too-large": N_("Ask the sender to divide it."),
}
"""What to do about an instance by its reason; for the others as for `not-dicom`."""


def advice_on(reason: str) -> str:
    """Return what to do about an instance in quarantine (a msgid)."""
    return ADVICE.get(reason, ADVICE["not-dicom"])


def words_of(reason: str) -> str:
    """Return the words for a reason (a msgid)."""
    return REASONS[reason].words if reason in REASONS else reason


def _by_day(days: Sequence[date], counts: Mapping[date, int]) -> list[tuple[date, int]]:
    return [(day, counts.get(day, 0)) for day in days]

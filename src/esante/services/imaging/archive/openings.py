"""Entries of the journal about opened series: one for an opening, of which a viewer makes thousands of requests."""

import time
from collections import OrderedDict
from collections.abc import Hashable, Iterable

from esante.core.storage import Database, Row
from esante.identity.access import Requester
from esante.services.imaging.archive.record_entry import depositor_of
from esante.services.imaging.archive.store import fetch_series
from esante.services.imaging.archive.visible_study import VisibleStudy
from esante.services.imaging.model import SeriesOpened
from esante.services.record import Record

ONE_OPENING = 600.0
"""Seconds in which further requests for a series belong to the same opening, as with the pages of a document."""
_MAX_KNOWN = 100_000


class Openings:
    """Journals that series were opened; of one opening each process writes one entry."""

    def __init__(self, db: Database, record: Record) -> None:
        self._db, self._record = db, record
        self._known: OrderedDict[Hashable, float] = OrderedDict()

    async def journal(self, requester: Requester, study: VisibleStudy, series_uids: Iterable[str], form: str) -> None:
        """Journal that series of a study are opened, durable on return; nothing for an opening that goes on."""
        now = time.monotonic()
        keys = {uid: self._key(requester, study, uid) for uid in series_uids}
        new = [uid for uid, key in keys.items() if self._known.get(key, -ONE_OPENING) + ONE_OPENING <= now]
        if not new:
            return
        series = await fetch_series(self._db, study.person_id, [study.study_uid])
        modalities = {one.series_uid: one.modality for one in series}
        rows: list[Row] = []
        for uid in new:
            rows += self._record.audit_rows(
                SeriesOpened,
                requester,
                study.person_id,
                study.verdict,
                [study.document],
                study_uid=study.study_uid,
                series_uid=uid,
                modality=modalities.get(uid, ""),
                form=form,
                place="own" if study.document.depositor_id == depositor_of(requester) else "elsewhere",
            )
        await self._db.write(rows)
        self._remember((keys[uid] for uid in new), now)

    def _key(self, requester: Requester, study: VisibleStudy, series_uid: str) -> Hashable:
        """Return what is the same in one opening: who, from where, by which rule and grant, which series."""
        grant_id = study.verdict.grant.id if study.verdict.grant else None
        return requester.actor, requester.origin, study.verdict.rule, grant_id, study.study_uid, series_uid

    def _remember(self, keys: Iterable[Hashable], now: float) -> None:
        for key in keys:
            self._known[key] = now
            self._known.move_to_end(key)
        while len(self._known) > _MAX_KNOWN:
            self._known.popitem(last=False)

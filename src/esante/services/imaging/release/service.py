"""Withholding and release of studies, by who made them."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from esante.core import clock
from esante.core.storage import Database, Row, insert
from esante.core.web import N_, Problem, bad_request
from esante.identity.access import Requester
from esante.services.imaging.archive import store
from esante.services.imaging.archive.record_entry import depositor_of
from esante.services.imaging.archive.service import Archive, not_found
from esante.services.imaging.archive.visible_study import VisibleStudy
from esante.services.imaging.model import StudyReleased, StudyWithheld
from esante.services.imaging.release.store import Release, fetch_releases, release_row, set_release
from esante.services.imaging.release.terms import latest_release
from esante.services.record import Record

_PROFESSIONS = ("practitioner", "organization")


@dataclass(frozen=True, slots=True)
class ReleaseState:
    """Until when a study may be withheld at most, and what was set (None: nothing was)."""

    latest: datetime
    release: Release | None

    @property
    def is_withheld(self) -> bool:
        """Whether the patient does not see the study now."""
        return self.release is not None and self.release.withheld_until > clock.now()


class Releases:
    """The use cases of withholding a study from its patient, and of releasing it."""

    def __init__(self, db: Database, archive: Archive, record: Record) -> None:
        self._db, self._archive, self._record = db, archive, record

    async def state(self, requester: Requester, study_uid: str) -> tuple[VisibleStudy, ReleaseState]:
        """Return a study with its state. Raises: Problem 404, also for who did not make it."""
        visible = await self._archive.study(requester, study_uid, "release")
        [study] = await store.fetch_studies(self._db, visible.person_id, [visible.document.series_id])
        if requester.kind not in _PROFESSIONS or study.depositor_id != depositor_of(requester):
            raise not_found()
        found = await fetch_releases(self._db, visible.person_id, [study_uid])
        return visible, ReleaseState(latest_release(study.received_at), found.get(study_uid))

    async def withhold(self, requester: Requester, study_uid: str, days: int) -> Release:
        """Withhold a study for some days from now, within the terms. Raises: Problem 404, 409 after these."""
        if days < 1:
            raise bad_request("days", N_("Choose a number of days."), code="value")
        visible, state = await self.state(requester, study_uid)
        now = clock.now()
        if state.latest <= now:
            raise Problem(409, "conflict", N_("The patient has to see this study by now."))
        # A number of days that no calendar has must not overflow.
        until = min(now + timedelta(days=min(days, 3_650)), state.latest)
        return await self._set(requester, visible, until, StudyWithheld)

    async def release(self, requester: Requester, study_uid: str) -> Release:
        """Let the patient see a study from now on. Raises: Problem 404."""
        visible, _ = await self.state(requester, study_uid)
        return await self._set(requester, visible, clock.now(), StudyReleased)

    async def _set(
        self,
        requester: Requester,
        study: VisibleStudy,
        until: datetime,
        event: type[StudyWithheld] | type[StudyReleased],
    ) -> Release:
        release = Release(until, clock.now(), requester.name or requester.organization)
        entry = _entry(self._record, requester, study, event, until)
        async with self._db.transaction() as conn:
            await set_release(conn, study.person_id, study.study_uid, release)
            await insert(conn, entry)
        return release


def withheld_rows(record: Record, requester: Requester, study: VisibleStudy, at: datetime, days: int) -> list[Row]:
    """Return the rows by which a study that comes in at a moment is withheld for some days, within the terms."""
    until = min(at + timedelta(days=days), latest_release(at))
    release = Release(until, at, requester.name or requester.organization)
    row = release_row(study.person_id, study.study_uid, release)
    return [row, *_entry(record, requester, study, StudyWithheld, until)]


def _entry(
    record: Record,
    requester: Requester,
    study: VisibleStudy,
    event: type[StudyWithheld] | type[StudyReleased],
    until: datetime,
) -> list[Row]:
    fields = {"until": until.isoformat(timespec="seconds")} if event is StudyWithheld else {}
    documents = [study.document]
    return record.audit_rows(
        event, requester, study.person_id, study.verdict, documents, study_uid=study.study_uid, **fields
    )

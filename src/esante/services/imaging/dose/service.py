"""The doses of the studies of a person that a requester may see, journalled."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from uuid import UUID

import orjson

from esante.core.storage import Database
from esante.identity.access import Requester, Verdict
from esante.identity.directory import Directory
from esante.services.imaging.archive.service import Archive
from esante.services.imaging.dose.factors import dose_factors
from esante.services.imaging.dose.report import Irradiation, Quantity, read_dose_report
from esante.services.imaging.dose.store import fetch_dose_reports
from esante.services.imaging.model import CATEGORY, DosesViewed, Study
from esante.services.record import Document, Record


@dataclass(frozen=True, slots=True)
class StudyDose:
    """What the dose reports of a study say: sums by quantity, and the estimate in mSv (None: no factor for a part)."""

    study: Study
    document: Document
    amounts: Mapping[Quantity, float]
    effective: float | None

    @property
    def day(self) -> date:
        """The day of the study, else that of its document."""
        return self.study.study_on or self.document.event_date


@dataclass(frozen=True, slots=True)
class DoseHistory:
    """The doses of the studies that a requester may see, the latest first, and the verdict on the list."""

    doses: tuple[StudyDose, ...]
    verdict: Verdict

    @property
    def effective(self) -> float:
        """The sum of the estimates in mSv."""
        return sum(one.effective or 0.0 for one in self.doses)

    @property
    def by_year(self) -> list[tuple[int, float]]:
        """The sum of the estimates in mSv of each year from the first to the last with a dose, oldest first."""
        sums: defaultdict[int, float] = defaultdict(float)
        for one in self.doses:
            sums[one.day.year] += one.effective or 0.0
        return [(year, sums[year]) for year in range(min(sums), max(sums) + 1)] if sums else []


class Doses:
    """The use case of reading doses."""

    def __init__(self, db: Database, archive: Archive, record: Record, directory: Directory) -> None:
        self._db, self._archive, self._record, self._directory = db, archive, record, directory

    async def history(self, requester: Requester, person_id: UUID) -> DoseHistory:
        """Return the doses of a person, as far as the requester may see the studies; journalled."""
        studies = await self._archive.studies(requester, person_id)
        person = await self._directory.person(person_id)
        born = person.birth_date if person else date.min
        reports: defaultdict[str, list[Irradiation]] = defaultdict(list)
        for study_uid, header in await fetch_dose_reports(
            self._db, person_id, [one.study_uid for one, _ in studies.studies]
        ):
            reports[study_uid] += read_dose_report(orjson.loads(header))
        seen: set[str] = set()
        doses: list[StudyDose] = []
        for study, visible in reversed(studies.studies):
            if new := _new_ones(reports[study.study_uid], seen):
                doses.insert(0, _dose_of(study, visible.document, new, born))
        rows = self._record.audit_rows(
            DosesViewed,
            requester,
            person_id,
            studies.verdict,
            [one.document for one in doses],
            categories=(CATEGORY,),
            count=len(doses),
        )
        await self._db.write(rows)
        return DoseHistory(tuple(doses), studies.verdict)


def _new_ones(irradiations: Iterable[Irradiation], seen: set[str]) -> list[Irradiation]:
    """Return the irradiations that were not seen yet: one may stand in several reports, and counts in the first."""
    found = []
    for one in irradiations:
        if one.event_uid not in seen or not one.event_uid:
            found.append(one)
            seen.add(one.event_uid)
    return found


def _dose_of(study: Study, document: Document, irradiations: Iterable[Irradiation], born: date) -> StudyDose:
    amounts: defaultdict[Quantity, float] = defaultdict(float)
    day = study.study_on or document.event_date
    age = day.year - born.year - ((day.month, day.day) < (born.month, born.day))
    factors, estimates = dose_factors(day), []
    for one in irradiations:
        amounts[one.quantity] += one.amount
        estimates.append(factors.estimate(one, age))
    known = [one for one in estimates if one is not None]
    return StudyDose(study, document, dict(amounts), sum(known) if len(known) == len(estimates) and known else None)

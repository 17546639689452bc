"""Studies like one that was just deposited: same modality and body part, shortly before."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache
from uuid import UUID

from esante.core.dated_data import in_force, packaged_text, parse_periods
from esante.core.storage import Database
from esante.core.types import Json
from esante.identity.access import Requester
from esante.services.imaging.archive import store
from esante.services.imaging.archive.service import Archive
from esante.services.imaging.model import Series, Study


@dataclass(frozen=True, slots=True)
class SimilarityTerms:
    """Within how many days two studies of a modality count as similar."""

    valid_from: date
    legal_source: str
    verified: bool
    days: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class SimilarStudy:
    """A study like another: its day, and what both have."""

    study_uid: str
    on: date
    modality: str
    body_part: str


class SimilarStudies:
    """Finds similar studies among those that the depositor may see: a hidden one is not disclosed."""

    def __init__(self, db: Database, archive: Archive) -> None:
        self._db, self._archive = db, archive

    async def find(self, requester: Requester, person_id: UUID, study_uid: str) -> list[SimilarStudy]:
        """Return the studies like one of a person, the latest first; journalled where there are some."""
        own = await store.fetch_series(self._db, person_id, [study_uid])
        if not any(map(_body_part, own)):
            return []
        studies = await self._archive.studies(requester, person_id)
        by_uid = {one.study_uid: one for one, _ in studies.studies}
        series = await store.fetch_series(self._db, person_id, list(by_uid))
        found = similar_to(study_uid, by_uid, series)
        if found:
            uids = {one.study_uid for one in found}
            shown = [visible for one, visible in studies.studies if one.study_uid in uids]
            await self._archive.searched(requester, studies, shown, len(shown))
        return found


def similar_to(study_uid: str, studies: Mapping[str, Study], series: Iterable[Series]) -> list[SimilarStudy]:
    """Return those of some studies of one person that are like one of them, the latest first."""
    kinds: dict[str, set[tuple[str, str]]] = {}
    for one in series:
        if part := _body_part(one):
            kinds.setdefault(one.study_uid, set()).add((one.modality, part))
    this = studies.get(study_uid)
    if this is None or this.study_on is None:
        return []
    terms, found = _terms(this.study_on), []
    for uid, other in studies.items():
        common = kinds.get(uid, set()) & kinds.get(study_uid, set()) if uid != study_uid else set()
        for modality, part in sorted(common):
            longest = timedelta(days=terms.days.get(modality, 0))
            if other.study_on and timedelta(0) <= this.study_on - other.study_on <= longest and longest:
                found.append(SimilarStudy(uid, other.study_on, modality, part))
                break
    return sorted(found, key=lambda one: one.on, reverse=True)


def _body_part(series: Series) -> str:
    """Return the body part as the device names it, without what differs in spelling."""
    value = next(iter(series.attributes.get("00180015", {}).get("Value", ())), "")
    return "".join(char for char in str(value).upper() if char.isascii() and char.isalnum())


def _terms(on: date) -> SimilarityTerms:
    return in_force(_periods(), on)


@cache
def _periods() -> tuple[SimilarityTerms, ...]:
    return parse_periods(packaged_text("esante.services.imaging", "similar_examinations.toml"), _parse)


def _parse(period: Json) -> SimilarityTerms:
    return SimilarityTerms(**period)

"""Priors: earlier studies of the same region, to be compared with one that is open."""

from dataclasses import dataclass

from esante.core.storage import Database
from esante.identity.access import Requester
from esante.services.imaging.archive.service import Archive
from esante.services.imaging.archive.visible_study import VisibleStudy
from esante.services.imaging.discovery.study_facts import StudyFacts, load_facts
from esante.services.imaging.manifest.regions import overlap
from esante.services.imaging.model import Study

MAX_PRIORS = 10


@dataclass(frozen=True, slots=True)
class Prior:
    """An earlier study; `same_modality`: whether it is also of a modality of the open one."""

    study: Study
    visible: VisibleStudy
    modalities: tuple[str, ...]
    regions: tuple[str, ...]
    same_modality: bool


class Priors:
    """Finds priors among the studies that a requester may see; each of them is decided like the open one."""

    def __init__(self, db: Database, archive: Archive) -> None:
        self._db, self._archive = db, archive

    async def find(self, requester: Requester, opened: VisibleStudy, limit: int = MAX_PRIORS) -> list[Prior]:
        """Return the priors of a study, the latest first; journalled as a search that showed them."""
        studies = await self._archive.studies(requester, opened.person_id)
        facts = await load_facts(self._db, opened.person_id, [one for one, _ in studies.studies])
        current = next((one for one in facts if one.study.study_uid == opened.study_uid), None)
        found = [
            Prior(
                one.study,
                visible,
                one.modalities,
                one.regions,
                current is not None and bool({*one.modalities} & {*current.modalities}),
            )
            for one, (_, visible) in zip(facts, studies.studies, strict=True)
            if current is not None and _is_prior(one, current)
        ][:limit]
        if found:
            await self._archive.searched(requester, studies, [one.visible for one in found], len(found))
        return found


def _is_prior(one: StudyFacts, current: StudyFacts) -> bool:
    """Return whether a study is earlier and of the same region, or of the same site in the words of the device."""
    if one is current or (one.study.study_on is not None and _is_later(one.study, current.study)):
        return False
    words = {site.display.casefold() for site in one.sites} & {site.display.casefold() for site in current.sites}
    return overlap(one.regions, current.regions) or bool(words)


def _is_later(one: Study, current: Study) -> bool:
    return current.study_on is not None and one.study_on is not None and one.study_on > current.study_on
